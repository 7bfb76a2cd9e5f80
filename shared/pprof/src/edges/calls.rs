//! The calls of a profile and how the compiler sorts them; [`counted`](super::counted) has how they are counted.

use super::counted::Counted;
use super::ordered::Ordered;
use super::sums::{Keys, Sums};
use super::weights::overflow;
use crate::cores::sort;
use crate::error::{Error, Fault};
use crate::profile::{Profile, index};
use crate::strings::{Str, Strings};

/// What the compiler tells edges apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) caller: Str,
    pub(crate) callee: Str,
    /// The line of the call less the start line of the caller.
    pub(crate) offset: i64,
}

/// Which values are added up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    /// The weight alone.
    Weight,
    All,
}

/// The edges of a profile with the sums of their samples' values.
pub(crate) struct Calls<'a> {
    /// What names them.
    strings: &'a Strings,
    sums: Sums,
    /// Every name in the calls once, in byte order.
    names: Vec<Str>,
    /// As the compiler sorts them; those without weight are last, those of zeroes only left out.
    order: Vec<u32>,
    total: i64,
}

impl<'a> Calls<'a> {
    pub(crate) fn of(profile: &'a Profile, take: Take) -> Result<Self, Error> {
        let sums = Counted::of(profile, take)?.usable()?;
        Self::ordered(&profile.strings, sums).ok_or_else(|| overflow(profile))
    }

    /// Whether there are calls that can be had, without putting them in order.
    pub(crate) fn check(profile: &Profile) -> Result<(), Error> {
        let sums = Counted::of(profile, Take::Weight)?.usable()?;
        sums.total().map(drop).ok_or_else(|| overflow(profile))
    }

    /// All values of all these profiles, which can be merged and have no mappings, named in `strings`. An error may be one
    /// that they do not have together.
    pub(crate) fn of_all(profiles: &[&Profile], strings: &'a mut Strings) -> Result<Self, Error> {
        let mut all: Option<Sums> = None;
        let mut start_line = None;
        for &profile in profiles.iter().filter(|profile| profile.samples.len() > 0) {
            let counted = Counted::of(profile, Take::All)?;
            let sums = all.get_or_insert_with(|| Sums::new(counted.sums.width, counted.sums.weight));
            sums.add_all(&counted.sums, &profile.strings, strings);
            start_line = start_line.max(counted.start_line);
        }
        if start_line == Some(false) {
            return Err(Fault::NoStartLine.into());
        }
        Self::ordered(strings, all.unwrap_or_else(|| Sums::new(1, 0))).ok_or_else(|| Fault::Nothing.into())
    }

    /// `None` if all weights together do not fit.
    fn ordered(strings: &'a Strings, mut sums: Sums) -> Option<Self> {
        sums.close();
        let total = sums.total()?;
        let mut entries = Vec::with_capacity(sums.keys.len());
        entries.extend((0..sums.keys.len()).filter_map(|at| Entry::of(&sums, at)));
        let names = strings.sorted(entries.iter().flat_map(Entry::names));
        let ranks = strings.ranks(&names);
        for entry in &mut entries {
            let [caller, callee] = entry.names().map(|name| ranks[name.at()]);
            entry.key = key(entry.key >> 64, caller, callee);
        }
        sort(&mut entries, Ord::cmp);
        let order = entries.into_iter().map(|entry| entry.at).collect();
        Some(Self { strings, sums, names, order, total })
    }

    /// Every call with the values that were asked for, in the compiler's order. The last ones may have no
    /// weight.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (Call, &[i64])> {
        let sums = &self.sums;
        self.order.iter().map(|&at| (sums.call(sums.keys[at as usize]), sums.at(at as usize)))
    }

    /// The calls that the compiler sees, with their weights.
    pub(crate) fn weighted(&self) -> impl Iterator<Item = (Call, i64)> {
        let weighted = self.iter().map(|(call, values)| (call, values[self.sums.weight]));
        weighted.take_while(|&(_, weight)| weight > 0)
    }

    /// The calls, and their values, which are to be put in the compiler's order.
    pub(crate) fn into_parts(self) -> (NamedCalls<'a>, Ordered) {
        let Self { strings, sums, names, order, .. } = self;
        let (keys, values) = sums.into_parts(order);
        (NamedCalls { strings, names, keys }, values)
    }

    pub(crate) fn total(&self) -> i64 {
        self.total
    }
}

/// Calls without their values, and the functions in them.
pub(crate) struct NamedCalls<'a> {
    /// The table of the names.
    pub(crate) strings: &'a Strings,
    /// The names of all functions in the calls, in byte order.
    pub(crate) names: Vec<Str>,
    keys: Keys,
}

impl NamedCalls<'_> {
    /// The call that an order has by this number.
    pub(crate) fn call(&self, at: u32) -> Call {
        self.keys.at(at)
    }
}

/// A call with all that it is sorted by.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// The weight, the heaviest first, and caller and callee: compared at once, when these are ranks.
    key: u128,
    offset: i64,
    at: u32,
}

impl Entry {
    /// Of one that has any values. Caller and callee are names.
    fn of(sums: &Sums, at: usize) -> Option<Self> {
        let values = sums.at(at);
        values.iter().any(|&value| value != 0).then(|| {
            let Call { caller, callee, offset } = sums.call(sums.keys[at]);
            let weight = u128::from(!values[sums.weight].cast_unsigned());
            let [caller, callee] = [caller, callee].map(|name| index(name.at()));
            Self { key: key(weight, caller, callee), offset, at: index(at) }
        })
    }

    /// Caller and callee; what is in their place once the key has ranks is no name.
    fn names(&self) -> [Str; 2] {
        [self.key >> 32, self.key].map(|name| Str::new(name as u32))
    }
}

fn key(weight: u128, caller: u32, callee: u32) -> u128 {
    weight << 64 | u128::from(caller) << 32 | u128::from(callee)
}
