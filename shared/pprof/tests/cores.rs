//! What comes of more cores is what comes of one, to the byte and to the word of an error: on real profiles, which are large
//! enough to be parted, and on one that is larger.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "what only the properties use")]
mod naive;
mod recorded;

use std::collections::BTreeSet;
use std::ops::Range;

use naive::wire::Writer;

use autopgo_pprof::{Accumulator, Limits, Profile, compact, compact_all, gzip, on_cores, read_ahead};

const CORES: [usize; 3] = [2, 3, 8];
const PROFILES: [&str; 4] = ["rclone-full.pprof", "rclone.pgo", "avalanchego.pgo", "datadog-grpc-anon.pprof"];

fn recorded(name: &str) -> Vec<u8> {
    recorded::protobufs().into_iter().find(|(it, _)| it == name).unwrap().1
}

/// Does it on one core, and on more.
fn same<T: PartialEq + Send>(what: &str, work: impl Fn() -> T + Sync) -> T {
    let alone = work();
    for cores in CORES {
        assert!(on_cores(cores, &work) == alone, "{what} on {cores} cores");
    }
    alone
}

fn decode(raw: &[u8]) -> Result<Profile, String> {
    Profile::decode(raw, &Limits::default()).map_err(|error| error.to_string())
}

#[test]
fn every_part_gives_the_same_bytes() {
    for name in PROFILES {
        let raw = gzip::inflate(&recorded(name), Limits::default().raw_bytes).unwrap();
        same(name, || decode(&raw).unwrap().encode());
        let profile = decode(&raw).unwrap();
        // As another writer left it, and in our order.
        let ordered = same(name, || Accumulator::new(profile.clone()).finish().encode());
        same(name, || Accumulator::new(decode(&ordered).unwrap()).finish().encode());
        let small = || compact(&profile).map(|small| small.encode()).map_err(|error| error.to_string());
        assert!(same(name, small).is_ok());
    }
}

const SAMPLES: u64 = 100_000;

/// Some samples of a profile of more calls and names than a real one has, with so many sample types: so many of three locations
/// have a call within, as another has at another address, and each sample has one from one to the next.
fn large(width: u64, inlined: u64, samples: Range<u64>) -> Vec<u8> {
    const FUNCTIONS: u64 = 40_000;
    const LOCATIONS: u64 = 120_000;
    const TEXTS: [&str; 5] = ["", "samples", "count", "cpu", "nanoseconds"];
    let mut raw = Writer::default();
    for at in 0..width {
        let [kind, unit] = if at == 0 { [1, 2] } else { [3, 4] };
        raw.message(1, |it| [(1, kind), (2, unit)].iter().for_each(|&(field, text)| it.number(field, text)));
    }
    let mut locations = BTreeSet::new();
    for at in samples {
        let values: Vec<u64> = (0..width).map(|column| at % 1000 + column).collect();
        let stack = [at, at * 7 % LOCATIONS];
        locations.extend(stack);
        raw.message(2, |sample| {
            sample.numbers(1, &stack.map(|location| location + 1));
            sample.numbers(2, &values);
        });
    }
    for at in locations {
        raw.message(4, |location| {
            location.number(1, at + 1);
            location.number(3, at + 1);
            let lines = [(at * 3, 5), (at, 9 + at / (3 * FUNCTIONS))];
            for &(function, line) in &lines[..if at % FUNCTIONS % 3 < inlined { 2 } else { 1 }] {
                location.message(4, |it| {
                    it.number(1, function % FUNCTIONS + 1);
                    it.number(2, line);
                });
            }
        });
    }
    for at in 0..FUNCTIONS {
        raw.message(5, |function| {
            function.number(1, at + 1);
            function.number(2, TEXTS.len() as u64 + at);
            function.number(5, 2);
        });
    }
    TEXTS.iter().for_each(|text| raw.bytes(6, text.as_bytes()));
    (0..FUNCTIONS).for_each(|at| raw.bytes(6, format!("main.function{}", at * 31 % FUNCTIONS).as_bytes()));
    raw.0
}

