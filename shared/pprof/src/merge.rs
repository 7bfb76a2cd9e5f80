//! Merges profiles as google/pprof's `Merge` does (profile/merge.go), any number in one pass: this file
//! is the order of events. What is equal in two profiles becomes one entry, values add up, numbering
//! follows first use, and what no sample uses vanishes.

mod accumulator;
pub(crate) mod headers;
mod number;
mod order;
mod remap;
mod samples;
mod tidy;

pub use self::accumulator::Accumulator;
pub use self::headers::compatible;
use self::remap::Remap;
use self::samples::Adder;
use crate::error::Error;
use crate::profile::Profile;

/// Merges profiles into a new one. `merge(&[p])` is p's normal form.
///
/// Values add up as wrapping 64-bit numbers. Samples whose values are all 0, in a profile or in sum, are
/// left out. The header is the first profile's, with the sum of the durations, the largest period and
/// every comment once.
///
/// ```
/// use autopgo_pprof::{Profile, merge};
///
/// let (mut a, b) = (Profile::empty_cpu(), Profile::empty_cpu());
/// a.set_comments(["from host 7"]);
/// let both = merge(&[&a, &b])?;
/// assert_eq!(both.comments().collect::<Vec<_>>(), ["from host 7"]);
/// # Ok::<(), autopgo_pprof::Error>(())
/// ```
///
/// # Errors
/// `Incompatible` when there is no profile, or one differs from the first in its sample types or period
/// type; `Limit` when they are together more than a profile can hold at all.
pub fn merge(profiles: &[&Profile]) -> Result<Profile, Error> {
    let mut merged = headers::of_all(profiles)?;
    let mut remap = Remap::default();
    let mut adder = Adder::default();
    remap.reserve(profiles, &mut merged);
    adder.reserve(profiles, &mut merged);
    for &source in profiles {
        let mut memo = remap.source(source, &mut merged);
        remap.used(source, &mut memo, &mut merged);
        adder.add(source, &mut memo, &mut merged);
    }
    if merged.samples.any_zero() {
        // Values cancelled out. Once more, so that those samples and what only they used vanish.
        return merge(&[&merged]);
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::example::{cpu, stacks};

    #[test]
    fn equal_stacks_add_up_in_the_order_of_the_first() {
        let (a, b) = (cpu(&["1: x;main", "2: y;main"]), cpu(&["4: x;main", "8: z;main", "16: y;main"]));
        let merged = merge(&[&a, &b]).unwrap();
        // y is at another address in b, and so another location.
        assert_eq!(stacks(&merged), ["5: x;main", "2: y;main", "8: z;main", "16: y;main"]);
    }

    #[test]
    fn what_cancels_out_vanishes_with_all_it_used() {
        let (a, b) = (cpu(&["1: gone;main", "1: x;main"]), cpu(&["-1: gone;main"]));
        let merged = merge(&[&a, &b]).unwrap();
        assert_eq!(stacks(&merged), ["1: x;main"]);
        assert_eq!((merged.location_count(), merged.function_count()), (2, 2));
    }

    #[test]
    fn the_time_is_that_of_gos_rule() {
        for (times, expected) in [(&[5, 0][..], 0), (&[5, 0, 7], 7), (&[0, 5, 3], 3), (&[5, 3, 9], 3)] {
            let with = |&time: &i64| {
                let mut profile = Profile::empty_cpu();
                profile.header.time_nanos = time;
                profile
            };
            let profiles: Vec<Profile> = times.iter().map(with).collect();
            let merged = merge(&profiles.iter().collect::<Vec<_>>()).unwrap();
            assert_eq!(merged.time_nanos(), expected, "{times:?}");
        }
    }

    #[test]
    fn the_period_is_the_largest_that_is_one() {
        for (periods, expected) in
            [(&[3, 9, 4][..], 9), (&[0, 4], 4), (&[-5], -5), (&[-5, -7], -5), (&[-5, 0], 0)]
        {
            let with = |&period: &i64| {
                let mut profile = Profile::empty_cpu();
                profile.header.period = period;
                profile
            };
            let profiles: Vec<Profile> = periods.iter().map(with).collect();
            let merged = merge(&profiles.iter().collect::<Vec<_>>()).unwrap();
            assert_eq!(merged.period(), expected, "{periods:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let first = Profile::empty_cpu();
        let mut types = Profile::empty_cpu();
        types.header.sample_types.swap(0, 1);
        let mut period = Profile::empty_cpu();
        period.header.period_type = crate::profile::Kind::default();
        for (error, expected) in [
            (merge(&[]), "there is no profile to merge"),
            (
                merge(&[&first, &first, &types]),
                "the profiles cannot be merged: their sample types are samples/count, cpu/nanoseconds and \
                 cpu/nanoseconds, samples/count",
            ),
            (
                merge(&[&first, &period]),
                "the profiles cannot be merged: their period types are cpu/nanoseconds and /",
            ),
        ] {
            let error = error.unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Incompatible, expected));
        }
        compatible(&first, &first.clone()).unwrap();
        assert_eq!(compatible(&first, &types).unwrap_err().kind(), ErrorKind::Incompatible);
    }
}
