//! Counts call edges as the compiler does, with all values of the samples at once.
//!
//! The rules are those of internal/profile/graph.go (`NewGraph`) and cmd/internal/pgo/pprof.go. A node is
//! a function's name, start line and line at an address. Of a stack only the leaf's location and its
//! caller's count, with their inlined lines; from each node to the next goes an edge, once a sample, and
//! none from a node to itself. Edges are then added up by caller, callee and the line's offset.
//!
//! Go makes nodes of everything. Here each location is looked at once ([`plan`](super::plan)): its
//! own edges get the sum of its samples, or of those of all that are alike ([`alike`](super::alike)), and a pair of locations adds
//! one edge from the one to the other.
//! Nodes matter only where both are at one address, since they can then be equal: for these,
//! [`twins`](super::twins).

use std::iter;
use std::mem;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use super::calls::Take;
use super::own::Own;
use super::part::Part;
use super::places::{Link, Places};
use super::plan::Plan;
use super::sums::{BLOCK, Sums};
use super::twins::Twins;
use crate::cores::{Core, at_once, both};
use crate::error::{Error, Fault};
use crate::profile::Profile;
use crate::shares::Shares;

/// How many samples are worth being parted. Both threads have rows for all locations, and then all sums of the second are added to
/// the first: of locations and their lines there should be few. More samples mostly make more sums.
const PARTED: RangeInclusive<usize> = 1 << 12..=1 << 20;
/// How many samples and lines, or locations, are worth being counted by two who look at all of them, each for half of the
/// callers.
const SHARED: usize = 1 << 17;

/// How the samples of a profile are counted: the sums are the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Alone,
    /// Each takes some of the samples. Which ones differs from time to time, and so does the order of sums; not what they are.
    Parted,
    /// The calls of half of the callers by another: where there are so many calls that adding them up again would take as
    /// long as counting did.
    Shared,
}

impl Way {
    /// If there is a core.
    fn of(profile: &Profile) -> Self {
        let (samples, places) = (profile.samples.len(), profile.locations.len().max(profile.lines.len()));
        if PARTED.contains(&samples) && places <= 2 * samples {
            Self::Parted
        } else if samples + places >= SHARED {
            Self::Shared
        } else {
            Self::Alone
        }
    }
}

/// The sums of one profile, and whether a sample with weight had a start line, if any had weight.
pub(super) struct Counted {
    pub(super) sums: Sums,
    pub(super) start_line: Option<bool>,
}

impl Counted {
    pub(super) fn of(profile: &Profile, take: Take) -> Result<Self, Error> {
        let way = Way::of(profile);
        // Taken before: without one, both parts would be this thread's, which are more work than doing it alone.
        match (way != Way::Alone).then(Core::take).flatten() {
            Some(core) => Self::by(way, Some(core), profile, take),
            None => Self::by(Way::Alone, None, profile, take),
        }
    }

