//! A base profile that takes in uploads, one after another, and is written in an order of its own.
//!
//! Google/pprof has one order, that of first appearance, and every merge starts over. Here a base keeps
//! its tables and their numbers, and its samples lie in the order of [`order`](super::order): what an
//! upload brings is looked up in the tables, added up, and put where it belongs. The base's own samples
//! are not even looked at, but for whether they are in order.

use std::fmt;

use super::headers::{self, Seen};
use super::number::number_by_use;
use super::order::{Order, arrange};
use super::remap::Remap;
use super::samples::Adder;
use super::tidy::{LARGE, drop_unused_mappings, is_tidy, tidied, uses};
use super::{compatible, merge};
use crate::cores::both;
use crate::error::Error;
use crate::profile::{Profile, Samples};

/// Adds uploads to a base. What comes of it has the content of [`merge`](crate::merge()), but not its
/// order: samples are sorted by their stacks from the root on, and the locations that most samples of the
/// first base name have the smallest numbers. That makes it smaller, faster to write, and faster to add to the next time.
///
/// It holds the base and what is new in the uploads, but no upload.
///
/// ```
/// use autopgo_pprof::{Accumulator, Profile};
///
/// let mut sum = Accumulator::new(Profile::empty_cpu());
/// for upload in [Profile::empty_cpu(), Profile::empty_cpu()] {
///     sum.add(&upload)?;
/// }
/// assert_eq!(sum.finish().sample_count(), 0);
/// # Ok::<(), autopgo_pprof::Error>(())
/// ```
pub struct Accumulator {
    /// The base's header and tables, and all samples that are new.
    merged: Profile,
    /// The base's samples, in order; none when the base was not tidy: then all are new.
    base: Samples,
    remap: Remap,
    adder: Adder,
    seen: Seen,
}

impl Accumulator {
    /// Starts with a base, which is put in order if it is not.
    #[must_use]
    pub fn new(mut base: Profile) -> Self {
        let mut sum = match Self::tidy(&mut base) {
            Some(sum) => return sum,
            None => Self::empty(&base),
        };
        let mut tidied = tidied(base);
        if let Some(sum) = Self::tidy(&mut tidied) {
            return sum;
        }
        sum.take(&tidied);
        sum
    }

    /// Takes up a base of which a merge would leave out nothing; any other keeps its content, and its samples their
    /// order.
    fn tidy(base: &mut Profile) -> Option<Self> {
        drop_unused_mappings(base);
        let mut seen = Seen::default();
        base.header.comments.retain(|&comment| seen.insert(comment));
        let uses = uses(base);
        if !is_tidy(base, &uses) {
            return None;
        }
        let order = Order::of(&[&base.samples], &base.strings);
        let ordered = order.holds(&base.samples);
        if !ordered {
            number_by_use(base, &uses);
        }
        // Of entries that are there twice the one that is used first is kept: so no sample moves before that is known.
        let mut remap = Remap::default();
        if ordered {
            if !remap.know(base) {
                return None;
            }
        } else {
            remap.reserve_for(base);
            let large = base.samples.frames.len() >= LARGE;
            let (sorted, known) =
                both(large, || order.sorted(&base.samples, uses.len()), || remap.know(base));
            if !known {
                return None;
            }
            arrange(&mut base.samples, &sorted);
        }
        let none = Samples::new(base.samples.width);
        let samples = std::mem::replace(&mut base.samples, none);
        let empty = headers::start(base);
        let merged = std::mem::replace(base, empty);
        Some(Self { merged, base: samples, remap, adder: Adder::default(), seen })
    }

    /// With of a first profile what a merge takes from that alone.
    fn empty(first: &Profile) -> Self {
        let merged = headers::start(first);
        Self {
            base: Samples::new(merged.samples.width),
            merged,
            remap: Remap::default(),
            adder: Adder::default(),
            seen: Seen::default(),
        }
    }

