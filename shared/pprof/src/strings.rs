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
        let once: Vec<Str> =
            strings.filter(|string| !std::mem::replace(&mut seen[string.at()], true)).collect();
        if once.len() < MANY { self.in_order(once, |_| 0) } else { self.in_order_by_keys(once) }
    }

    /// Texts lie anywhere. What comes first after all that they have in common mostly tells them apart.
    fn in_order_by_keys(&self, strings: Vec<Str>) -> Vec<Str> {
        let first = strings.first().map_or(&[][..], |&first| self.bytes(first));
        let alike =
            strings.iter().fold(first.len(), |alike, &other| alike.min(common(first, self.bytes(other))));
        self.in_order(strings, |text| key(&text[alike..]))
    }

    /// In byte order, where the texts of smaller keys are smaller.
    fn in_order(&self, strings: Vec<Str>, key: impl Fn(&[u8]) -> u64) -> Vec<Str> {
        let mut keyed: Vec<(u64, Str)> =
            strings.into_iter().map(|string| (key(self.bytes(string)), string)).collect();
        sort(&mut keyed, |a, b| a.0.cmp(&b.0).then_with(|| self.bytes(a.1).cmp(self.bytes(b.1))));
        keyed.into_iter().map(|(_, string)| string).collect()
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

/// How many texts are worth keys: fewer are near enough.
const MANY: usize = 1 << 14;

/// How many bytes both begin with.
fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The first eight bytes as a number: where two differ, the texts are in their order.
fn key(text: &[u8]) -> u64 {
    text.first_chunk().map_or_else(
        || text.iter().zip(1..).fold(0, |key, (&byte, at)| key | u64::from(byte) << (64 - 8 * at)),
        |first| u64::from_be_bytes(*first),
    )
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
    use crate::example::Random;

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
    fn texts_are_in_byte_order_whatever_they_begin_with() {
        let mut random = Random(1);
        for prefix in [&b""[..], b"a", b"\0", b"github.com/"] {
            let mut strings = Strings::new();
            let mut texts: Vec<Vec<u8>> = (0..300)
                .map(|_| {
                    let length = random.below(12) as usize;
                    let byte = |_| [0, 1, b'a', b'b', 0xff][random.below(5) as usize];
                    [prefix, &(0..length).map(byte).collect::<Vec<u8>>()].concat()
                })
                .collect();
            let all: Vec<Str> = texts.iter().map(|text| strings.intern(text)).collect();
            texts.sort();
            texts.dedup();
            let few = strings.sorted(all.into_iter());
            for sorted in [strings.in_order_by_keys(few.iter().rev().copied().collect()), few] {
                assert_eq!(sorted.iter().map(|&text| strings.bytes(text)).collect::<Vec<_>>(), texts);
            }
        }
        assert_eq!(Strings::new().sorted(std::iter::empty()), []);
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
