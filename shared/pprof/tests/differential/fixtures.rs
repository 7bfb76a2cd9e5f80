//! Every recorded profile, and every ordered pair of them: ours beside Go's own.

use std::collections::HashSet;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use autopgo_pprof::{Accumulator, Edges, ErrorKind, Limits, Profile, compact, gzip, merge};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::book::difference;
use crate::oracle::Oracle;
use crate::recorded;

/// Of the 21 protobufs all but a heap profile and a goroutine profile.
const CPU: usize = 19;

struct Fixture {
    name: String,
    /// As Go wrote it.
    file: Vec<u8>,
    raw: Vec<u8>,
    profile: Profile,
}

type Pair<'a> = (&'a Fixture, &'a Fixture);

fn fixtures() -> Vec<Fixture> {
    let limits = Limits::default();
    let fixture = |(name, file): (String, Vec<u8>)| {
        let raw = gzip::inflate(&file, limits.raw_bytes).unwrap();
        let profile = Profile::decode(&raw, &limits).unwrap();
        Fixture { name, file, raw, profile }
    };
    recorded::protobufs().into_iter().map(fixture).collect()
}

/// Each with each, itself too, in either order.
fn pairs(fixtures: &[Fixture]) -> Vec<Pair<'_>> {
    fixtures.iter().flat_map(|a| fixtures.iter().map(move |b| (a, b))).collect()
}

/// Goes through all jobs with as many oracles as there are processors.
fn in_parallel<T: Sync>(jobs: &[T], work: impl Fn(&mut Oracle, &T) + Sync) {
    let next = AtomicUsize::new(0);
    let go_through = || {
        let mut oracle = Oracle::start();
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(&mut oracle, job);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(go_through);
        }
    });
}

#[test]
fn every_fixture_and_every_pair_merges_as_go_does() {
    let fixtures = fixtures();
    let mut jobs: Vec<Vec<&Fixture>> = fixtures.iter().map(|fixture| vec![fixture]).collect();
    jobs.extend(pairs(&fixtures).into_iter().map(|(a, b)| vec![a, b]));
    let merged = AtomicUsize::new(0);
    in_parallel(&jobs, |oracle, job| {
        let names: Vec<&str> = job.iter().map(|it| it.name.as_str()).collect();
        let raws: Vec<Vec<u8>> = job.iter().map(|it| it.raw.clone()).collect();
        let profiles: Vec<&Profile> = job.iter().map(|it| &it.profile).collect();
        let ours = merge(&profiles);
        let mut sum = Accumulator::new(profiles[0].clone());
        let added = profiles[1..].iter().try_for_each(|profile| sum.add(profile));
        match oracle.ask(&json!({ "steps": [{ "op": "merge" }] }), &raws) {
            Ok(theirs) => {
                assert!(ours.unwrap().encode() == theirs, "merge of {names:?}");
                added.unwrap();
                assert_eq!(difference(&theirs, &sum.finish().encode()), None, "accumulation of {names:?}");
                merged.fetch_add(1, Ordering::Relaxed);
            }
            Err(theirs) => {
                assert!(theirs.starts_with("incompatible "), "{names:?}: {theirs}");
                for ours in [ours.map(drop), added] {
                    assert_eq!(ours.unwrap_err().kind(), ErrorKind::Incompatible, "{names:?}");
                }
            }
        }
    });
    // The two of other kinds go with themselves only.
    assert_eq!(merged.into_inner(), fixtures.len() + CPU * CPU + 2);
}

/// Asks the tool, but never twice about the same file.
#[derive(Default)]
struct Preprofile {
    asked: Mutex<HashSet<[u8; 32]>>,
}

impl Preprofile {
    fn assert_text(&self, oracle: &mut Oracle, file: Vec<u8>, expected: &[u8], what: &str) {
        let key = Sha256::new().chain_update(&file).chain_update(expected).finalize().into();
        if !self.asked.lock().unwrap().insert(key) {
            return;
        }
        let text = preprofile(oracle, file).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(text == expected, "{what} is not the same to the compiler");
    }
}

fn preprofile(oracle: &mut Oracle, file: Vec<u8>) -> Result<Vec<u8>, String> {
    oracle.ask(&json!({ "steps": [], "answer": "preprofile" }), &[file])
}

fn accumulated(base: &Profile, upload: &Profile) -> Profile {
    let mut sum = Accumulator::new(base.clone());
    sum.add(upload).unwrap();
    sum.finish()
}

#[test]
fn preprofile_is_the_same_full_compact_merged_and_merged_from_compact() {
    let (fixtures, others): (Vec<_>, Vec<_>) =
        fixtures().into_iter().partition(|fixture| Edges::of(&fixture.profile).is_ok());
    assert_eq!(fixtures.len(), CPU);
    in_parallel(&others, |oracle, Fixture { name, file, .. }| {
        assert!(preprofile(oracle, file.clone()).is_err(), "{name}");
    });
    let tool = Preprofile::default();

    in_parallel(&fixtures, |oracle, Fixture { name, file, profile, .. }| {
        let text = Edges::of(profile).unwrap().preprofile();
        let mut check = |file, how| tool.assert_text(oracle, file, &text, &format!("{name}, {how}"));
        check(file.clone(), "as Go wrote it");
        check(merge(&[profile]).unwrap().write(), "normal");
        check(Accumulator::new(profile.clone()).finish().write(), "accumulated");
        check(compact(profile).unwrap().write(), "compact");
    });

    in_parallel(&pairs(&fixtures), |oracle, &(a, b)| {
        let merged = |a: &Profile, b: &Profile| merge(&[a, b]).unwrap();
        let whole = merged(&a.profile, &b.profile);
        let [small_a, small_b] = [a, b].map(|it| compact(&it.profile).unwrap());
        let small = merged(&small_a, &small_b);

        let text = Edges::of(&whole).unwrap().preprofile();
        let mut check = |profile: &Profile, how: &str| {
            let what = format!("{} and {}, {how}", a.name, b.name);
            tool.assert_text(oracle, profile.encode(), &text, &what);
        };
        check(&whole, "merged");
        check(&compact(&whole).unwrap(), "merged, then compacted");
        check(&small, "merged from compact");
        check(&compact(&small).unwrap(), "merged from compact, then compacted");
        check(&merged(&small_a, &b.profile), "merged from compact and full");
        // What is accumulated has the content of what is merged; so we ask ourselves, the tool takes long.
        for upload in [&b.profile, &small_b] {
            let accumulated = Edges::of(&accumulated(&a.profile, upload)).unwrap();
            assert!(accumulated.preprofile() == text, "{} and {}, accumulated", a.name, b.name);
        }
    });
}
