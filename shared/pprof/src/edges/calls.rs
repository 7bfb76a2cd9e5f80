//! Counts call edges as the compiler does, with all values of the samples at once.
//!
//! The rules are those of internal/profile/graph.go (`NewGraph`) and cmd/internal/pgo/pprof.go. A node is
//! a function's name, start line and line at an address. Of a stack only the leaf's location and its
//! caller's count, with their inlined lines; from each node to the next goes an edge, once a sample, and
//! none from a node to itself. Edges are then added up by caller, callee and the line's offset.
//!
//! Go makes nodes of everything. Here each location is looked at once ([`places`](super::places)): its
//! own edges get the sum of its samples, and a pair of locations adds one edge from the one to the other.
//! Nodes matter only where both are at one address, since they can then be equal: for these,
//! [`twins`](super::twins).

use std::cmp::Reverse;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::ops::{Range, RangeInclusive};

use foldhash::fast::RandomState;

use super::places::Places;
use super::twins::Twins;
use crate::cores::{both, is_one_free};
use crate::error::{Error, Fault};
use crate::index::{Index, Numbers};
use crate::profile::{Profile, index, pick};
use crate::strings::{Str, Strings};

/// How many samples are worth being counted in two parts; of more, for a while all is there twice.
const PARTED: RangeInclusive<usize> = 1 << 12..=1 << 20;

/// How many samples, or calls, are looked at before any is added.
const BLOCK: usize = 64;
/// From how many sums on these are far away, in memory: then all of a block are looked at first, for waiting for many takes
/// about as long as for one.
const FAR: usize = 1 << 15;

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
        let valued: Vec<u32> = (0..sums.keys.len())
            .filter(|&at| sums.at(at).iter().any(|&value| value != 0))
            .map(index)
            .collect();
        let call = |at: u32| sums.call(sums.keys[at as usize]);
        let names = strings.sorted(valued.iter().flat_map(|&at| [call(at).caller, call(at).callee]));
        let ranks = strings.ranks(&names);
        let rank = |name: Str| ranks[name.at()];
        let entry = |at: u32| {
            let Call { caller, callee, offset } = call(at);
            let weight = Reverse(sums.at(at as usize)[sums.weight]);
            Entry { weight, names: [rank(caller), rank(callee)], offset, at }
        };
        let mut entries: Vec<Entry> = valued.into_iter().map(entry).collect();
        entries.sort_unstable();
        let order = entries.into_iter().map(|entry| entry.at).collect();
        Some(Self { strings, sums, names, order, total })
    }

    /// The table of the names.
    pub(crate) fn strings(&self) -> &'a Strings {
        self.strings
    }

    /// The names of all functions in the calls, in byte order.
    pub(crate) fn names(&self) -> &[Str] {
        &self.names
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

    /// The calls in the compiler's order, and the values of one after another.
    pub(crate) fn into_parts(self) -> (Vec<Call>, Vec<i64>) {
        let Self { mut sums, order, .. } = self;
        let calls: Vec<Call> = order.iter().map(|&at| sums.call(sums.keys[at as usize])).collect();
        pick(&mut sums.values, order, sums.width);
        (calls, sums.values)
    }

    pub(crate) fn total(&self) -> i64 {
        self.total
    }
}

/// A call with all that it is sorted by.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    weight: Reverse<i64>,
    /// The ranks of caller and callee.
    names: [u32; 2],
    offset: i64,
    at: u32,
}

/// The sums of one profile, and whether a sample with weight had a start line, if any had weight.
struct Counted {
    sums: Sums,
    start_line: Option<bool>,
}

