//! Finds the entries of a column by their content, of which it holds no copy: a hash table of positions.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Positions by hash. The hash is kept along, so that the table grows without reading what it points to.
#[derive(Default)]
pub(crate) struct Index(HashTable<Entry>);

/// Eight bytes: the table of a large profile's samples is then not much larger than a cache.
struct Entry {
    hash: u32,
    at: u32,
}

impl Index {
    /// Makes room for so many entries.
    pub(crate) fn reserve(&mut self, entries: usize) {
        self.0.reserve(entries, |entry| spread(entry.hash));
    }

    /// The position of an entry with this hash, perhaps not the one that is meant: to look ahead.
    #[inline(always)]
    pub(crate) fn guess(&self, hash: u64) -> Option<u32> {
        let hash = hash as u32;
        self.0.find(spread(hash), |entry| entry.hash == hash).map(|entry| entry.at)
    }

    /// The position of the entry with this hash that is the `same`, or `new`, which then is its position.
    #[inline(always)]
    pub(crate) fn find_or_add(&mut self, hash: u64, new: u32, same: impl Fn(u32) -> bool) -> u32 {
        let hash = hash as u32;
        let found = self.0.entry(
            spread(hash),
            |entry| entry.hash == hash && same(entry.at),
            |entry| spread(entry.hash),
        );
        found.or_insert(Entry { hash, at: new }).get().at
    }
}

/// The table picks a place by the low bits and tells neighbours apart by the highest seven.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// Numbers things by first use.
pub(crate) struct Numbers<T> {
    index: Index,
    hasher: RandomState,
    things: Vec<T>,
}

impl<T: Copy + Eq + Hash> Numbers<T> {
    pub(crate) fn new() -> Self {
        Self { index: Index::default(), hasher: RandomState::default(), things: Vec::new() }
    }

    #[inline(always)]
    pub(crate) fn of(&mut self, thing: T) -> usize {
        let Self { index, hasher, things } = self;
        let new = crate::profile::index(things.len());
        let at = index.find_or_add(hasher.hash_one(thing), new, |at| things[at as usize] == thing);
        if at == new {
            things.push(thing);
        }
        at as usize
    }

    /// The things by their numbers.
    pub(crate) fn things(&self) -> &[T] {
        &self.things
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_content_is_one_entry_whatever_the_hash() {
        for hash in [|_: u32| 7, |value: u32| u64::from(value).wrapping_mul(0x9e37_79b9_7f4a_7c15)] {
            let (mut index, mut column) = (Index::default(), Vec::new());
            for value in (0..100).chain(0..200) {
                let at =
                    index.find_or_add(hash(value), column.len() as u32, |at| column[at as usize] == value);
                assert_eq!(at, value);
                if at as usize == column.len() {
                    column.push(value);
                }
            }
            assert_eq!(column.len(), 200);
        }
    }

    #[test]
    fn numbers_follow_first_use() {
        let mut numbers = Numbers::new();
        assert_eq!(["b", "a", "b", "c"].map(|thing| numbers.of(thing)), [0, 1, 0, 2]);
        assert_eq!(numbers.things(), ["b", "a", "c"]);
    }
}
