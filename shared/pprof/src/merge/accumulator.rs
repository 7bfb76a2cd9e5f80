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
    /// The base's samples, in order; none when the base was not tidy: then all are new.
    base: Samples,
    remap: Remap,
    adder: Adder,
    seen: Seen,
}

impl Accumulator {
    /// Starts with a base, which is put in order if it is not.
    #[must_use]
    pub fn new(base: Profile) -> Self {
        Self::of_tidy(base).unwrap_or_else(|base| {
            let merged = headers::start(&base);
            let mut sum = Self {
                base: Samples::new(merged.samples.width),
                merged,
                remap: Remap::default(),
                adder: Adder::default(),
                seen: Seen::default(),
            };
            sum.take(&base);
            sum
        })
    }

    /// Gives back a base of which a merge would leave out something.
    #[expect(clippy::result_large_err, reason = "it is no error, and stays within this file")]
    fn of_tidy(mut base: Profile) -> Result<Self, Profile> {
        drop_unused_mappings(&mut base);
        let seen: Seen = base.header.comments.iter().copied().collect();
        let uses = uses(&base);
        if seen.len() < base.header.comments.len() || !is_tidy(&base, &uses) {
            return Err(base);
        }
        let order = Order::of(&[&base.samples], &base.strings);
        if !order.holds(&base.samples) {
            number_by_use(&mut base, &uses);
            let sorted = order.sorted(&base.samples, uses.len());
            arrange(&mut base.samples, sorted);
        }
        let mut remap = Remap::default();
        if !remap.know(&base) {
            return Err(base);
        }
        let none = Samples::new(base.samples.width);
        let samples = std::mem::replace(&mut base.samples, none);
        Ok(Self { merged: base, base: samples, remap, adder: Adder::default(), seen })
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
        let Self { mut merged, base, .. } = self;
        if base.len() == 0 {
            return in_order(merged);
        }
        let fresh = std::mem::replace(&mut merged.samples, Samples::new(base.width));
        let order = Order::of(&[&base, &fresh], &merged.strings);
        let places = order.sorted(&fresh, merged.locations.len());
        merged.samples = order.insert(&fresh, &places, base);
        if merged.samples.any_zero() { in_order(merged) } else { merged }
    }
}

/// Puts what was merged in order. Samples whose values cancelled out vanish, and with them what only they
/// used.
fn in_order(merged: Profile) -> Profile {
    let merged = if merged.samples.any_zero() { merge(&[&merged]).unwrap_or(merged) } else { merged };
    match Accumulator::of_tidy(merged) {
        Ok(sum) => Profile { samples: sum.base, ..sum.merged },
        Err(merged) => merged,
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

/// Go's runtime lists every mapping of the process, most without a sample.
fn drop_unused_mappings(profile: &mut Profile) {
    let Profile { mappings, locations, .. } = profile;
    let mut used = vec![false; mappings.len()];
    locations.iter().filter_map(|location| location.mapping).for_each(|at| used[at as usize] = true);
    // The first mapping stands for the main binary: it stays, used or not.
    used.first_mut().into_iter().for_each(|first| *first = true);
    if used.iter().all(|&used| used) {
        return;
    }
    let mut places = Vec::with_capacity(used.len());
    let mut kept = 0;
    for &used in &used {
        places.push(kept);
        kept += u32::from(used);
    }
    let mut keep = used.iter();
    mappings.retain(|_| keep.next().is_some_and(|&used| used));
    for (id, mapping) in (1..).zip(mappings) {
        mapping.id = id;
    }
    for mapping in locations.iter_mut().filter_map(|location| location.mapping.as_mut()) {
        *mapping = places[*mapping as usize];
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

/// Whether a merge would leave out nothing of it, whose mappings are all used: all other entries are, too,
/// samples have values, and numbers have no gaps.
fn is_tidy(profile: &Profile, uses: &[u32]) -> bool {
    let Profile { mappings, functions, locations, samples, .. } = profile;
    let mut used_functions = vec![false; functions.len()];
    for location in locations {
        profile.lines_of(location).iter().for_each(|line| used_functions[line.function as usize] = true);
    }
    let all_used = uses.iter().all(|&uses| uses > 0) && used_functions.iter().all(|&used| used);
    let dense = |id: u64, count: usize| id <= count as u64;
    all_used
        && !samples.any_zero()
        && locations.iter().all(|location| dense(location.id, locations.len()))
        && functions.iter().all(|function| dense(function.id, functions.len()))
        && mappings.iter().all(|mapping| dense(mapping.id, mappings.len()))
}

/// Numbers the locations anew: those that most frames name come first, so that their ids take one byte on
/// the wire; among ids of one length they are sorted by address, which gzip makes far less of.
fn number_by_use(profile: &mut Profile, uses: &[u32]) {
    let locations = &mut profile.locations;
    // The most used are the smallest, and of those alike the first.
    let mut rest: Vec<u64> =
        (0..).zip(uses).map(|(at, &uses): (u64, _)| u64::from(!uses) << 32 | at).collect();
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
    profile.samples.frames.iter_mut().for_each(|frame| *frame = places[*frame as usize]);
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
