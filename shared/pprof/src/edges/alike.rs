//! Locations that have the same lines. In a large profile many do, as each instruction of a line has an address of its own.

use std::hash::{BuildHasher, Hash, Hasher};
use std::hint::black_box;

use foldhash::fast::RandomState;

use super::sums::{BLOCK, FAR};
use crate::index::Index;
use crate::profile::{Line, Profile, index};

/// Finds the first location with the lines of another. It takes some time: where there are few locations, longer than it saves to
/// know.
pub(super) struct Alike<'a> {
    profile: &'a Profile,
    index: Index,
    hasher: RandomState,
    /// Of the block that was asked for last, and where that begins.
    hashes: Vec<u64>,
    start: usize,
}

impl<'a> Alike<'a> {
    pub(super) fn of(profile: &'a Profile) -> Self {
        Self {
            profile,
            index: Index::default(),
            hasher: RandomState::default(),
            hashes: Vec::new(),
            start: 0,
        }
    }

    /// To be asked for one location after another: those that were asked for before are known. One that is the first with its lines
    /// is its own; so is one of a single line, and where there are few locations each.
    #[inline(always)]
    pub(super) fn first(&mut self, at: usize) -> usize {
        if self.profile.locations.len() < FAR {
            return at;
        }
        if !(self.start..self.start + self.hashes.len()).contains(&at) {
            self.look(at);
        }
        if self.lines(at).len() > 1 { self.find(at) } else { at }
    }

    /// Looks for all of the block that begins there, for waiting for many takes about as long as for one.
    fn look(&mut self, at: usize) {
        let Self { profile, index, hasher, hashes, start } = self;
        *start = at;
        hashes.clear();
        hashes.extend(profile.locations.iter().skip(at).take(BLOCK).map(|location| {
            let lines = profile.lines_of(location);
            let mut hash = hasher.build_hasher();
            // Of one line it is not asked for.
            lines.iter().take_while(|_| lines.len() > 1).for_each(|line| node(line).hash(&mut hash));
            hash.finish()
        }));
        let seen = hashes.iter().fold(0, |seen, &hash| seen ^ index.guess(hash).unwrap_or_default());
        black_box(seen);
    }

    fn find(&mut self, at: usize) -> usize {
        let hash = self.hashes[at - self.start];
        let Self { profile, index: found, .. } = self;
        let nodes = |at: usize| profile.lines_of(&profile.locations[at]).iter().map(node);
        found.find_or_add(hash, index(at), |other| nodes(other as usize).eq(nodes(at))) as usize
    }

    fn lines(&self, at: usize) -> &'a [Line] {
        self.profile.lines_of(&self.profile.locations[at])
    }
}

/// What the compiler sees of a line.
fn node(line: &Line) -> (u32, i64) {
    (line.function, line.line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::cpu;
    use crate::profile::{Location, Span};

    /// Two locations of lines of their own, one at another address, one at another line, one without the last line, and again.
    fn profile() -> Profile {
        let mut profile = cpu(&["1: a/b;a/b/c"]);
        let first = profile.locations[0].clone();
        profile.lines.extend_from_within(..2);
        profile.lines[5].line += 1;
        for lines in [first.lines, Span::since(5, 7), Span::since(0, 1), Span::since(5, 7), Span::since(0, 1)]
        {
            profile.locations.push(Location { address: 7, lines, ..first.clone() });
        }
        profile
    }

    const FIRST: [usize; 7] = [0, 1, 0, 3, 4, 3, 6];

    #[test]
    fn locations_are_alike_by_their_lines_whatever_the_hash() {
        let profile = profile();
        let mut alike = Alike { hashes: vec![7; BLOCK], ..Alike::of(&profile) };
        for (at, first) in FIRST.into_iter().enumerate().filter(|(_, first)| ![4, 6].contains(first)) {
            assert_eq!(alike.find(at), first);
        }
    }

    #[test]
    fn they_are_looked_for_where_there_are_many() {
        let mut profile = profile();
        let few = profile.clone();
        let mut few = Alike::of(&few);
        assert!((0..FIRST.len()).all(|at| few.first(at) == at));
        // The same over and over.
        for at in FIRST.len()..FAR + 5 {
            let location = profile.locations[at % FIRST.len()].clone();
            profile.locations.push(location);
        }
        let mut many = Alike::of(&profile);
        for at in 0..profile.locations.len() {
            let first = FIRST[at % FIRST.len()];
            assert_eq!(many.first(at), if [4, 6].contains(&first) { at } else { first });
        }
    }
}
