//! A base profile that takes in uploads, one after another, and is written in an order of its own.
//!
//! Google/pprof has one order, that of first appearance, and every merge starts over. Here a base keeps
//! its tables and their numbers, and its samples lie in the order of [`order`](super::order): what an
//! upload brings is looked up in the tables, added up, and put where it belongs. The base's own samples
//! are not even looked at, but for whether they are in order.

use std::fmt;

use super::headers::{self, Seen};
use super::order::{Order, arrange};
use super::remap::Remap;
use super::samples::Adder;
use super::{compatible, merge};
use crate::error::Error;
use crate::profile::{Location, Profile, Samples};

/// Adds uploads to a base. What comes of it has the content of [`merge`](crate::merge()), but not its
/// order: samples are sorted by their stacks from the root on, and the locations that most samples name
/// have the smallest numbers. That makes it smaller, faster to write, and faster to add to the next time.
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
    /// The base's samples.
    base: Samples,
    /// How many frames of the base name each of its locations.
    uses: Vec<u32>,
    remap: Remap,
    adder: Adder,
    seen: Seen,
}

impl Accumulator {
    /// Starts with a base.
    #[must_use]
    pub fn new(base: Profile) -> Self {
        let mut remap = Remap::default();
        let seen: Seen = base.header.comments.iter().copied().collect();
        let uses = uses(&base);
        if seen.len() == base.header.comments.len() && is_tidy(&base, &uses) && remap.know(&base) {
            let none = Samples::new(base.samples.width);
            let (samples, merged) = (base.samples, Profile { samples: none, ..base });
            return Self { merged, base: samples, uses, remap, adder: Adder::default(), seen };
        }
        let merged = headers::start(&base);
        let mut sum = Self {
            base: Samples::new(merged.samples.width),
            uses: Vec::new(),
            merged,
            remap: Remap::default(),
            adder: Adder::default(),
            seen: Seen::default(),
        };
        sum.take(&base);
        sum
    }

    /// Adds an upload.
    ///
    /// # Errors
    /// `Incompatible` when it differs from the base in its sample types or period type; `Limit` when they are
    /// together more than a profile can hold at all. The sum then is as it was.
    pub fn add(&mut self, upload: &Profile) -> Result<(), Error> {
        compatible(&self.merged, upload)?;
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
        let Self { mut merged, base, mut uses, .. } = self;
        let fresh = std::mem::replace(&mut merged.samples, Samples::new(base.width));
        let order = Order::of(&[&base, &fresh], &merged.strings);
        let locations = merged.locations.len();
        merged.samples = if base.len() > 0 && order.holds(&base) {
            order.insert(&fresh, &order.sorted(&fresh, locations), base)
        } else {
            uses.resize(locations, 0);
            fresh.frames.iter().for_each(|&frame| uses[frame as usize] += 1);
            let mut all = base;
            all.append(&fresh);
            drop(fresh);
            renumber(&mut merged.locations, &uses, &mut all.frames);
            let sorted = order.sorted(&all, locations);
            arrange(&mut all, sorted);
            all
        };
        if merged.samples.any_zero() {
            // Values cancelled out. Such samples vanish, and with them what only they used.
            return match merge(&[&merged]) {
                Ok(rest) => Self::new(rest).finish(),
                Err(_) => merged,
            };
        }
        merged
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

/// How many frames name each location.
fn uses(profile: &Profile) -> Vec<u32> {
    let Profile { locations, samples, .. } = profile;
    let mut uses = vec![0; locations.len()];
    for stack in &samples.stacks {
        samples.frames[stack.range()].iter().for_each(|&frame| uses[frame as usize] += 1);
    }
    uses
}

/// Whether a merge would leave out nothing of it: all entries are used, samples have values, and numbers
/// have no gaps.
fn is_tidy(profile: &Profile, uses: &[u32]) -> bool {
    let Profile { mappings, functions, locations, samples, .. } = profile;
    let (mut used_functions, mut used_mappings) = (vec![false; functions.len()], vec![false; mappings.len()]);
    for location in locations {
        profile.lines_of(location).iter().for_each(|line| used_functions[line.function as usize] = true);
        location.mapping.into_iter().for_each(|mapping| used_mappings[mapping as usize] = true);
    }
    // The first mapping stands for the main binary: it stays, used or not.
    used_mappings.first_mut().into_iter().for_each(|first| *first = true);
    let all_used = uses.iter().all(|&uses| uses > 0)
        && [used_functions, used_mappings].iter().flatten().all(|&used| used);
    let dense = |id: u64, count: usize| id <= count as u64;
    all_used
        && !samples.any_zero()
        && locations.iter().all(|location| dense(location.id, locations.len()))
        && functions.iter().all(|function| dense(function.id, functions.len()))
        && mappings.iter().all(|mapping| dense(mapping.id, mappings.len()))
}

/// Numbers the locations anew: those that most frames name come first, so that their ids take one byte on
/// the wire; among ids of one length they are sorted by address, which gzip makes far less of.
fn renumber(locations: &mut Vec<Location>, uses: &[u32], frames: &mut [u32]) {
    // The most used are the smallest, and of those alike the first.
    let mut rest: Vec<u64> = (0..).zip(uses).map(|(at, &uses): (u64, _)| u64::from(!uses) << 32 | at).collect();
    let mut order: Vec<(u64, u32)> = Vec::with_capacity(rest.len());
    let mut bits = 7;
    while !rest.is_empty() {
        let count = rest.len().min((1 << bits) - (1 << (bits - 7)));
        if count < rest.len() {
            rest.select_nth_unstable(count);
        }
        let start = order.len();
        order.extend(rest.drain(..count).map(|at| (locations[at as u32 as usize].address, at as u32)));
        order[start..].sort_unstable();
        bits += 7;
    }
    let mut places = vec![0; order.len()];
    let mut numbered = Vec::with_capacity(order.len());
    for (place, (_, old)) in (0..).zip(order) {
        places[old as usize] = place;
        numbered.push(Location { id: u64::from(place) + 1, ..locations[old as usize].clone() });
    }
    *locations = numbered;
    frames.iter_mut().for_each(|frame| *frame = places[*frame as usize]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{cpu, stacks};

    fn sum(base: &[&str], uploads: &[&[&str]]) -> Profile {
        let mut sum = Accumulator::new(cpu(base));
        uploads.iter().for_each(|upload| sum.add(&cpu(upload)).unwrap());
        sum.finish()
    }

    #[test]
    fn samples_lie_by_their_stacks_from_the_root() {
        let base = sum(&["1: b;x;main", "2: y;main", "4: a;x;main", "8: main"], &[]);
        assert_eq!(stacks(&base), ["8: main", "1: b;x;main", "4: a;x;main", "2: y;main"]);
    }
}