impl Counted {
    fn of(profile: &Profile, take: Take) -> Result<Self, Error> {
        if profile.samples.len() == 0 {
            return Ok(Self { sums: Sums::new(1, 0), start_line: None });
        }
        let weight = weight_index(profile)?;
        check_weights(profile, weight)?;
        let columns = match take {
            Take::Weight => weight..weight + 1,
            Take::All => 0..profile.samples.width,
        };
        let samples = profile.samples.len();
        // Both halves look at the locations: of those there should be fewer.
        let worth = PARTED.contains(&samples) && profile.locations.len() <= samples && is_one_free();
        let places = Places::of(profile, columns.len());
        let count = |samples, places| count(profile, samples, places, weight, &columns);
        if !worth {
            return Ok(count(0..samples, places));
        }
        let (middle, again) = (samples / 2, places.clone());
        let (mut first, second) = both(true, || count(0..middle, places), || count(middle..samples, again));
        first.sums.add_named(&second.sums, |name| name);
        first.start_line = first.start_line.max(second.start_line);
        Ok(first)
    }

    fn usable(self) -> Result<Sums, Error> {
        if self.start_line == Some(false) { Err(Fault::NoStartLine.into()) } else { Ok(self.sums) }
    }
}

fn count(
    profile: &Profile,
    samples: Range<usize>,
    mut places: Places<'_>,
    weight: usize,
    columns: &Range<usize>,
) -> Counted {
    let mut sums = Sums::new(columns.len(), weight - columns.start);
    let mut twins = Twins::of(profile, columns.len());
    let mut start_line = None;
    let mut links = Vec::with_capacity(BLOCK);
    for start in samples.clone().step_by(BLOCK) {
        for sample in start..samples.end.min(start + BLOCK) {
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
                    let [to, from] = [leaf, caller].map(|at| places.at(at, &mut sums));
                    if from.address == to.address {
                        twins.add(caller, leaf, values);
                    } else {
                        let site = places.site(caller, &mut sums);
                        links.push((sums_key(site, to.name), values));
                        places.add(from, values);
                        places.add(to, values);
                    }
                }
                [leaf] => {
                    let leaf = places.at(leaf, &mut sums);
                    places.add(leaf, values);
                }
                _ => {}
            }
        }
        sums.add_block(&links);
        links.clear();
    }
    places.finish(&mut sums);
    twins.finish(&mut sums);
    Counted { sums, start_line }
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
/// a pair's. An edge's may not, as a stack can make one call many times over: for that there is
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
fn overflow(profile: &Profile) -> Error {
    let weight = weight_index(profile).unwrap_or_default();
    let sample_type = profile.value_type(profile.header.sample_types[weight]).to_string();
    Fault::Overflow { sample_type }.into()
}

/// Sums of values by call.
pub(super) struct Sums {
    width: usize,
    /// Which of the values is the weight.
    weight: usize,
    /// All weights that were ever added, exactly.
    total: i128,
    /// Callers with the offset of a call in them.
    sites: Numbers<(Str, i64)>,
    index: Index,
    hasher: RandomState,
    keys: Vec<u64>,
    values: Vec<i64>,
}

impl Sums {
    fn new(width: usize, weight: usize) -> Self {
        Self {
            width,
            weight,
            total: 0,
            sites: Numbers::new(),
            index: Index::default(),
            hasher: RandomState::default(),
            keys: Vec::new(),
            values: Vec::new(),
        }
    }

    /// The number of a place in a function that calls are made from.
    pub(super) fn site(&mut self, caller: Str, offset: i64) -> u32 {
        index(self.sites.of((caller, offset)))
    }

    #[inline(always)]
    pub(super) fn add(&mut self, key: u64, values: &[i64]) {
        self.total += i128::from(values[self.weight]);
        let new = index(self.keys.len());
        let Self { index, keys, hasher, .. } = self;
        let at = index.find_or_add(hasher.hash_one(key), new, |at| keys[at as usize] == key);
        if at == new {
            keys.push(key);
            self.values.extend(values);
        } else {
            let at = at as usize * self.width;
            add_each(&mut self.values[at..at + self.width], values);
        }
    }

