//! What calls are told apart by, in sixteen bytes: there may be millions.

use super::calls::Call;
use crate::index::Numbers;
use crate::profile::index;
use crate::strings::Str;

/// A function and the offset of a line in it, from which calls are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Site(u64);

impl Site {
    /// A mark that is no site: no table has so many strings.
    pub(super) const NONE: Self = Self(u64::MAX);

    fn new(caller: Str, code: u32) -> Self {
        Self((caller.at() as u64) << 32 | u64::from(code))
    }

    fn caller(self) -> Str {
        Str::new((self.0 >> 32) as u32)
    }
}

/// A call of one table of [`Offsets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    site: Site,
    callee: Str,
}

impl Key {
    pub(super) fn new(site: Site, callee: Str) -> Self {
        Self { site, callee }
    }

    pub(super) fn callee(self) -> Str {
        self.callee
    }
}

/// Offsets as codes of 32 bits: those that a program can have stand for themselves; others, which only take making up, are
/// numbered.
pub(super) struct Offsets {
    others: Numbers<i64>,
}

/// The two highest bits of an offset that stands for itself are the same; of a number they are these.
const NUMBERED: u32 = 0b10 << 30;

impl Offsets {
    pub(super) fn new() -> Self {
        Self { others: Numbers::new() }
    }

    #[inline(always)]
    pub(super) fn site(&mut self, caller: Str, offset: i64) -> Site {
        let code = match i32::try_from(offset) {
            Ok(code) if code << 1 >> 1 == code => code.cast_unsigned(),
            _ => self.number(offset),
        };
        Site::new(caller, code)
    }

    #[cold]
    #[inline(never)]
    fn number(&mut self, offset: i64) -> u32 {
        // There are fewer than 2^30: each is of a line of more than four bytes, and a profile has less than 2^32. Those of
        // all profiles of a merge are held at once.
        NUMBERED | index(self.others.of(offset))
    }

    pub(super) fn call(&self, key: Key) -> Call {
        let code = key.site.0 as u32;
        let offset = if code >> 30 == NUMBERED >> 30 {
            self.others.things()[(code & !NUMBERED) as usize]
        } else {
            i64::from(code.cast_signed())
        };
        Call { caller: key.site.caller(), callee: key.callee, offset }
    }

    /// Whether all stand for themselves, in every table the same.
    pub(super) fn are_plain(&self) -> bool {
        self.others.things().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offset_comes_back() {
        let mut offsets = Offsets::new();
        let edge = 1 << 30;
        let plain = [0, 1, -1, 7, edge - 1, -edge];
        let other = [edge, -edge - 1, 1 << 31, -1 << 31, 1 << 40, i64::MIN, i64::MAX, i64::from(u32::MAX)];
        let (caller, callee) = (Str::new(u32::MAX - 2), Str::new(3));
        let mut keys = Vec::new();
        for (all, are_plain) in [(&plain[..], true), (&other, false), (&plain, false), (&other, false)] {
            for &offset in all {
                let key = Key::new(offsets.site(caller, offset), callee);
                assert_eq!(offsets.call(key), Call { caller, callee, offset });
                keys.push((offset, key));
            }
            assert_eq!(offsets.are_plain(), are_plain);
        }
        for &(offset, key) in &keys {
            assert!(keys.iter().all(|&(other, its)| (other == offset) == (its == key)), "{offset}");
        }
        assert_eq!(size_of::<Key>(), 16);
    }
}
