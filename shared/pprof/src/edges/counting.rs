//! Samples that are counted: of each location the own edges get the sum of its samples, or of those of all that are alike
//! ([`alike`](super::alike)), and a pair of locations adds one edge from the one to the other.
//! Nodes matter only where both are at one address, since they can then be equal: for these, [`twins`](super::twins).

use std::ops::Range;

use super::counted::Counted;
use super::part::Part;
use super::places::{Link, Places};
use super::plan::Plan;
use super::sums::{BLOCK, Sums};
use super::twins::Twins;
use crate::cores::both;
use crate::profile::Profile;

/// What was counted of some samples. Edges that locations have of their own are still rows of those, and twins are pairs.
pub(super) struct Counting<'a> {
    sums: Sums,
    places: Places<'a>,
    twins: Twins<'a>,
    /// Whether a sample with weight had a start line, if any had weight.
    start_line: Option<bool>,
}

impl<'a> Counting<'a> {
    /// Counts samples, of which each piece is taken when the one before is done, by a plan of all locations.
    pub(super) fn of(
        profile: &'a Profile,
        weight: usize,
        columns: &Range<usize>,
        mut sums: Sums,
        plan: Plan,
        samples: impl Iterator<Item = Range<usize>>,
    ) -> Self {
        let part = plan.part;
        let mut places = Places::of(profile, columns.len(), plan);
        let mut twins = Twins::of(profile, columns.len());
        let mut start_line = None;
        let mut links = Vec::with_capacity(BLOCK);
        let blocks = samples.flat_map(|piece| {
            let end = piece.end;
            piece.step_by(BLOCK).map(move |start| start..end.min(start + BLOCK))
        });
        for block in blocks {
            places.look(block.clone().flat_map(|sample| profile.samples.stack(sample).iter().take(2)));
            for sample in block {
                let all = profile.samples.values(sample);
                let values = &all[columns.clone()];
                if values.iter().all(|&value| value == 0) {
                    continue;
                }
                let stack = profile.samples.stack(sample);
                let top = &stack[..stack.len().min(2)];
                if all[weight] != 0 && start_line != Some(true) {
                    start_line = Some(top.iter().any(|&at| places.has_start_line(at)));
                }
                match *top {
                    [leaf, caller] => {
                        let [to, from] = [leaf, caller].map(|at| places.at(at));
                        if from.address == to.address {
                            // Once is enough for all.
                            if part != Part::Second {
                                twins.add(caller, leaf, values);
                            }
                        } else {
                            match places.link(from, to.name) {
                                Link::At(place) => sums.add_at(place, values),
                                Link::New(key) => links.push((key, caller, values)),
                                Link::NotCounted => {}
                            }
                            places.add(from, values);
                            places.add(to, values);
                        }
                    }
                    [leaf] => places.add(places.at(leaf), values),
                    _ => {}
                }
            }
            sums.add_block(&links, |caller, key, place| places.hear(caller, key, place));
            links.clear();
        }
        Self { sums, places, twins, start_line }
    }

    /// All that there is.
    pub(super) fn alone(mut self) -> Counted {
        let (own, rows) = self.places.into_own();
        own.finish([&rows, &[]], &mut self.sums);
        self.twins.finish(&mut self.sums);
        Counted { sums: self.sums, start_line: self.start_line }
    }

    /// All that there is, of the first part of all callers, with what was counted for the `second`. Both have looked at all samples;
    /// the first has met the twins of all.
    pub(super) fn beside(mut self, mut second: Self) -> Counted {
        let ((own, rows), (own_of_second, more)) = (self.places.into_own(), second.places.into_own());
        let of = [&rows[..], &more];
        both(true, || own.finish(of, &mut self.sums), || own_of_second.finish(of, &mut second.sums));
        drop((rows, more));
        self.twins.finish(&mut second.sums);
        self.twins.finish(&mut self.sums);
        self.sums.append(second.sums);
        Counted { sums: self.sums, start_line: self.start_line }
    }
}
