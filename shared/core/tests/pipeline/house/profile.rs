//! Profiles to upload: real ones from the fixtures, and tiny ones whose functions can be counted.

use autopgo_pprof::{Edges, Limits, Profile};
use bytes::Bytes;

/// A real profile.
pub(crate) fn fixture(name: &str) -> Bytes {
    let path = format!("{}/../../tests/fixtures/profiles/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}")).into()
}

pub(crate) fn parse(bytes: &[u8]) -> Profile {
    Profile::parse(bytes, &Limits::default()).expect("a profile")
}

/// Several real profiles, merged.
pub(crate) fn merged(names: &[&str]) -> Profile {
    let parts: Vec<Profile> = names.iter().map(|name| parse(&fixture(name))).collect();
    autopgo_pprof::merge(&parts.iter().collect::<Vec<_>>()).expect("merged")
}

/// What the compiler sees of a profile.
pub(crate) fn identity(profile: &Profile) -> String {
    Edges::of(profile).expect("edges").identity().to_string()
}

/// A CPU profile in which `main.main` calls each of `functions`, which all weigh 1: it has one function more than these.
pub(crate) fn calls(functions: &[&str]) -> Bytes {
    of_period("cpu", functions)
}

/// The same, sampled by another clock: one that can be uploaded, and does not fit a base of the other kind.
pub(crate) fn wall_calls(functions: &[&str]) -> Bytes {
    of_period("wall", functions)
}

fn of_period(period: &str, functions: &[&str]) -> Bytes {
    let texts = ["", "samples", "count", "cpu", "nanoseconds", period, "main.main"];
    let texts = texts.iter().chain(functions);
    let mut out = Vec::new();
    for [kind, unit] in [[1, 2], [3, 4]] {
        message(&mut out, 1, |out| numbers(out, &[(1, kind), (2, unit)]));
    }
    // The first location is main's.
    for at in 0..=functions.len() as u64 {
        if at > 0 {
            message(&mut out, 2, |out| {
                for values in [(1, [at + 1, 1]), (2, [1, 1])] {
                    message(out, values.0, |out| values.1.iter().for_each(|value| varint(out, *value)));
                }
            });
        }
        message(&mut out, 4, |out| {
            numbers(out, &[(1, at + 1)]);
            message(out, 4, |out| numbers(out, &[(1, at + 1), (2, 10)]));
        });
        message(&mut out, 5, |out| numbers(out, &[(1, at + 1), (2, at + 6), (3, at + 6), (5, 1)]));
    }
    for text in texts {
        message(&mut out, 6, |out| out.extend_from_slice(text.as_bytes()));
    }
    message(&mut out, 11, |out| numbers(out, &[(1, 5), (2, 4)]));
    numbers(&mut out, &[(12, 10_000_000)]);
    autopgo_pprof::gzip::deflate(&out).into()
}

fn numbers(out: &mut Vec<u8>, fields: &[(u64, u64)]) {
    for (number, value) in fields {
        varint(out, number << 3);
        varint(out, *value);
    }
}

fn message(out: &mut Vec<u8>, number: u64, write: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    write(&mut inner);
    varint(out, number << 3 | 2);
    varint(out, inner.len() as u64);
    out.append(&mut inner);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}