    /// Whether an upload is of the base's kind: what [`compatible`](crate::compatible()) says of the two.
    ///
    /// # Errors
    /// `Incompatible`, naming both.
    pub fn takes(&self, upload: &Profile) -> Result<(), Error> {
        compatible(&self.merged, upload)
    }

    /// Adds an upload.
    ///
    /// # Errors
    /// `Incompatible` when it differs from the base in its sample types or period type; `Limit` when they are
    /// together more than a profile can hold at all. The sum then is as it was.
    pub fn add(&mut self, upload: &Profile) -> Result<(), Error> {
        self.takes(upload)?;
        headers::countable(&[&self.merged, upload], &[&self.base])?;
        self.take(upload);
        Ok(())
    }

    fn take(&mut self, source: &Profile) {
        let Self { merged, remap, adder, seen, .. } = self;
        headers::add(source, seen, merged);
        let mut memo = remap.source(source, merged);
        remap.used(source, &mut memo, merged);
        adder.add(source, &mut memo, merged);
    }

    /// The base with all that was added.
    #[must_use]
    pub fn finish(self) -> Profile {
        let Self { mut merged, base, .. } = self;
        if base.len() == 0 {
            return in_order(merged);
        }
        let fresh = std::mem::replace(&mut merged.samples, Samples::new(base.width));
        let order = Order::of(&[&base, &fresh], &merged.strings);
        let places = order.sorted(&fresh, merged.locations.len());
        merged.samples = order.insert(&fresh, &places.order, base);
        if merged.samples.any_zero() { in_order(merged) } else { merged }
    }
}

/// Puts what was merged in order. Samples whose values cancelled out vanish, and with them what only they
/// used.
fn in_order(merged: Profile) -> Profile {
    let mut merged = if merged.samples.any_zero() { merge(&[&merged]).unwrap_or(merged) } else { merged };
    match Accumulator::tidy(&mut merged) {
        Some(sum) => Profile { samples: sum.base, ..sum.merged },
        None => merged,
    }
}

impl fmt::Debug for Accumulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accumulator")
            .field("base_samples", &self.base.len())
            .field("new_samples", &self.merged.samples.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{cpu, stacks};
    use crate::profile::Mapping;

    fn sum(base: &[&str], uploads: &[&[&str]]) -> Profile {
        let mut sum = Accumulator::new(cpu(base));
        uploads.iter().for_each(|upload| sum.add(&cpu(upload)).unwrap());
        sum.finish()
    }

    #[test]
    fn of_entries_that_are_there_twice_the_first_is_kept() {
        // The first sample in the profile, though not in order, is that of the second mapping.
        let mut base = cpu(&["1: b;z", "1: a;y"]);
        for (id, start) in [(1, 0), (2, 0x1000_0000), (3, 0x2000_0000)] {
            let name = base.strings.intern(if id == 1 { b"main" } else { b"lib" });
            let (limit, has) = (start + 0x5000, [false; 4]);
            base.mappings.push(Mapping { id, start, limit, offset: 0, file: name, build_id: name, has });
        }
        for (at, mapping) in [(0, 2), (1, 2), (2, 1), (3, 1)] {
            let start = base.mappings[mapping as usize].start;
            let location = &mut base.locations[at];
            (location.mapping, location.address) = (Some(mapping), start + at as u64);
        }
        let [ours, theirs] = [Accumulator::new(base.clone()).finish(), merge(&[&base]).unwrap()];
        let starts = |profile: &Profile| profile.mappings.iter().map(|it| it.start).collect::<Vec<_>>();
        assert_eq!(starts(&theirs), [0, 0x2000_0000]);
        assert_eq!(starts(&ours), starts(&theirs));
    }

    #[test]
    fn samples_lie_by_their_stacks_from_the_root() {
        let base = sum(&["1: b;x;main", "2: y;main", "4: a;x;main", "8: main"], &[]);
        assert_eq!(stacks(&base), ["8: main", "1: b;x;main", "4: a;x;main", "2: y;main"]);
    }
}
