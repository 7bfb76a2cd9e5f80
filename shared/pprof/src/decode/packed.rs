//! Packed ids of locations. One after another they take time, for where one ends, and so where the next begins, is known late.
//! Where most of them only have to be right, they are looked at by blocks: each byte knows from the two before it whether it ends
//! a number, and whether that says too much.

use super::samples::TOP;
use crate::wire::{Cursor, short};

/// How many bytes are looked at at once.
const BLOCK: usize = 16;
/// The bytes before those: numbers of up to three are told.
const BEFORE: usize = 2;
/// Set in a byte after which a number goes on; set as well in an answer that is yes.
const GOES_ON: u8 = 0x80;

/// [`GOES_ON`] in each byte of a block.
const GOES_ON_ANYWHERE: u128 = u128::from_ne_bytes([GOES_ON; BLOCK]);

/// How many bytes are taken with the first of a number.
const MARGIN: usize = 3;

/// All bits of the bytes that are left of a block, from as many places before its end.
const LEFT: [u8; 2 * BLOCK] = {
    let mut left = [0; 2 * BLOCK];
    let mut at = 0;
    while at < BLOCK {
        left[at] = u8::MAX;
        at += 1;
    }
    left
};

/// Reads ids that count from 1.
pub(super) struct Packed {
    /// How many there are.
    count: u64,
    /// What one byte of seven bits may lack to [`GOES_ON`] and not say too much. So that all of a block are compared at once,
    /// there is one for each.
    one: [u8; BLOCK],
    /// The same of two, the first one first: what that has too much counts as one in the second.
    two: [[u8; BLOCK]; 2],
    three: [[u8; BLOCK]; 3],
}

impl Packed {
    pub(super) fn up_to(count: u64) -> Self {
        // Numbers that are never too much lack more than can be said.
        let lack = |bytes: u32, at: u32| match count >> (7 * bytes) {
            0 => [0x7f - ((count >> (7 * at)) as u8 & 0x7f); BLOCK],
            _ => [0; BLOCK],
        };
        Self {
            count,
            one: lack(1, 0),
            two: [lack(2, 0), lack(2, 1)],
            three: [lack(3, 0), lack(3, 1), lack(3, 2)],
        }
    }

    /// The position that an id stands for.
    #[inline(always)]
    pub(super) fn position(&self, id: u64) -> Option<u32> {
        let position = id.wrapping_sub(1);
        (position < self.count).then_some(position as u32)
    }

    /// Puts the positions of all behind others. How many there are; `None` if one is not known, or takes more than three bytes:
    /// then some may be there.
    #[inline(always)]
    pub(super) fn read(&self, stack: Cursor<'_>, positions: &mut Vec<u32>) -> Option<usize> {
        let before = positions.len();
        let mut rest = stack.bytes_and(MARGIN)?;
        let mut last = 0;
        while let Some(&word) = rest.first_chunk() {
            let (id, length) = short(word)?;
            // What is no id becomes the largest.
            let position = id.wrapping_sub(1);
            last = last.max(position);
            positions.push(position);
            rest = &rest[length..];
        }
        (rest.len() == MARGIN && u64::from(last) < self.count).then(|| positions.len() - before)
    }

    /// How many there are, if all are known and written as short as can be, in up to three bytes; and the positions of the first two.
    /// Where there is one, the second says nothing.
    #[inline(always)]
    pub(super) fn top(&self, stack: Cursor<'_>) -> Option<(usize, [u32; TOP])> {
        let mut left = stack.bytes().len();
        let mut around = stack.around(BEFORE, BLOCK)?;
        let top = first_two(u64::from_le_bytes(*around.get(BEFORE..)?.first_chunk()?));
        // The last one ends, and there is one.
        (around.get(left + BEFORE - 1)? & GOES_ON == 0 && left > 0).then_some(())?;
        let (mut odd, mut count) = ([0; BLOCK], 0);
        while left > 0 {
            // Each by itself, so that the compiler sees that they stay what they are.
            let [first, middle, last] = [0, 1, 2].map(|at| block(around, at));
            let (first, middle, last) = (first?, middle?, last?);
            let within = block(&LEFT, BLOCK - left.min(BLOCK))?;
            let mut ends = [0; BLOCK];
            for at in 0..BLOCK {
                let (is_odd, is_end) = self.look(at, first[at], middle[at], last[at]);
                odd[at] |= is_odd & within[at];
                ends[at] = (is_end & within[at]) >> 7;
            }
            count += ends.iter().map(|&is_end| usize::from(is_end)).sum::<usize>();
            around = around.get(BLOCK..)?;
            left = left.saturating_sub(BLOCK);
        }
        (u128::from_ne_bytes(odd) & GOES_ON_ANYWHERE == 0).then_some((count, top))
    }

    /// Of the last of these bytes: whether it is part of what is not as expected, and whether it ends a number.
    ///
    /// Before the first number is a byte that ends one. Only sums and bits of bytes, which the compiler does for a whole block.
    #[inline(always)]
    fn look(&self, at: usize, first: u8, middle: u8, last: u8) -> (u8, u8) {
        let (low, mid, high) = (first & !GOES_ON, middle & !GOES_ON, last & !GOES_ON);
        let Self { two, three, .. } = self;
        let of_one = high + self.one[at];
        let of_two = high + two[1][at] + ((mid + two[0][at]) >> 7);
        let of_three = high + three[2][at] + ((mid + three[1][at] + ((low + three[0][at]) >> 7)) >> 7);
        let too_much = !middle & of_one | middle & !first & of_two | middle & first & of_three;
        // The last byte of a number says something, or it could be shorter.
        let is_nothing = !(high + 0x7f);
        (last & middle & first | !last & (too_much | is_nothing), !last)
    }
}