    /// Adds values to each of these calls, however many.
    pub(super) fn add_many<'v>(&mut self, calls: impl Iterator<Item = (u64, &'v [i64])>) {
        let mut block = Vec::with_capacity(BLOCK);
        for call in calls {
            block.push(call);
            if block.len() == BLOCK {
                self.add_block(&block);
                block.clear();
            }
        }
        self.add_block(&block);
    }

    /// Adds values to each of a few calls.
    fn add_block(&mut self, calls: &[(u64, &[i64])]) {
        if self.keys.len() >= FAR {
            let seen = calls.iter().fold(0, |seen, &(key, _)| seen ^ self.look(key));
            black_box(seen);
        }
        for &(key, values) in calls {
            self.add(key, values);
        }
    }

    /// Looks where the sums of a call are.
    #[inline(always)]
    fn look(&self, key: u64) -> u64 {
        let at = self.index.guess(self.hasher.hash_one(key));
        at.map_or(0, |at| self.keys[at as usize] ^ self.values[at as usize * self.width].cast_unsigned())
    }

    /// Adds the sums of other calls, whose names are in `from`; here they are in `into`.
    fn add_all(&mut self, other: &Self, from: &Strings, into: &mut Strings) {
        const UNKNOWN: u32 = u32::MAX;
        let mut known = vec![UNKNOWN; from.len()];
        self.add_named(other, |name| {
            let place = &mut known[name.at()];
            if *place == UNKNOWN {
                *place = index(into.intern(from.bytes(name)).at());
            }
            Str::new(*place)
        });
    }

    /// Adds the sums of other calls, which have their `name`s here.
    fn add_named(&mut self, other: &Self, mut name: impl FnMut(Str) -> Str) {
        let sites: Vec<u32> =
            other.sites.things().iter().map(|&(caller, offset)| self.site(name(caller), offset)).collect();
        for (&key, values) in other.keys.iter().zip(other.values.chunks_exact(other.width)) {
            let place = self.place(sums_key(sites[(key >> 32) as usize], name(Str::new(key as u32))));
            let at = place as usize * self.width;
            add_each(&mut self.values[at..at + self.width], values);
        }
        self.total += other.total;
    }

    /// All weights together. No edge's sum is negative: where all of them fit, none has wrapped.
    fn total(&self) -> Option<i64> {
        i64::try_from(self.total).ok()
    }

    /// No more calls come: what finds them goes, so that sorting them takes its place in memory.
    fn close(&mut self) {
        self.index = Index::default();
        self.sites.close();
    }

    /// Where the sums of a call are, which is a new one if it is not known yet.
    pub(super) fn place(&mut self, key: u64) -> u32 {
        let new = index(self.keys.len());
        let Self { index, keys, hasher, .. } = self;
        let at = index.find_or_add(hasher.hash_one(key), new, |at| keys[at as usize] == key);
        if at == new {
            keys.push(key);
            self.values.resize(self.keys.len() * self.width, 0);
        }
        at
    }

    /// Adds to the sums at a place.
    pub(super) fn add_at(&mut self, place: u32, values: &[i64]) {
        self.total += i128::from(values[self.weight]);
        let at = place as usize * self.width;
        add_each(&mut self.values[at..at + self.width], values);
    }

    fn at(&self, at: usize) -> &[i64] {
        &self.values[at * self.width..(at + 1) * self.width]
    }

    fn call(&self, key: u64) -> Call {
        let (caller, offset) = self.sites.things()[(key >> 32) as usize];
        Call { caller, callee: Str::new(key as u32), offset }
    }
}

/// What [`Sums`] knows a call by.
#[inline(always)]
pub(super) fn sums_key(site: u32, callee: Str) -> u64 {
    u64::from(site) << 32 | callee.at() as u64
}

/// Values add up as wrapping numbers, as Go's do.
#[inline(always)]
pub(super) fn add_each(sums: &mut [i64], values: &[i64]) {
    sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum = sum.wrapping_add(value));
}
