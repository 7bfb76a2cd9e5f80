//! The weights of samples: one of their values.

use std::ops::Range;

use crate::error::{Error, Fault};
use crate::profile::Profile;

/// The column of a profile's values that the compiler takes as weights.
pub(super) struct Weights<'a> {
    profile: &'a Profile,
    column: usize,
}

impl<'a> Weights<'a> {
    /// The first sample type that it takes.
    pub(super) fn of(profile: &'a Profile) -> Result<Self, Error> {
        Ok(Self { profile, column: column(profile)? })
    }

    pub(super) fn column(&self) -> usize {
        self.column
    }

    /// Those of some samples together. None may be negative.
    pub(super) fn sum(&self, samples: Range<usize>) -> Result<i128, Error> {
        let mut sum = 0;
        for sample in samples {
            let weight = self.profile.samples.values(sample)[self.column];
            if weight < 0 {
                return Err(crate::check::negative(self.profile, sample, self.column));
            }
            sum += i128::from(weight);
        }
        Ok(sum)
    }

    /// All together must fit: then so do the sums of a location's samples and of a pair's. An edge's may not, nor those of locations
    /// that are alike, as a stack can make one call many times over: for that there is [`Sums::total`](super::sums::Sums::total).
    pub(super) fn fit(&self, sum: i128) -> Result<(), Error> {
        i64::try_from(sum).map(drop).map_err(|_| overflow(self.profile))
    }
}

fn column(profile: &Profile) -> Result<usize, Error> {
    let usable = |kind: &crate::ValueType<'_>| {
        matches!((kind.kind, kind.unit), ("samples", "count") | ("cpu", "nanoseconds"))
    };
    let wanted = "samples/count or cpu/nanoseconds";
    profile
        .sample_types()
        .position(|kind| usable(&kind))
        .ok_or_else(|| crate::check::wrong_types(profile, wanted))
}

/// Of a profile that has a weight.
pub(super) fn overflow(profile: &Profile) -> Error {
    let weight = column(profile).unwrap_or_default();
    let sample_type = profile.value_type(profile.header.sample_types[weight]).to_string();
    Fault::Overflow { sample_type }.into()
}
