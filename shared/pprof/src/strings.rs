//! The interned string table. Every text of a profile is kept once, in one byte arena, and named by a
//! number: columns, hash keys and comparisons hold numbers only. Bytes, not `str`: Go's parser takes any
//! bytes, so a round trip must too.

use std::borrow::Cow;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::cores::sort;
use crate::profile::index;

/// A string of one [`Strings`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Str(u32);

impl Str {
    /// The empty string, in every table.
    pub(crate) const EMPTY: Self = Self(0);

    /// The string at this place of a table.
    pub(crate) const fn new(at: u32) -> Self {
        Self(at)
    }

    pub(crate) fn at(self) -> usize {
        self.0 as usize
    }
}

#[derive(Clone)]
pub(crate) struct Strings {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Finds the first so many as it has entries; those appended since, from the next `intern` on.
    known: HashTable<u32>,
    hasher: RandomState,
}

impl Strings {
    /// Text, ends, and the table that finds them.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.len() + self.ends.len() * (size_of::<usize>() + 2 * size_of::<u32>())
    }

    pub(crate) fn new() -> Self {
        Self::with_capacity(1, 0)
    }

    pub(crate) fn with_capacity(strings: usize, bytes: usize) -> Self {
        let mut table = Self {
            bytes: Vec::with_capacity(bytes),
            ends: Vec::with_capacity(strings + 1),
            known: HashTable::with_capacity(strings + 1),
            hasher: RandomState::default(),
        };
        table.intern(b"");
        table
    }

    pub(crate) fn intern(&mut self, text: &[u8]) -> Str {
        if self.known.len() < self.ends.len() {
            self.know_all();
        }
        let Self { bytes, ends, known, hasher } = self;
        let entry = known.entry(
            hasher.hash_one(text),
            |&at| slice(bytes, ends, at) == text,
            |&at| hasher.hash_one(slice(bytes, ends, at)),
        );
        let at = entry.or_insert_with(|| index(ends.len())).get().to_owned();
        if at as usize == self.ends.len() {
            self.append(text);
        }
        Str(at)
    }

    /// Makes those known that were appended.
    #[cold]
    #[inline(never)]
    fn know_all(&mut self) {
        let Self { bytes, ends, known, hasher } = self;
        let hash = |at: u32| hasher.hash_one(slice(bytes, ends, at));
        known.reserve(ends.len() - known.len(), |&at| hash(at));
        for at in index(known.len())..index(ends.len()) {
            known.insert_unique(hash(at), at, |&at| hash(at));
        }
    }

    /// Adds a text that is not there yet, without looking.
    fn append(&mut self, text: &[u8]) -> Str {
        let at = index(self.ends.len());
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
        Str(at)
    }

    pub(crate) fn bytes(&self, string: Str) -> &[u8] {
        slice(&self.bytes, &self.ends, string.0)
    }

    /// The text as Go's regexp and `range` read it: each byte that is no UTF-8 is one U+FFFD.
    pub(crate) fn text(&self, string: Str) -> Cow<'_, str> {
        text(self.bytes(string))
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Each of `strings` once, in byte order.
    pub(crate) fn sorted(&self, strings: impl Iterator<Item = Str>) -> Vec<Str> {
        let mut seen = vec![false; self.len()];
        let mut order: Vec<Str> =
            strings.filter(|string| !std::mem::replace(&mut seen[string.at()], true)).collect();
        sort(&mut order, |&a, &b| self.bytes(a).cmp(self.bytes(b)));
        order
    }

    /// The place of each of these, which are [`sorted`](Self::sorted), for comparing many of them cheaply: one sort
    /// instead of comparing long texts again and again. Indexed by [`Str::at`]; others have rank 0.
    pub(crate) fn ranks(&self, sorted: &[Str]) -> Vec<u32> {
        let mut ranks = vec![0; self.len()];
        for (rank, string) in sorted.iter().enumerate() {
            ranks[string.at()] = index(rank);
        }
        ranks
    }
}

/// Takes strings from one table into a new one: they differ there, so none is looked up.
pub(crate) struct Selection<'a> {
    from: &'a Strings,
    into: Strings,
    places: Vec<Str>,
}

impl<'a> Selection<'a> {
    pub(crate) fn of(from: &'a Strings) -> Self {
        // The empty string is the first of either.
        Self { from, into: Strings::new(), places: vec![Str::EMPTY; from.len()] }
    }

    /// The string in the new table.
    pub(crate) fn take(&mut self, string: Str) -> Str {
        let place = &mut self.places[string.at()];
        if *place == Str::EMPTY && string != Str::EMPTY {
            *place = self.into.append(self.from.bytes(string));
        }
        *place
    }

    pub(crate) fn done(self) -> Strings {
        self.into
    }
}

/// `bytes` as text: each byte that is no UTF-8 is one U+FFFD.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.utf8_chunks().fold(String::new(), |mut text, chunk| {
            text.push_str(chunk.valid());
            text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
            text
        })),
    }
}

fn slice<'a>(bytes: &'a [u8], ends: &[usize], at: u32) -> &'a [u8] {
    let at = at as usize;
    let start = if at == 0 { 0 } else { ends[at - 1] };
    &bytes[start..ends[at]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_kept_once() {
        let mut strings = Strings::new();
        let a = strings.intern(b"main.main");
        let b = strings.intern(b"\xff\xfe");
        assert_eq!(strings.intern(b"main.main"), a);
        assert_eq!(strings.intern(b""), Str::EMPTY);
        assert_eq!(
            (strings.len(), strings.bytes(a), strings.bytes(b)),
            (3, &b"main.main"[..], &b"\xff\xfe"[..])
        );
    }

    #[test]
    fn a_selection_is_a_table_like_any_other() {
        let mut all = Strings::new();
        let [a, b, c] = [&b"a"[..], b"b", b"c"].map(|text| all.intern(text));
        let mut some = Selection::of(&all);
        let taken = [c, Str::EMPTY, a, c].map(|string| some.take(string));
        let mut some = some.done();
        assert_eq!(taken.map(|string| some.bytes(string).to_vec()), [&b"c"[..], b"", b"a", b"c"]);
        assert_eq!((some.len(), taken[1]), (3, Str::EMPTY));
        // What is interned later is looked up among all of them.
        assert_eq!(some.intern(all.bytes(a)), taken[2]);
        let b = some.intern(all.bytes(b));
        assert_eq!((b.at(), some.intern(b"c"), some.len()), (3, taken[0], 4));
    }

    #[test]
    fn every_bad_byte_is_one_replacement() {
        assert_eq!(text(b"a\xe2\x82z"), "a\u{fffd}\u{fffd}z");
    }

    #[test]
    fn ranks_follow_bytes() {
        let mut strings = Strings::new();
        let all: Vec<Str> =
            [&b"b"[..], b"", b"a", b"\xff", b"ab"].iter().map(|s| strings.intern(s)).collect();
        let sorted = strings.sorted(all.iter().chain(&all).copied());
        assert_eq!(sorted.len(), all.len());
        let ranks = strings.ranks(&sorted);
        assert_eq!(all.iter().map(|s| ranks[s.at()]).collect::<Vec<_>>(), [3, 0, 1, 4, 2]);
    }
}