/// The positions for the first two numbers of eight bytes, if they take up to three each: without a branch between those, which
/// would be guessed wrong.
#[inline(always)]
fn first_two(word: u64) -> [u32; TOP] {
    let (first, length) = one(word);
    let (second, _) = one(word >> (8 * length));
    [first, second].map(|id| id.wrapping_sub(1))
}

#[inline(always)]
fn one(word: u64) -> (u32, u32) {
    let word = word as u32;
    let two = word >> 7 & 1;
    let three = word >> 15 & two;
    let number = word & 0x7f
        | word >> 1 & 0x3f80 & 0_u32.wrapping_sub(two)
        | word >> 2 & 0x1f_c000 & 0_u32.wrapping_sub(three);
    (number, 1 + two + three)
}

/// The block that begins there, by value.
#[inline(always)]
fn block(bytes: &[u8], at: usize) -> Option<[u8; BLOCK]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::varint;

    /// A stack in a profile: something before it that ends, and something behind.
    fn within(stack: &[u8], see: impl FnOnce(Cursor<'_>)) {
        let profile = [&[0xff, 0xff, 0x0a, 0x7f][..], stack, &[0xff; BLOCK]].concat();
        see(Cursor::within(&profile, 4, 4 + stack.len()));
    }

    /// Both ways of reading, which must agree: how many there are and their positions, if all are known.
    fn read(count: u64, stack: &[u8]) -> Option<Vec<u32>> {
        let (packed, mut positions) = (Packed::up_to(count), Vec::new());
        within(stack, |cursor| {
            let top = packed.top(cursor);
            if packed.read(cursor, &mut positions).is_none() {
                positions.clear();
            }
            let (counted, first) = top.unwrap_or_default();
            assert_eq!(counted, positions.len(), "{count} {stack:?}");
            let some = counted.min(2);
            assert_eq!(first[..some], positions[..some], "{count} {stack:?}");
        });
        Some(positions).filter(|positions| !positions.is_empty())
    }

    const LARGEST: u64 = (1 << 21) - 1;
    const COUNTS: [u64; 17] = [
        0,
        1,
        2,
        5,
        126,
        127,
        128,
        129,
        255,
        300,
        0x3fff,
        0x4000,
        0x4001,
        20_000,
        LARGEST,
        LARGEST + 1,
        3 << 21,
    ];

    #[test]
    fn exactly_what_is_there_is_known() {
        for count in COUNTS {
            let edges = [1, 0x7f, 0x80, 0xff, 0x100, 0x3fff, 0x4000, 0x4080, LARGEST, count];
            let around = edges.iter().flat_map(|edge| edge.saturating_sub(3)..edge + 4);
            for id in around.chain([0, u64::MAX]) {
                let is_known = (1..=count.min(LARGEST)).contains(&id);
                // Wherever it is, among others of one byte and of two.
                let other = varint(count.min(LARGEST).div_ceil(2));
                for (before, behind) in [(0, 0), (1, 0), (0, 1), (15, 3), (7, 20), (31, 1)] {
                    let (before_it, behind_it) = (other.repeat(before), other.repeat(behind));
                    let stack = [before_it, varint(id), behind_it].concat();
                    let read = read(count, &stack);
                    assert_eq!(read.is_some(), is_known, "{count} {id} {before} {behind}");
                    let Some(read) = read else { continue };
                    assert_eq!((read.len(), read[before]), (before + 1 + behind, id as u32 - 1));
                }
            }
        }
    }

    #[test]
    fn what_is_cut_or_long_is_left_to_others() {
        for stack in [&[1, 0x80][..], &[0x81, 0x82], &[1, 0x81, 0x82, 0x83, 0], &[0x81; 11], &[0]] {
            assert_eq!(read(20_000, stack), None, "{stack:?}");
        }
        let packed = Packed::up_to(5);
        within(&[], |cursor| assert_eq!(packed.top(cursor), None));
        const MANY: usize = 300 * BLOCK;
        for count in [MANY, MANY + 1] {
            within(&vec![5; count], |cursor| assert_eq!(packed.top(cursor), Some((count, [4, 4]))));
        }
        for odd in [0, 1, 2, MANY - 1, MANY] {
            let mut stack = [5; MANY + 1];
            stack[odd] = 6;
            within(&stack, |cursor| assert_eq!(packed.top(cursor), None, "{odd}"));
        }
        // One that takes more bytes than it has to is read, though not by blocks.
        within(&[0x81, 0], |cursor| {
            assert_eq!(packed.top(cursor), None);
            assert_eq!(packed.read(cursor, &mut Vec::new()), Some(1));
        });
        // There is no margin behind it, or nothing before it.
        let all = [1, 2, 3, 4];
        assert_eq!(packed.read(Cursor::within(&all, 2, 4), &mut Vec::new()), None);
        assert_eq!(packed.top(Cursor::within(&all, 0, 2)), None);
    }
}