    fn by(way: Way, core: Option<Core>, profile: &Profile, take: Take) -> Result<Self, Error> {
        if profile.samples.len() == 0 {
            return Ok(Self { sums: Sums::new(1, 0), start_line: None });
        }
        let weight = weight_index(profile)?;
        let check = || check_weights(profile, weight);
        let columns = match take {
            Take::Weight => weight..weight + 1,
            Take::All => 0..profile.samples.width,
        };
        let samples = profile.samples.len();
        let locations = profile.locations.len();
        let planned = |part, some| {
            let mut sums = Sums::of_callers(part, columns.len(), weight - columns.start);
            let plan = Plan::of(profile, some, part, &mut sums);
            (sums, plan)
        };
        let all = |part| {
            let (sums, plan) = planned(part, 0..locations);
            let mut all = Some(0..samples);
            count(profile, plan, sums, weight, &columns, || all.take())
        };
        Ok(match way {
            Way::Alone => {
                check()?;
                all(Part::All).alone()
            }
            Way::Parted => {
                let half = locations / 2;
                let ((checked, first), second) = at_once(
                    core,
                    || (check(), planned(Part::All, 0..half)),
                    || planned(Part::All, half..locations),
                );
                checked?;
                let ([first, second], halves) = ([first.0, second.0], [first.1, second.1]);
                // Else each has them by its own keys.
                let are_shared = first.are_plain() && second.are_plain();
                let halves = are_shared.then(|| Arc::new(halves));
                let part = |mut sums, halves: Option<Arc<[Plan; 2]>>, next: &dyn Fn() -> _| {
                    let plan = match halves {
                        Some(halves) => Plan::joined(&halves),
                        None => Plan::of(profile, 0..locations, Part::All, &mut sums),
                    };
                    count(profile, plan, sums, weight, &columns, next).alone()
                };
                let shares = Shares::of(samples);
                match Core::take() {
                    Some(core) => {
                        let other_halves = halves.clone();
                        let (mut all, second) = at_once(
                            Some(core),
                            || part(first, halves, &|| shares.first()),
                            || part(second, other_halves, &|| shares.last()),
                        );
                        all.add(&second);
                        all
                    }
                    // Another took it meanwhile.
                    None => part(first, halves, &|| shares.first()),
                }
            }
            Way::Shared => {
                check()?;
                let (mut first, mut second) = at_once(core, || all(Part::First), || all(Part::Second));
                let rows = [&mut first, &mut second].map(|half| mem::take(&mut half.rows));
                let of = [&rows[0][..], &rows[1]];
                both(true, || first.finish(of), || second.finish(of));
                drop(rows);
                // One of them has met those of all callers.
                first.twins.finish(&mut second.counted.sums);
                let mut all = first.counted;
                first.twins.finish(&mut all.sums);
                all.sums.append(second.counted.sums);
                all
            }
        })
    }

    /// Adds what was counted of other samples of the same profile.
    fn add(&mut self, other: &Self) {
        self.sums.add_named(&other.sums, |name| name);
        self.start_line = self.start_line.max(other.start_line);
    }

    pub(super) fn usable(self) -> Result<Sums, Error> {
        if self.start_line == Some(false) { Err(Fault::NoStartLine.into()) } else { Ok(self.sums) }
    }
}

/// What was counted but for the edges that locations have of their own, and twins, which may have calls of any caller.
struct Counting<'a> {
    counted: Counted,
    own: Own,
    rows: Vec<i64>,
    twins: Twins<'a>,
}

impl Counting<'_> {
    /// Adds what the rows of all locations have of this part's callers.
    fn finish(&mut self, rows: [&[i64]; 2]) {
        self.own.finish(rows, &mut self.counted.sums);
    }

    fn alone(mut self) -> Counted {
        let rows = mem::take(&mut self.rows);
        self.finish([&rows, &[]]);
        self.twins.finish(&mut self.counted.sums);
        self.counted
    }
}

fn count<'a>(
    profile: &'a Profile,
    plan: Plan,
    mut sums: Sums,
    weight: usize,
    columns: &Range<usize>,
    next: impl FnMut() -> Option<Range<usize>>,
) -> Counting<'a> {
    let part = plan.part;
    let mut places = Places::of(profile, columns.len(), plan);
    let mut twins = Twins::of(profile, columns.len());
    let mut start_line = None;
    let mut links = Vec::with_capacity(BLOCK);
    let blocks = iter::from_fn(next).flat_map(|samples| {
        let end = samples.end;
        samples.step_by(BLOCK).map(move |start| start..end.min(start + BLOCK))
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
                [leaf] => {
                    places.add(places.at(leaf), values);
                }
                _ => {}
            }
        }
        sums.add_block(&links, |caller, key, place| places.hear(caller, key, place));
        links.clear();
    }
    let (own, rows) = places.into_own();
    Counting { counted: Counted { sums, start_line }, own, rows, twins }
}

/// The first sample type that the compiler takes as a weight.
fn weight_index(profile: &Profile) -> Result<usize, Error> {
    let usable = |kind: &crate::ValueType<'_>| {
        matches!((kind.kind, kind.unit), ("samples", "count") | ("cpu", "nanoseconds"))
    };
    let wanted = "samples/count or cpu/nanoseconds";
    profile
        .sample_types()
        .position(|kind| usable(&kind))
        .ok_or_else(|| crate::check::wrong_types(profile, wanted))
}

