//! Profiles made to measure: a CPU profile as Go's runtime writes one, with the functions that a story asks for.

use std::collections::BTreeMap;

use autopgo_pprof::{Edges, Limits, Profile};

/// A CPU profile, uncompressed, with one sample for each of `calls`: caller, callee and how many times it was seen.
///
/// Fields and their numbers are those of google/pprof's `proto/profile.proto`.
pub fn cpu(calls: &[(&str, &str, u64)]) -> Vec<u8> {
    let mut strings: Vec<String> = ["", "samples", "count", "cpu", "nanoseconds"].map(str::to_owned).to_vec();
    let mut profile = Vec::new();
    message(&mut profile, 1, &[(1, 1), (2, 2)]);
    message(&mut profile, 1, &[(1, 3), (2, 4)]);
    for (number, (caller, callee, seen)) in (1u64..).zip(calls) {
        let (outer, inner) = (2 * number - 1, 2 * number);
        for (id, name) in [(outer, caller), (inner, callee)] {
            strings.push((*name).to_owned());
            let name = strings.len() as u64 - 1;
            message(&mut profile, 5, &[(1, id), (2, name), (3, name), (5, 10)]);
            let mut line = Vec::new();
            number_field(&mut line, 1, id);
            number_field(&mut line, 2, 12);
            let mut location = Vec::new();
            number_field(&mut location, 1, id);
            number_field(&mut location, 3, 0x1000 + id);
            bytes_field(&mut location, 4, &line);
            bytes_field(&mut profile, 4, &location);
        }
        message(&mut profile, 2, &[(1, inner), (1, outer), (2, *seen), (2, seen.wrapping_mul(10_000_000))]);
    }
    for text in &strings {
        bytes_field(&mut profile, 6, text.as_bytes());
    }
    message(&mut profile, 11, &[(1, 3), (2, 4)]);
    number_field(&mut profile, 12, 10_000_000);
    profile
}

/// A profile of `calls` calls whose names hardly pack (120 random letters each), and how often each call is in it.
pub fn large(calls: usize) -> (Vec<u8>, BTreeMap<String, i64>) {
    let mut random = fastrand::Rng::with_seed(4);
    let names: Vec<String> = (0..calls)
        .map(|number| {
            format!("upload.F{number}{}", (0..120).map(|_| random.alphanumeric()).collect::<String>())
        })
        .collect();
    let calls: Vec<(&str, &str, u64)> = names.iter().map(|name| ("main.main", name.as_str(), 1)).collect();
    (cpu(&calls), names.iter().map(|name| (name.clone(), 1)).collect())
}

/// A profile of some 200 MB, 60 MB in gzip, as a very large program would have after years: 400,000 functions with the
/// names of generic code, and a million stacks, most of them like the one before but for their innermost frames.
pub fn huge() -> Vec<u8> {
    const FUNCTIONS: u64 = 400_000;
    const LOCATIONS: u64 = 600_000;
    const SAMPLES: u64 = 1_000_000;
    const DEPTH: usize = 36;
    const FILES: u64 = 1_000;
    let mut random = fastrand::Rng::with_seed(60);
    let mut profile = Vec::with_capacity(230 << 20);
    message(&mut profile, 1, &[(1, 1), (2, 2)]);
    message(&mut profile, 1, &[(1, 3), (2, 4)]);
    let mut stack: Vec<u64> = (0..DEPTH).map(|_| random.u64(1..=LOCATIONS)).collect();
    let (mut ids, mut sample) = (Vec::new(), Vec::new());
    for number in 0..SAMPLES {
        // The innermost come first.
        let changed = if number % 50 == 0 { DEPTH } else { 10 };
        stack[..changed].fill_with(|| random.u64(1..=LOCATIONS));
        ids.clear();
        sample.clear();
        stack.iter().for_each(|id| varint(&mut ids, *id));
        bytes_field(&mut sample, 1, &ids);
        ids.clear();
        let seen = random.u64(1..4);
        varint(&mut ids, seen);
        varint(&mut ids, seen * 10_000_000);
        bytes_field(&mut sample, 2, &ids);
        bytes_field(&mut profile, 2, &sample);
    }
    let (mut line, mut location) = (Vec::new(), Vec::new());
    for id in 1..=LOCATIONS {
        line.clear();
        location.clear();
        number_field(&mut line, 1, id % FUNCTIONS + 1);
        number_field(&mut line, 2, id % 997 + 1);
        number_field(&mut location, 1, id);
        number_field(&mut location, 3, 0x40_0000 + 16 * id);
        bytes_field(&mut location, 4, &line);
        bytes_field(&mut profile, 4, &location);
    }
    let named = 5 + FILES;
    for id in 1..=FUNCTIONS {
        message(
            &mut profile,
            5,
            &[(1, id), (2, named + id - 1), (3, named + id - 1), (4, 5 + id % FILES), (5, id % 997 + 1)],
        );
    }
    for text in ["", "samples", "count", "cpu", "nanoseconds"] {
        bytes_field(&mut profile, 6, text.as_bytes());
    }
    for file in 0..FILES {
        bytes_field(
            &mut profile,
            6,
            format!("/src/github.com/example/service/internal/part{file}/code.go").as_bytes(),
        );
    }
    for function in 0..FUNCTIONS {
        let mut word = |letters: usize| (0..letters).map(|_| random.alphanumeric()).collect::<String>();
        let name = format!(
            "github.com/example/service/internal/part{}.(*{}[go.shape.struct {{ github.com/example/service/internal/part{}.{} }}]).{}.func{}",
            function % FILES,
            word(14),
            function % 7,
            word(16),
            word(14),
            function % 5
        );
        bytes_field(&mut profile, 6, name.as_bytes());
    }
    message(&mut profile, 11, &[(1, 3), (2, 4)]);
    number_field(&mut profile, 12, 10_000_000);
    profile
}

/// How many times each call into a function whose name starts with `prefix` was seen in `profile`.
///
/// # Panics
/// When it is no profile.
pub fn seen(profile: &[u8], prefix: &str) -> BTreeMap<String, i64> {
    let profile = Profile::parse(profile, &Limits::default()).expect("a profile");
    let edges = Edges::of(&profile).expect("edges");
    let mut seen = BTreeMap::new();
    for edge in edges.iter() {
        let name = edge.callee.into_owned();
        if name.starts_with(prefix) {
            *seen.entry(name).or_default() += edge.weight;
        }
    }
    seen
}

fn message(to: &mut Vec<u8>, field: u64, numbers: &[(u64, u64)]) {
    let mut inner = Vec::new();
    for (field, value) in numbers {
        number_field(&mut inner, *field, *value);
    }
    bytes_field(to, field, &inner);
}

fn number_field(to: &mut Vec<u8>, field: u64, value: u64) {
    varint(to, field << 3);
    varint(to, value);
}

fn bytes_field(to: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint(to, field << 3 | 2);
    varint(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

fn varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}
