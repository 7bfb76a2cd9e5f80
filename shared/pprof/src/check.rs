//! Whether a valid profile is one that PGO can use: the questions an upload has to answer before it may
//! be merged with others. One wrong profile in a base spoils every build after it.

use crate::edges::Edges;
use crate::error::{Error, Fault};
use crate::profile::Profile;

/// What Go's runtime writes, in this order.
const CPU: [(&str, &str); 2] = [("samples", "count"), ("cpu", "nanoseconds")];

/// Checks an upload: its sample types are exactly `samples/count, cpu/nanoseconds`, no value is negative,
/// no sum passes 64 bits, and when it has values the compiler can use it. A profile without samples, or
/// of zeroes only, is fine: an idle service sends these.
///
/// # Errors
/// `Unusable`, saying what was found and what is needed.
pub fn upload(profile: &Profile) -> Result<(), Error> {
    if !profile.sample_types().map(|it| (it.kind, it.unit)).eq(CPU) {
        return Err(wrong_types(profile, "samples/count, cpu/nanoseconds"));
    }
    for sample in 0..profile.samples.len() {
        if let Some(at) = profile.samples.values(sample).iter().position(|&value| value < 0) {
            return Err(negative(profile, sample, at));
        }
    }
    for (kind, total) in profile.sample_types().zip(profile.totals()) {
        if i64::try_from(total).is_err() {
            return Err(Fault::Overflow { sample_type: kind.to_string() }.into());
        }
    }
    Edges::of(profile).map(drop)
}

pub(crate) fn negative(profile: &Profile, sample: usize, at: usize) -> Error {
    let sample_type = profile.value_type(profile.header.sample_types[at]).to_string();
    Fault::Negative { sample, value: profile.samples.values(sample)[at], sample_type }.into()
}

pub(crate) fn wrong_types(profile: &Profile, wanted: &'static str) -> Error {
    let found = profile.types_text();
    Fault::WrongTypes { found, guess: guess(profile), wanted }.into()
}

/// Which of Go's other profiles has such sample types (runtime/pprof).
fn guess(profile: &Profile) -> &'static str {
    let kinds: Vec<&str> = profile.sample_types().map(|it| it.kind).collect();
    match *kinds {
        ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"] => " (a heap or allocs profile)",
        ["inuse_objects", "inuse_space"] | ["alloc_objects", "alloc_space"] | ["objects", "space"] => {
            " (a heap profile)"
        }
        ["contentions", "delay"] => " (a mutex or block profile)",
        ["goroutine" | "goroutines"] => " (a goroutine profile)",
        ["threadcreate"] => " (a threadcreate profile)",
        ["goroutineleak"] => " (a goroutineleak profile)",
        _ => "",
    }
}
