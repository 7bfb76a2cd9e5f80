//! Sums of values by call.

use std::hash::BuildHasher;
use std::hint::black_box;

use foldhash::fast::RandomState;

use super::calls::Call;
use super::key::{Key, Offsets, Site};
use super::ordered::Ordered;
use super::part::Part;
use crate::index::Index;
use crate::profile::index;
use crate::strings::{Str, Strings};

/// How many calls are looked at before any is added.
pub(super) const BLOCK: usize = 64;
/// From how many sums, or places, on these are far away, in memory: then all of a block are looked at first, for waiting for many takes
/// about as long as for one.
pub(super) const FAR: usize = 1 << 15;

/// Sums of values by call.
pub(super) struct Sums {
    pub(super) width: usize,
    /// Which of the values is the weight.
    pub(super) weight: usize,
    /// Whose calls are counted.
    callers: Part,
    /// All weights that were ever added, exactly.
    total: i128,
    offsets: Offsets,
    index: Index,
    hasher: RandomState,
    pub(super) keys: Vec<Key>,
    values: Vec<i64>,
    /// Those of keys behind the ones that have theirs in `values`, once no more are added.
    more: Vec<i64>,
}

impl Sums {
    pub(super) fn new(width: usize, weight: usize) -> Self {
        Self::of_callers(Part::All, width, weight)
    }

    pub(super) fn of_callers(callers: Part, width: usize, weight: usize) -> Self {
        Self {
            width,
            weight,
            callers,
            total: 0,
            offsets: Offsets::new(),
            index: Index::default(),
            hasher: RandomState::default(),
            keys: Vec::new(),
            values: Vec::new(),
            more: Vec::new(),
        }
    }

    /// Whether calls have the same keys here as anywhere.
    pub(super) fn are_plain(&self) -> bool {
        self.offsets.are_plain()
    }

    /// Where in a function calls are made from; `None` if that caller's are not counted.
    #[inline(always)]
    pub(super) fn site(&mut self, caller: Str, offset: i64) -> Option<Site> {
        self.callers.has(caller.at()).then(|| self.offsets.site(caller, offset))
    }

    /// Adds values to a call: those of one sample, or what samples have together, each up to twice. Where its sums are. Those of a
    /// new one are written once, not as zeroes first.
    #[inline(always)]
    fn add(&mut self, key: Key, values: &[i64]) -> u32 {
        // All weights together fit, or nothing of this is used: taken twice they may wrap, but not past 64 bits.
        self.total += i128::from(values[self.weight].cast_unsigned());
        let (place, is_new) = self.find(key);
        if is_new {
            self.values.extend(values);
        } else {
            let at = place as usize * self.width;
            add_each(&mut self.values[at..at + self.width], values);
        }
        place
    }

    /// Where the sums of a call are; and whether it is new, so that they have to be put there.
    #[inline(always)]
    fn find(&mut self, key: Key) -> (u32, bool) {
        let new = index(self.keys.len());
        let Self { index, keys, hasher, .. } = self;
        let place = index.find_or_add(hasher.hash_one(key), new, |at| keys[at as usize] == key);
        if place == new {
            keys.push(key);
        }
        (place, place == new)
    }

