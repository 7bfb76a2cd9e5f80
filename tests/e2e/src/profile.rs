//! Profiles made to measure: a CPU profile as Go's runtime writes one, with the functions that a story asks for.

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

/// How many times each call into a function whose name starts with `prefix` was seen in `profile`.
///
/// # Panics
/// When it is no profile.
pub fn seen(profile: &[u8], prefix: &str) -> std::collections::BTreeMap<String, i64> {
    let profile = Profile::parse(profile, &Limits::default()).expect("a profile");
    let edges = Edges::of(&profile).expect("edges");
    let mut seen = std::collections::BTreeMap::new();
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
