//! Every ceiling at its edge and one past it, and shapes that would be slow if any work went with the
//! product of two sizes instead of their sum.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use autopgo_pprof::{
    Accumulator, Edges, ErrorKind, Limits, Profile, compact, gzip, has_samples, merge, prune,
};

/// Tags of `profile.proto`: the field number and wire type of each.
fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn message(field: u64, parts: &[Vec<u8>]) -> Vec<u8> {
    let content = parts.concat();
    [varint(field << 3 | 2), varint(content.len() as u64), content].concat()
}

fn text(text: &str) -> Vec<u8> {
    message(6, &[text.as_bytes().to_vec()])
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A table of each kind with as many entries as asked for, all of them in order.
#[derive(Clone, Copy)]
struct Shape {
    sample_types: u64,
    samples: u64,
    frames: u64,
    labels: u64,
    mappings: u64,
    locations: u64,
    lines: u64,
    functions: u64,
    strings: u64,
    comments: u64,
}

const SMALL: Shape = Shape {
    sample_types: 2,
    samples: 3,
    frames: 2,
    labels: 2,
    mappings: 2,
    locations: 3,
    lines: 2,
    functions: 2,
    strings: 9,
    comments: 2,
};

impl Shape {
    fn raw(self) -> Vec<u8> {
        let mut raw = Vec::new();
        let mut each =
            |count: u64, entry: &dyn Fn(u64) -> Vec<u8>| (0..count).for_each(|at| raw.extend(entry(at)));
        let names = self.strings - 5;
        each(self.sample_types, &|at| message(1, &[number(1, at * 2 % 4 + 1), number(2, at * 2 % 4 + 2)]));
        each(self.samples, &|sample| {
            let frames = (0..self.frames).map(|frame| number(1, (sample + frame) % self.locations + 1));
            let values = (0..self.sample_types).map(|_| number(2, 1));
            let labels = (0..self.labels).map(|at| message(3, &[number(1, 5 + at % names), number(2, 5)]));
            message(2, &frames.chain(values).chain(labels).collect::<Vec<_>>())
        });
        each(self.mappings, &|at| {
            message(3, &[number(1, at + 1), number(2, at << 20), number(3, (at + 1) << 20)])
        });
        each(self.locations, &|at| {
            let head = [number(1, at + 1), number(3, at + 1)];
            let line =
                |line: u64| message(4, &[number(1, (at + line) % self.functions + 1), number(2, line + 2)]);
            message(4, &head.into_iter().chain((0..self.lines).map(line)).collect::<Vec<_>>())
        });
        each(self.functions, &|at| {
            message(5, &[number(1, at + 1), number(2, 5 + at % names), number(5, at + 1)])
        });
        ["", "samples", "count", "cpu", "nanoseconds"].iter().for_each(|name| raw.extend(text(name)));
        (0..names).for_each(|at| raw.extend(text(&format!("main.f{at}"))));
        raw.extend((0..self.comments).flat_map(|_| number(13, 5)));
        raw
    }
}

/// Reads at the limit, and refuses one past it with this text; the profile made elsewhere `fits` alike.
fn check(raw: &[u8], limit: impl Fn(usize) -> Limits, count: usize, expected: &str) {
    let profile = Profile::decode(raw, &limit(count)).unwrap_or_else(|error| panic!("{expected}: {error}"));
    profile.fits(&limit(count)).unwrap_or_else(|error| panic!("{expected}: {error}"));
    let past = Profile::decode(raw, &limit(count - 1)).unwrap_err();
    assert_eq!((past.kind(), past.to_string().as_str()), (ErrorKind::Limit, expected));
    let fits = profile.fits(&limit(count - 1)).unwrap_err();
    assert_eq!(fits.kind(), ErrorKind::Limit);
}

#[test]
fn every_limit_holds_at_its_edge() {
    let raw = SMALL.raw();
    let raw = &raw[..];
    let base = Limits::default;
    check(raw, |n| Limits { sample_types: n, ..base() }, 2, "the profile has 2 sample types; the limit is 1");
    check(raw, |n| Limits { samples: n, ..base() }, 3, "the profile has 3 samples; the limit is 2");
    check(raw, |n| Limits { frames: n, ..base() }, 6, "the profile has 6 stack frames; the limit is 5");
    check(raw, |n| Limits { labels: n, ..base() }, 6, "the profile has 6 labels; the limit is 5");
    check(
        raw,
        |n| Limits { labels_per_sample: n, ..base() },
        2,
        "the profile has 2 labels on one sample; the limit is 1",
    );
    check(raw, |n| Limits { mappings: n, ..base() }, 2, "the profile has 2 mappings; the limit is 1");
    check(raw, |n| Limits { locations: n, ..base() }, 3, "the profile has 3 locations; the limit is 2");
    check(raw, |n| Limits { lines: n, ..base() }, 6, "the profile has 6 lines; the limit is 5");
    check(
        raw,
        |n| Limits { lines_per_location: n, ..base() },
        2,
        "the profile has 2 lines on one location; the limit is 1",
    );
    check(raw, |n| Limits { functions: n, ..base() }, 2, "the profile has 2 functions; the limit is 1");
    check(raw, |n| Limits { comments: n, ..base() }, 2, "the profile has 2 comments; the limit is 1");
    let strings = Shape { labels: 4, ..SMALL }.raw();
    check(&strings, |n| Limits { strings: n, ..base() }, 9, "the profile has 9 strings; the limit is 8");
}

#[test]
fn the_raw_limit_holds_with_and_without_gzip() {
    let raw = Profile::decode(&SMALL.raw(), &Limits::default()).unwrap().encode();
    let limit = |n: usize| Limits { raw_bytes: n as u64, ..Limits::default() };
    let expected =
        format!("the profile is larger than {} bytes when inflated, which is the limit", raw.len() - 1);
    check(&raw, limit, raw.len(), &expected);
    let zipped = gzip::deflate(&raw);
    Profile::parse(&zipped, &limit(raw.len())).unwrap();
    let past = Profile::parse(&zipped, &limit(raw.len() - 1)).unwrap_err();
    assert_eq!((past.kind(), past.to_string()), (ErrorKind::Limit, expected));
}

#[test]
fn the_scan_stops_at_the_raw_limit() {
    // No samples, so that it has to go to the end.
    let raw = Shape { samples: 0, ..SMALL }.raw();
    for bytes in [raw.clone(), gzip::deflate(&raw)] {
        let limit = |n: usize| Limits { raw_bytes: n as u64, ..Limits::default() };
        assert!(!has_samples(&bytes, &limit(raw.len())).unwrap());
        assert_eq!(has_samples(&bytes, &limit(raw.len() - 1)).unwrap_err().kind(), ErrorKind::Limit);
    }
}

/// Runs all that the crate does with a profile, and what it takes must not be a matter of minutes.
fn all_of_it(name: &str, raw: &[u8]) {
    let start = Instant::now();
    let lenient =
        Limits { lines_per_location: usize::MAX, labels_per_sample: usize::MAX, ..Limits::default() };
    let profile = Profile::decode(raw, &lenient).unwrap_or_else(|error| panic!("{name}: {error}"));
    let merged = merge(&[&profile, &profile]).unwrap();
    assert!(!merged.encode().is_empty());
    let mut sum = Accumulator::new(profile.clone());
    sum.add(&profile).unwrap();
    assert_eq!(sum.finish().sample_count(), merged.sample_count(), "{name}");
    let mut pruned = merged.clone();
    prune::prune(&mut pruned, prune::Names::Simplified, &|name| name.ends_with('0'), None);
    let edges = Edges::of(&merged).unwrap();
    assert_eq!(Edges::of(&compact(&merged).unwrap()).unwrap().identity(), edges.identity());
    let took = start.elapsed();
    assert!(took < Duration::from_secs(30), "{name} took {took:?}");
}

#[test]
fn one_location_in_every_sample_is_not_slow() {
    // If each sample walked over the lines of its frames: 10 billion steps.
    let shape = Shape { samples: 100_000, locations: 2, lines: 50_000, functions: 50_000, ..SMALL };
    all_of_it("a location of many lines", &shape.raw());
}

#[test]
fn many_pairs_of_long_locations_are_not_slow() {
    // 90,000 different pairs of callers and leaves: 90,000 times 512 lines if each pair were walked over.
    let locations = 300;
    let mut shape = Shape { samples: 0, locations, lines: 256, functions: 1000, ..SMALL };
    shape.strings = 1005;
    let mut raw = shape.raw();
    for caller in 1..=locations {
        for leaf in 1..=locations {
            raw.extend(message(2, &[number(1, leaf), number(1, caller), number(2, 1), number(2, 1)]));
        }
    }
    all_of_it("pairs", &raw);
}

#[test]
fn many_pairs_at_one_address_are_not_slow() {
    // All nodes of one location are those of every other: each pair has 255 edges in common.
    let locations = 300;
    let mut raw = Shape { samples: 0, locations: 0, functions: 1000, strings: 1005, ..SMALL }.raw();
    let lines: Vec<u8> =
        (0..256).flat_map(|line| message(4, &[number(1, line + 1), number(2, line + 2)])).collect();
    for at in 1..=locations {
        raw.extend(message(4, &[number(1, at), number(5, at % 2), lines.clone()]));
    }
    for caller in 1..=locations {
        for leaf in 1..=locations {
            raw.extend(message(2, &[number(1, leaf), number(1, caller), number(2, 1), number(2, 1)]));
        }
    }
    all_of_it("twins", &raw);
}

#[test]
fn locations_that_differ_only_in_a_column_are_not_slow() {
    let locations = 300_000;
    let mut raw = Shape { samples: 0, locations: 0, ..SMALL }.raw();
    let mut frames = Vec::new();
    for at in 1..=locations {
        let line = message(4, &[number(1, 1), number(2, 7), number(3, at)]);
        raw.extend(message(4, &[number(1, at), number(3, 64), line]));
        frames.extend(number(1, at));
    }
    raw.extend(message(2, &[frames, number(2, 1), number(2, 1)]));
    all_of_it("columns", &raw);
}

#[test]
fn many_samples_that_differ_only_in_labels_are_not_slow() {
    let mut raw = Shape { samples: 0, strings: 200, ..SMALL }.raw();
    for sample in 0..200_000 {
        let label = |at: u64| message(3, &[number(1, 5 + at), number(3, 1 + sample % (1000 * (at + 1)))]);
        let parts = [number(1, 1), number(2, 1), number(2, 1), label(0), label(1), label(2), label(3)];
        raw.extend(message(2, &parts));
    }
    all_of_it("labelled samples", &raw);
}

#[test]
fn long_names_that_differ_at_their_end_are_not_slow() {
    // If edges or labels were sorted by comparing such names each time: 2 MB for each of a million comparisons.
    let shape =
        Shape { samples: 60_000, labels: 2, locations: 60_000, functions: 2, lines: 2, strings: 5, ..SMALL };
    let mut raw = Shape { strings: 7, ..shape }.raw();
    let end = raw.len();
    raw.truncate(end - text("main.f0").len() - text("main.f1").len() - 2 * number(13, 5).len());
    let long = "x".repeat(2_000_000);
    raw.extend([text(&format!("{long}1")), text(&format!("{long}2"))].concat());
    all_of_it("long names", &raw);
}

#[test]
fn many_labels_and_comments_are_not_slow() {
    let shape = Shape { samples: 50, labels: 20_000, strings: 20_005, comments: 500_000, ..SMALL };
    all_of_it("labels", &shape.raw());
}

#[test]
fn interleaved_tables_are_not_slow() {
    // Each table is spread over the whole profile, so that every one is looked for everywhere.
    let parts = Shape { samples: 0, locations: 1, functions: 1, ..SMALL }.raw();
    let mut raw = parts;
    for at in 0..100_000_u64 {
        let sparse = (at + 2) << 40;
        raw.extend(message(5, &[number(1, sparse), number(2, 5), number(5, 1)]));
        raw.extend(message(4, &[number(1, sparse), message(4, &[number(1, sparse)])]));
        raw.extend(message(2, &[number(1, sparse), number(2, 1), number(2, 1)]));
    }
    all_of_it("interleaved", &raw);
}