#[test]
fn a_large_one_is_compacted_to_the_same_bytes() {
    // With fewer lines it is counted in another way.
    for (width, inlined) in [(2, 3), (5, 3), (2, 1)] {
        let profile = decode(&large(width, inlined, 0..SAMPLES)).unwrap();
        let small = same("a large one", || compact(&profile).unwrap().encode());
        let calls = decode(&small).unwrap().sample_count();
        assert!(calls > 1 << 16 || inlined < 3, "it is large enough to be laid out by two: {calls}");
        // It has so many locations that those with the same lines are found; its parts have few.
        assert!(profile.location_count() > 1 << 16);
        let parts: Vec<Profile> = (0..SAMPLES)
            .step_by(5000)
            .map(|start| decode(&large(width, inlined, start..start + 5000)).unwrap())
            .collect();
        assert!(parts.iter().all(|part| part.location_count() <= 10_000));
        let added_up = compact_all(&parts.iter().collect::<Vec<_>>()).unwrap().encode();
        assert!(added_up == small, "{width} {inlined}");
        same("two large ones", || compact_all(&[&profile, &profile]).unwrap().encode());
    }
}

#[test]
fn a_fold_gives_the_same_bytes() {
    let [base, upload] = ["rclone-full.pprof", "rclone.pgo"].map(recorded);
    let limits = Limits::default();
    for threads in [1, 2] {
        let read = |bytes: &&[u8]| Profile::parse(bytes, &limits).unwrap();
        same("a fold", || {
            read_ahead(threads, &[&upload[..], &upload], read, |uploads| {
                let mut sum = Accumulator::new(Profile::parse(&base, &limits).unwrap());
                uploads.for_each(|upload| sum.add(&upload).unwrap());
                sum.finish().encode()
            })
        });
        same("a compact one", || {
            read_ahead(threads, &[&upload[..], &base], read, |all| {
                let all: Vec<Profile> = all.collect();
                compact_all(&all.iter().collect::<Vec<_>>()).unwrap().encode()
            })
        });
    }
}

#[test]
fn what_is_wrong_has_the_same_words() {
    let raw = gzip::inflate(&recorded("rclone-full.pprof"), Limits::default().raw_bytes).unwrap();
    // In some copies both threads find something wrong.
    let refused = recorded::broken(&raw, 60)
        .iter()
        .filter(|broken| same("a broken one", || decode(broken).map(|profile| profile.encode())).is_err())
        .count();
    assert!((10..60).contains(&refused), "{refused}");
    // Cut short anywhere.
    for part in 1..20 {
        let cut = &raw[..raw.len() * part / 20];
        assert!(same("a cut one", || decode(cut).map(|profile| profile.encode())).is_err());
    }
}

#[test]
fn locations_that_are_not_counted_are_found_by_all_parts() {
    let raw = gzip::inflate(&recorded("rclone-full.pprof"), Limits::default().raw_bytes).unwrap();
    let found = recorded::locations(&raw);
    let [first, second, last] = [0, 1, found.len() - 1].map(|at| found[at].clone());
    assert_eq!(first.end, second.start);
    let swapped = [&raw[..first.start], &raw[second.clone()], &raw[first], &raw[second.end..]].concat();
    let read = same("a swapped one", || decode(&swapped).map(|profile| profile.encode())).unwrap();
    assert_eq!(read, swapped);
    // The samples name it, and so all parts must have heard that it is not there.
    let without = [&raw[..last.start], &raw[last.end..]].concat();
    let words =
        same("one without a location", || decode(&without).map(|profile| profile.encode())).unwrap_err();
    assert!(words.contains("which is not in the profile"), "{words}");
}

#[test]
fn limits_on_all_samples_hold_for_the_parts_together() {
    let raw = gzip::inflate(&recorded("rclone-full.pprof"), Limits::default().raw_bytes).unwrap();
    // Between what is too few and what is enough for the bytes that there are.
    let decode = |frames| {
        let limits = Limits { frames, ..Limits::default() };
        Profile::decode(&raw, &limits).map(|profile| profile.encode()).map_err(|error| error.to_string())
    };
    let (mut few, mut enough) = (0, raw.len());
    while enough - few > 1 {
        let middle = few.midpoint(enough);
        if decode(middle).is_ok() { enough = middle } else { few = middle }
    }
    for frames in [few - 1, few, enough, enough + 1] {
        assert_eq!(same("limits", || decode(frames)).is_ok(), frames >= enough);
    }
}