/// No weight may be negative, and all together must fit: then so do the sums of a location's samples and of
/// a pair's. An edge's may not, nor those of locations that are alike, as a stack can make one call many times over: for that there is
/// [`Sums::total`].
fn check_weights(profile: &Profile, weight: usize) -> Result<(), Error> {
    let mut sum = 0_i64;
    for sample in 0..profile.samples.len() {
        let value = profile.samples.values(sample)[weight];
        if value < 0 {
            return Err(crate::check::negative(profile, sample, weight));
        }
        sum = sum.checked_add(value).ok_or_else(|| overflow(profile))?;
    }
    Ok(())
}

/// Of a profile that has a weight.
pub(super) fn overflow(profile: &Profile) -> Error {
    let weight = weight_index(profile).unwrap_or_default();
    let sample_type = profile.value_type(profile.header.sample_types[weight]).to_string();
    Fault::Overflow { sample_type }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cores::on_cores;
    use crate::example::{Random, cpu};

    /// All calls with their sums, in an order, and what else there is to know.
    fn said(Counted { sums, start_line }: &Counted) -> Vec<String> {
        let call = |(at, &key)| format!("{:?} {:?}", sums.call(key), sums.at(at));
        let mut said: Vec<String> = sums.keys.iter().enumerate().map(call).collect();
        said.sort();
        said.push(format!("{:?} {start_line:?}", sums.total()));
        said
    }

    #[test]
    fn every_way_gives_the_same_sums() {
        let mut random = Random(7);
        let mut below = |most| random.below(most);
        let mut calls = 0;
        for round in 0..60 {
            let mut frame = || {
                let names: Vec<String> = (0..1 + below(4)).map(|_| format!("f{}", below(9))).collect();
                names.join("/")
            };
            let frames: Vec<String> = (0..12).map(|_| frame()).collect();
            let stacks: Vec<String> = (0..3 * BLOCK)
                .map(|_| {
                    let stack: Vec<&str> = (0..below(4)).map(|_| &*frames[below(12) as usize]).collect();
                    format!("{}: {}", below(5), stack.join(";"))
                })
                .collect();
            let mut profile = cpu(&stacks.iter().map(String::as_str).collect::<Vec<_>>());
            // Some are at one address, and some lines only take making up.
            profile.locations.iter_mut().for_each(|location| location.address %= 5);
            for line in &mut profile.lines {
                let kinds = if round % 2 == 0 { 7 } else { 3 };
                line.line = [12, 12, 13, i64::MAX, i64::MIN, 1 << 31, 1 << 40][below(kinds) as usize];
            }
            if round % 3 == 0 {
                profile.functions.iter_mut().for_each(|function| function.start_line = 0);
            }
            for take in [Take::Weight, Take::All] {
                let by = |way, cores| {
                    said(&on_cores(cores, || Counted::by(way, Core::take(), &profile, take)).unwrap())
                };
                let alone = by(Way::Alone, 1);
                for (way, cores) in
                    [Way::Parted, Way::Shared].into_iter().flat_map(|way| [(way, 1), (way, 2)])
                {
                    assert_eq!(by(way, cores), alone, "{stacks:?}");
                }
                // Whoever counts which samples.
                let weight = weight_index(&profile).unwrap();
                let columns = if take == Take::All { 0..2 } else { weight..weight + 1 };
                for parts in
                    [[&[0..70, 150..192][..], &[70..140, 140..150]], [&[100..110, 110..192], &[0..1, 1..100]]]
                {
                    let [mut first, second] = parts.map(|parts| {
                        let mut parts = parts.iter().cloned();
                        let mut sums = Sums::new(columns.len(), weight - columns.start);
                        let plan = Plan::of(&profile, 0..profile.locations.len(), Part::All, &mut sums);
                        count(&profile, plan, sums, weight, &columns, || parts.next()).alone()
                    });
                    first.add(&second);
                    assert_eq!(said(&first), alone, "{stacks:?}");
                }
                calls += alone.len();
            }
        }
        assert!(calls > 2000, "{calls}");
    }
}
