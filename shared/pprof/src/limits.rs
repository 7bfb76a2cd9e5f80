//! Ceilings for hostile input: what a profile may cost before it is refused. A value that callers pass,
//! no globals. Together they keep a decoded profile within a few times its raw size.

use crate::error::{Error, Fault};

/// How large a profile may be. Counts are of what the protobuf holds, before anything is merged.
///
/// ```
/// use autopgo_pprof::Limits;
///
/// let small = Limits { samples: 1000, ..Limits::default() };
/// assert_eq!(small.locations, 1_000_000);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the inflated protobuf. At most 4 GiB are ever read.
    pub raw_bytes: u64,
    /// Samples.
    pub samples: usize,
    /// Locations.
    pub locations: usize,
    /// Functions.
    pub functions: usize,
    /// Mappings.
    pub mappings: usize,
    /// Entries of the string table.
    pub strings: usize,
    /// Labels of one sample.
    pub labels_per_sample: usize,
    /// Comments.
    pub comments: usize,
    /// Sample types, which is also the number of values of each sample.
    pub sample_types: usize,
    /// Locations named by all samples together: a stack of 30 frames counts 30.
    pub frames: usize,
    /// Labels of all samples together.
    pub labels: usize,
    /// Lines of all locations together: a location with two inlined calls counts 3.
    pub lines: usize,
    /// Lines of one location. Bounds what a pair of frames can cost when the compiler's edges are counted.
    pub lines_per_location: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            raw_bytes: 256 << 20,
            samples: 2_000_000,
            locations: 1_000_000,
            functions: 1_000_000,
            mappings: 100_000,
            strings: 1_000_000,
            labels_per_sample: 64,
            comments: 1_000_000,
            sample_types: 16,
            frames: 64_000_000,
            labels: 8_000_000,
            lines: 4_000_000,
            lines_per_location: 256,
        }
    }
}

/// Refuses `found` of something when it is more than `limit`.
pub(crate) fn at_most(what: &'static str, found: usize, limit: usize) -> Result<(), Error> {
    if found > limit {
        return Err(Fault::TooMany { what, found: found as u64, limit: limit as u64 }.into());
    }
    Ok(())
}

/// Refuses a raw size above the limit, and above what 32-bit positions reach.
pub(crate) fn raw_bytes(found: usize, limits: &Limits) -> Result<(), Error> {
    let limit = limits.raw_bytes.min(u64::from(u32::MAX));
    if found as u64 > limit {
        return Err(Fault::TooLarge { limit }.into());
    }
    Ok(())
}
