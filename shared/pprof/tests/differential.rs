//! The engine beside google/pprof and `go tool preprofile` themselves: on random profiles here, on the recorded ones in
//! differential/fixtures.rs. Needs a Go toolchain, so it is asked for:
//! `cargo test -p autopgo-pprof --features differential --test differential`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expected by panicking"
)]

#[allow(dead_code, reason = "what only the messages' own tests use")]
#[path = "proto/book.rs"]
mod book;
#[path = "differential/fixtures.rs"]
mod fixtures;
#[allow(dead_code, reason = "what only the properties use")]
mod naive;
#[path = "differential/oracle.rs"]
mod oracle;
mod recorded;

use crate::book::difference;
use crate::naive::random::{Kind, model};
use crate::naive::wire;
use crate::oracle::Oracle;
use autopgo_pprof::{Accumulator, Edges, ErrorKind, Limits, Profile, compact, merge, prune};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use regex::Regex;
use serde_json::json;

const ROUNDS: usize = 3000;
/// The real tool is a process for each answer, so it is asked less often.
const ROUNDS_PER_PREPROFILE: usize = 20;
const PATTERNS: [&str; 8] = ["^main", "f$", "http", "conn", r"^http\.$", r"\[", "nobody", "."];

fn decode(raw: &[u8]) -> Result<Profile, autopgo_pprof::Error> {
    Profile::decode(raw, &Limits::default())
}

#[test]
fn google_pprof_answers_alike() {
    let mut oracle = Oracle::start();
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    for round in 0..ROUNDS {
        let kind = if round % 2 == 0 { Kind::Any } else { Kind::Cpu };
        let models = draw(&mut runner, vec(model(kind), 1..4));
        let raws: Vec<Vec<u8>> = models.iter().map(wire::write_careless).collect();
        let profiles: Vec<Profile> = raws.iter().map(|raw| decode(raw).unwrap()).collect();

        parse(&mut oracle, &raws[0], "a careless writer's");
        let mut damaged = raws[0].clone();
        let at = draw(&mut runner, any::<Index>()).index(damaged.len());
        damaged[at] = draw(&mut runner, any::<u8>());
        parse(&mut oracle, &damaged, "a damaged one");
        parse(&mut oracle, &raws[0][..at], "a cut one");

        let merged = merge(&profiles.iter().collect::<Vec<_>>()).unwrap();
        let steps = json!([{ "op": "merge" }]);
        let answer = oracle.ask(&json!({ "steps": steps }), &raws).unwrap();
        assert_eq!(answer, merged.encode(), "merge of {models:?}");

        // Go reads what the accumulator writes, and finds in it what it finds in its own.
        let mut sum = Accumulator::new(profiles[0].clone());
        profiles[1..].iter().for_each(|profile| sum.add(profile).unwrap());
        let (ours, theirs) = (sum.finish().encode(), merged.encode());
        assert_eq!(difference(&theirs, &ours), None, "accumulation of {models:?}");
        let both = [[&theirs, &ours], [&theirs, &theirs]]
            .map(|pair| oracle.ask(&json!({ "steps": steps }), &pair.map(Clone::clone)).unwrap());
        assert_eq!(both[0], both[1], "accumulation of {models:?}");

        let [drop, keep] = [(); 2].map(|()| draw(&mut runner, select(PATTERNS.to_vec())));
        let mut pruned = merged.clone();
        let [drops, keeps] = [drop, keep].map(|pattern| Regex::new(pattern).unwrap());
        prune::prune(
            &mut pruned,
            prune::Names::Simplified,
            &|name| drops.is_match(name),
            Some(&|name| keeps.is_match(name)),
        );
        let steps = json!([{ "op": "merge" }, { "op": "prune", "drop": drop, "keep": keep }]);
        let answer = oracle.ask(&json!({ "steps": steps }), &raws).unwrap();
        assert_eq!(answer, pruned.encode(), "prune {drop} but {keep} of {models:?}");

        if round % ROUNDS_PER_PREPROFILE == 1 {
            preprofile(&mut oracle, &pruned);
        }
    }
}

fn draw<S: Strategy>(runner: &mut TestRunner, strategy: S) -> S::Value {
    strategy.new_tree(runner).unwrap().current()
}

/// Both read it and write the same, or both refuse it.
fn parse(oracle: &mut Oracle, raw: &[u8], what: &str) {
    match (oracle.ask(&json!({ "steps": [] }), &[raw.to_vec()]), decode(raw)) {
        (Ok(answer), Ok(profile)) => assert_eq!(answer, profile.encode(), "{what}: {raw:?}"),
        (Err(_), Err(error)) => assert_eq!(error.kind(), ErrorKind::Malformed, "{what}: {raw:?}"),
        (theirs, ours) => panic!("{what}: {theirs:?}, but {ours:?} of {raw:?}"),
    }
}

/// The tool makes of the profile, and of its compact form, what we say.
fn preprofile(oracle: &mut Oracle, profile: &Profile) {
    let edges = Edges::of(profile).unwrap();
    let small = compact(profile).unwrap();
    for raw in [profile.encode(), small.encode()] {
        match oracle.ask(&json!({ "steps": [], "answer": "preprofile" }), std::slice::from_ref(&raw)) {
            Ok(text) => assert_eq!(text, edges.preprofile(), "{raw:?}"),
            // Go 1.26 and earlier refuse a profile of zeroes only.
            Err(error) => assert!(edges.is_empty(), "{error}: {raw:?}"),
        }
    }
}