    /// Adds values to each of these calls, however many.
    pub(super) fn add_many<'v>(&mut self, calls: impl Iterator<Item = (Key, &'v [i64])>) {
        let mut block = Vec::with_capacity(BLOCK);
        for (key, values) in calls {
            block.push((key, (), values));
            if block.len() == BLOCK {
                self.add_block(&block, |(), _, _| ());
                block.clear();
            }
        }
        self.add_block(&block, |(), _, _| ());
    }

    /// Adds values to each of a few calls, and tells whose call that was and where its sums are.
    pub(super) fn add_block<T: Copy>(
        &mut self,
        calls: &[(Key, T, &[i64])],
        mut tell: impl FnMut(T, Key, u32),
    ) {
        if self.keys.len() >= FAR {
            let seen = calls.iter().fold(0, |seen, &(key, ..)| seen ^ self.look(key));
            black_box(seen);
        }
        for &(key, whose, values) in calls {
            let place = self.add(key, values);
            tell(whose, key, place);
        }
    }

    /// Looks where the sums of a call are.
    #[inline(always)]
    fn look(&self, key: Key) -> u64 {
        let at = self.index.guess(self.hasher.hash_one(key));
        at.map_or(0, |at| {
            u64::from(self.keys[at as usize] == key) ^ self.values[at as usize * self.width].cast_unsigned()
        })
    }

    /// Adds the sums of other calls, whose names are in `from`; here they are in `into`.
    pub(super) fn add_all(&mut self, other: &Self, from: &Strings, into: &mut Strings) {
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

    /// Adds the sums of other calls, whoever's they are; they have their `name`s here.
    pub(super) fn add_named(&mut self, other: &Self, mut name: impl FnMut(Str) -> Str) {
        for (&key, values) in other.keys.iter().zip(other.rows()) {
            let Call { caller, callee, offset } = other.call(key);
            let site = self.offsets.site(name(caller), offset);
            let place = self.place(Key::new(site, name(callee)));
            let at = place as usize * self.width;
            add_each(&mut self.values[at..at + self.width], values);
        }
        self.total += other.total;
    }

    /// Takes over the sums of other callers' calls. Then no more can be added.
    pub(super) fn append(&mut self, mut other: Self) {
        self.close();
        other.close();
        debug_assert!(self.more.is_empty() && other.more.is_empty(), "there are two at the most");
        if other.offsets.are_plain() {
            self.keys.append(&mut other.keys);
        } else {
            let Self { offsets, keys, .. } = self;
            keys.extend(other.keys.iter().map(|&key| {
                let Call { caller, callee, offset } = other.offsets.call(key);
                Key::new(offsets.site(caller, offset), callee)
            }));
        }
        // They stay where they are.
        self.more = other.values;
        self.total += other.total;
    }

    /// All weights together. No edge's sum is negative: where all of them fit, none has wrapped.
    pub(super) fn total(&self) -> Option<i64> {
        i64::try_from(self.total).ok()
    }

    /// No more calls come: what finds them goes, so that sorting them takes its place in memory.
    pub(super) fn close(&mut self) {
        self.index = Index::default();
    }

    /// Where the sums of a call are, which is a new one if it is not known yet.
    pub(super) fn place(&mut self, key: Key) -> u32 {
        let (place, is_new) = self.find(key);
        if is_new {
            self.values.resize(self.keys.len() * self.width, 0);
        }
        place
    }

    /// Adds to the sums at a place.
    pub(super) fn add_at(&mut self, place: u32, values: &[i64]) {
        self.total += i128::from(values[self.weight]);
        let at = place as usize * self.width;
        add_each(&mut self.values[at..at + self.width], values);
    }

    pub(super) fn at(&self, at: usize) -> &[i64] {
        let at = at * self.width;
        match at.checked_sub(self.values.len()) {
            None => &self.values[at..at + self.width],
            Some(behind) => &self.more[behind..behind + self.width],
        }
    }

    /// The values of each call, as `keys` has them.
    fn rows(&self) -> impl Iterator<Item = &[i64]> {
        [&self.values, &self.more].into_iter().flat_map(|values| values.chunks_exact(self.width))
    }

    /// All calls, and the values of those that are to come in this order.
    pub(super) fn into_parts(self, order: Vec<u32>) -> (Keys, Ordered) {
        let Self { width, offsets, keys, values, more, .. } = self;
        (Keys { offsets, keys }, Ordered { width, rows: [values, more], order })
    }

    pub(super) fn call(&self, key: Key) -> Call {
        self.offsets.call(key)
    }
}

/// Calls without their values.
pub(super) struct Keys {
    offsets: Offsets,
    keys: Vec<Key>,
}

impl Keys {
    pub(super) fn at(&self, at: u32) -> Call {
        self.offsets.call(self.keys[at as usize])
    }
}

/// Values add up as wrapping numbers, as Go's do.
#[inline(always)]
pub(super) fn add_each(sums: &mut [i64], values: &[i64]) {
    let add = |sum: &mut i64, value: i64| *sum = sum.wrapping_add(value);
    match (&mut *sums, values) {
        // As a CPU profile has them: no loop.
        ([a, b], &[x, y]) => {
            add(a, x);
            add(b, y);
        }
        _ => sums.iter_mut().zip(values).for_each(|(sum, &value)| add(sum, value)),
    }
}
