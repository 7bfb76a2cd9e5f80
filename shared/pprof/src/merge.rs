//! Merges profiles as google/pprof's `Merge` does (profile/merge.go), any number in one pass: this file
//! is the order of events. What is equal in two profiles becomes one entry, values add up, numbering
//! follows first use, and what no sample uses vanishes.

mod headers;
mod remap;
mod samples;

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
    let mut merged = headers::combine(profiles)?;
    let mut remap = Remap::default();
    let mut adder = Adder::default();
    for &source in profiles {
        let mut memo = remap.source(source, &mut merged);
        for sample in (0..source.samples.len()).filter(|&sample| !source.samples.is_zero(sample)) {
            adder.add(sample, source, &mut remap, &mut memo, &mut merged);
        }
    }
    if (0..merged.samples.len()).any(|sample| merged.samples.is_zero(sample)) {
        // Values cancelled out. Once more, so that those samples and what only they used vanish.
        return merge(&[&merged]);
    }
    Ok(merged)
}
