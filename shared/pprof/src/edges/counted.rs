//! Counts call edges as the compiler does, with all values of the samples at once.
//!
//! The rules are those of internal/profile/graph.go (`NewGraph`) and cmd/internal/pgo/pprof.go. A node is
//! a function's name, start line and line at an address. Of a stack only the leaf's location and its
//! caller's count, with their inlined lines; from each node to the next goes an edge, once a sample, and
//! none from a node to itself. Edges are then added up by caller, callee and the line's offset.
//!
//! Go makes nodes of everything. Here each location is looked at once ([`plan`](super::plan)), and then each sample
//! ([`counting`](super::counting)): by one thread, or in either of two ways by two.

use std::iter;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use super::calls::Take;
use super::counting::Counting;
use super::part::Part;
use super::plan::Plan;
use super::sums::Sums;
use super::weights::Weights;
use crate::cores::{Core, at_once};
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
        let weights = Weights::of(profile)?;
        let columns = match take {
            Take::Weight => weights.column()..weights.column() + 1,
            Take::All => 0..profile.samples.width,
        };
        let work = Work { profile, weights, columns };
        match way {
            Way::Alone => work.alone(),
            Way::Parted => work.parted(core),
            Way::Shared => work.shared(core),
        }
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

/// What is to be counted: these columns of the values of all samples of a profile.
struct Work<'a> {
    profile: &'a Profile,
    weights: Weights<'a>,
    columns: Range<usize>,
}

impl<'a> Work<'a> {
    fn alone(&self) -> Result<Counted, Error> {
        self.weights.fit(self.weights.sum(self.all())?)?;
        Ok(self.by_callers(Part::All).alone())
    }

    /// [`Way::Parted`].
    fn parted(&self, core: Option<Core>) -> Result<Counted, Error> {
        let ([early, late], [low, high]) =
            (halves(self.profile.samples.len()), halves(self.profile.locations.len()));
        let look = |samples, locations| {
            Ok::<_, Error>((self.weights.sum(samples)?, self.planned(Part::All, locations)))
        };
        let (first, second) = at_once(core, || look(early, low), || look(late, high));
        let ((weight, (first, low)), (more, (second, high))) = (first?, second?);
        self.weights.fit(weight + more)?;
        // Else each has them by its own keys.
        let are_shared = first.are_plain() && second.are_plain();
        let plans = are_shared.then(|| Arc::new([low, high]));
        let left = Shares::of(self.profile.samples.len());
        let part = |mut sums, plans: Option<Arc<[Plan; 2]>>, next: &dyn Fn() -> _| {
            let plan = match plans {
                Some(halves) => Plan::joined(&halves),
                None => Plan::of(self.profile, 0..self.profile.locations.len(), Part::All, &mut sums),
            };
            self.counting(sums, plan, iter::from_fn(next)).alone()
        };
        // Unless another took it meanwhile.
        let Some(core) = Core::take() else {
            return Ok(part(first, plans, &|| left.first()));
        };
        let of_second = plans.clone();
        let (mut first, second) = at_once(
            Some(core),
            || part(first, plans, &|| left.first()),
            || part(second, of_second, &|| left.last()),
        );
        first.add(&second);
        Ok(first)
    }

    /// [`Way::Shared`].
    fn shared(&self, core: Option<Core>) -> Result<Counted, Error> {
        let [early, late] = halves(self.profile.samples.len());
        // One may count weights that the other refuses: then nothing of it is used.
        let part = |samples, callers| Ok::<_, Error>((self.weights.sum(samples)?, self.by_callers(callers)));
        let (first, second) = at_once(core, || part(early, Part::First), || part(late, Part::Second));
        let ((weight, first), (more, second)) = (first?, second?);
        self.weights.fit(weight + more)?;
        Ok(first.beside(second))
    }

    fn all(&self) -> Range<usize> {
        0..self.profile.samples.len()
    }

    /// All samples for a part of the callers.
    fn by_callers(&self, part: Part) -> Counting<'a> {
        let (sums, plan) = self.planned(part, 0..self.profile.locations.len());
        self.counting(sums, plan, iter::once(self.all()))
    }

    /// A look at some locations.
    fn planned(&self, part: Part, locations: Range<usize>) -> (Sums, Plan) {
        let mut sums = Sums::of_callers(part, self.columns.len(), self.weights.column() - self.columns.start);
        let plan = Plan::of(self.profile, locations, part, &mut sums);
        (sums, plan)
    }

    fn counting(&self, sums: Sums, plan: Plan, samples: impl Iterator<Item = Range<usize>>) -> Counting<'a> {
        Counting::of(self.profile, self.weights.column(), &self.columns, sums, plan, samples)
    }
}

fn halves(count: usize) -> [Range<usize>; 2] {
    [0..count / 2, count / 2..count]
}

#[cfg(test)]
mod tests {
    use super::super::sums::BLOCK;
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
                let weights = Weights::of(&profile).unwrap();
                let columns = if take == Take::All { 0..2 } else { weights.column()..weights.column() + 1 };
                let work = Work { profile: &profile, weights, columns };
                for parts in
                    [[&[0..70, 150..192][..], &[70..140, 140..150]], [&[100..110, 110..192], &[0..1, 1..100]]]
                {
                    let [mut first, second] = parts.map(|parts| {
                        let (sums, plan) = work.planned(Part::All, 0..profile.locations.len());
                        work.counting(sums, plan, parts.iter().cloned()).alone()
                    });
                    first.add(&second);
                    assert_eq!(said(&first), alone, "{stacks:?}");
                }
                calls += alone.len();
            }
        }
        assert!(calls > 2000, "{calls}");
    }

    #[test]
    fn every_way_refuses_the_same() {
        let by_all = |profile: &Profile| {
            [Way::Alone, Way::Parted, Way::Shared].map(|way| {
                on_cores(2, || {
                    Counted::by(way, Core::take(), profile, Take::All).map(|counted| said(&counted))
                })
            })
        };
        let profile = cpu(&["3: leaf;main"; 9]);
        // Samples, and their weights.
        for (wrong, expected) in [
            (&[(2, -1)][..], "sample 2 "),
            (&[(7, -1)], "sample 7 "),
            (&[(2, -1), (7, -1)], "sample 2 "),
            (&[(2, i64::MAX)], "add up"),
            (&[(0, i64::MAX - 23)], "add up"),
            (&[(2, i64::MAX / 2), (7, i64::MAX / 2)], "add up"),
            (&[(2, i64::MAX), (3, i64::MAX), (7, -1)], "sample 7 "),
        ] {
            let mut profile = profile.clone();
            wrong.iter().for_each(|&(at, weight)| profile.samples.values_mut(at)[0] = weight);
            let errors = by_all(&profile).map(|counted| counted.unwrap_err().to_string());
            assert!(errors[0].contains(expected), "{wrong:?}: {errors:?}");
            assert!(errors.iter().all(|error| error == &errors[0]), "{wrong:?}: {errors:?}");
        }
        let mut most = profile;
        most.samples.values_mut(0)[0] = i64::MAX - 24;
        assert!(by_all(&most).iter().all(Result::is_ok));
    }
}
