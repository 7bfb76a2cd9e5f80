//! Whether a valid profile is one that PGO can use: the questions an upload has to answer before it may
//! be merged with others. One wrong profile in a base spoils every build after it.

use crate::edges::Calls;
use crate::error::{Error, Fault};
use crate::outline::Outline;
use crate::profile::{Profile, ValueType};

/// What Go's runtime writes, in this order.
pub(crate) const CPU: [(&str, &str); 2] = [("samples", "count"), ("cpu", "nanoseconds")];
const WANTED: &str = "samples/count, cpu/nanoseconds";

/// Checks an upload: its sample types are exactly `samples/count, cpu/nanoseconds`, no value is negative,
/// no sum passes 64 bits, and when it has values the compiler can use it. A profile without samples, or
/// of zeroes only, is fine: an idle service sends these.
///
/// # Errors
/// `Unusable`, saying what was found and what is needed.
pub fn upload(profile: &Profile) -> Result<(), Error> {
    if !profile.sample_types().map(|it| (it.kind, it.unit)).eq(CPU) {
        return Err(wrong_types(profile, WANTED));
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
    Calls::check(profile)
}

/// The part of [`upload`] that can be told from outside: the sample types. What cannot be told passes.
///
/// # Errors
/// As [`upload`].
pub fn outline(outline: &Outline) -> Result<(), Error> {
    let Some(types) = outline.sample_types() else { return Ok(()) };
    let found = || types.iter().map(|(kind, unit)| (kind.as_str(), unit.as_str()));
    if found().eq(CPU) {
        return Ok(());
    }
    let text: Vec<String> = found().map(|(kind, unit)| ValueType { kind, unit }.to_string()).collect();
    let text = if text.is_empty() { "none".to_owned() } else { text.join(", ") };
    let kinds: Vec<&str> = found().map(|(kind, _)| kind).collect();
    Err(Fault::WrongTypes { found: text, guess: guess(&kinds), wanted: WANTED }.into())
}

pub(crate) fn negative(profile: &Profile, sample: usize, at: usize) -> Error {
    let sample_type = profile.value_type(profile.header.sample_types[at]).to_string();
    Fault::Negative { sample, value: profile.samples.values(sample)[at], sample_type }.into()
}

pub(crate) fn wrong_types(profile: &Profile, wanted: &'static str) -> Error {
    let kinds: Vec<&str> = profile.sample_types().map(|it| it.kind).collect();
    Fault::WrongTypes { found: profile.types_text(), guess: guess(&kinds), wanted }.into()
}

/// Which of Go's other profiles has such sample types (runtime/pprof).
fn guess(kinds: &[&str]) -> &'static str {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::cpu;
    use crate::profile::Kind;
    use crate::{ErrorKind, Limits};

    fn refusal(profile: &Profile) -> String {
        let error = upload(profile).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unusable);
        error.to_string()
    }

    fn of_types(types: &[(&str, &str)]) -> Profile {
        let mut profile = Profile::empty_cpu();
        let mut text = |text: &str| profile.strings.intern(text.as_bytes());
        let types = types.iter().map(|(kind, unit)| Kind { kind: text(kind), unit: text(unit) }).collect();
        profile.header.sample_types = types;
        profile
    }

    #[test]
    fn cpu_profiles_and_idle_services_are_taken() {
        upload(&cpu(&["3: leaf;main"])).unwrap();
        upload(&cpu(&["3: main"])).unwrap();
        upload(&cpu(&["0: leaf;main"])).unwrap();
        upload(&Profile::empty_cpu()).unwrap();
    }

    #[test]
    fn other_sample_types_are_refused_by_name() {
        let wanted = "; PGO needs a CPU profile with samples/count, cpu/nanoseconds: take it from /debug/pprof/profile";
        for (types, expected) in [
            (&[][..], "sample types are none"),
            (&[("samples", "count")], "sample types are samples/count"),
            (
                &[("cpu", "nanoseconds"), ("samples", "count")],
                "sample types are cpu/nanoseconds, samples/count",
            ),
            (
                &[("contentions", "count"), ("delay", "nanoseconds")],
                "sample types are contentions/count, delay/nanoseconds (a mutex or block profile)",
            ),
            (&[("goroutine", "count")], "sample types are goroutine/count (a goroutine profile)"),
            (&[("threadcreate", "count")], "sample types are threadcreate/count (a threadcreate profile)"),
            (
                &[("inuse_objects", "count"), ("inuse_space", "bytes")],
                "sample types are inuse_objects/count, inuse_space/bytes (a heap profile)",
            ),
        ] {
            let profile = of_types(types);
            assert_eq!(refusal(&profile), format!("{expected}{wanted}"));
            let seen = Outline::read(&profile.encode()[..], &Limits::default()).unwrap();
            assert_eq!(outline(&seen).unwrap_err().to_string(), format!("{expected}{wanted}"));
        }
    }

    #[test]
    fn negative_values_are_refused_wherever_they_are() {
        let mut profile = cpu(&["3: leaf;main", "2: main"]);
        profile.samples.values_mut(1)[1] = -20;
        assert_eq!(
            refusal(&profile),
            "sample 1 has the negative value -20 for cpu/nanoseconds; PGO needs a plain CPU profile, not a \
             difference of two"
        );
    }

    #[test]
    fn sums_past_64_bits_are_refused() {
        let mut profile = cpu(&["1: leaf;main", "1: main"]);
        profile.samples.values_mut(0)[1] = i64::MAX;
        let expected =
            "the values of cpu/nanoseconds add up to more than 9223372036854775807: no CPU profile does";
        assert_eq!(refusal(&profile), expected);
        profile.samples.values_mut(1)[1] = 0;
        upload(&profile).unwrap();
    }

    #[test]
    fn start_lines_are_needed_where_the_compiler_looks() {
        let mut profile = cpu(&["1: leaf;caller;main"]);
        let expected = "no sample has a function with a start_line, which PGO needs: the profiled program must be built with Go 1.20 or later";
        // Only the leaf and its caller count.
        profile.functions[0].start_line = 0;
        upload(&profile).unwrap();
        profile.functions[1].start_line = 0;
        assert_eq!(refusal(&profile), expected);
        assert_eq!(refusal(&cpu(&["1: "])), expected);
    }
}
