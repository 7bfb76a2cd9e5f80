//! Packed numbers of which only has to be known that none is 0 or too large: eight bytes are looked at at once, without a
//! branch for each number.

use super::{Cursor, NEVER_ENDING};

/// A one in each byte.
const ONES: u64 = NEVER_ENDING >> 7;

/// What a number may be: from 1 up to so much.
#[derive(Clone, Copy)]
pub(crate) struct UpTo {
    /// Of a number of three bytes the last may be less than this, each the same:
    last: u64,
    /// or this, if the middle one is less than that.
    last_at: u64,
    middle: u64,
}

impl UpTo {
    /// `None` if not even all numbers of two bytes are small enough: then few are told at a glance.
    pub(crate) fn new(most: u64) -> Option<Self> {
        const OF_TWO: u64 = 0x3fff;
        if most < OF_TWO {
            return None;
        }
        // A last byte of three has seven bits: none is as large as 0x80.
        let last = (most >> 14).min(0x80);
        let middle = most >> 7 & 0x7f;
        let [last, last_at, middle] = [(last + 1).min(0x80), last, middle].map(|byte| byte * ONES);
        Some(Self { last, last_at, middle })
    }

    /// Whether it can be told that none of the numbers that are left is 0 or too large. `false` says nothing, above all of
    /// numbers next to the largest, of more than three bytes, or of more bytes than they need.
    #[inline(always)]
    pub(crate) fn holds(&self, cursor: Cursor<'_>) -> bool {
        let Cursor { raw, mut at, end } = cursor;
        while at < end {
            let Some(word) = raw.get(at..).and_then(|rest| rest.first_chunk()) else { return false };
            let word = u64::from_le_bytes(*word);
            let left = end - at;
            if left < 8 {
                // Ones instead of what comes after, if the last number has an end.
                let theirs = u64::MAX << (8 * left);
                return self.fits(word & !theirs | ONES & theirs) && word >> (8 * left - 1) & 1 == 0;
            }
            if !self.fits(word) {
                return false;
            }
            at += 8 - (!word & NEVER_ENDING).leading_zeros() as usize / 8;
        }
        true
    }

    /// Whether those of the next eight bytes do that have an end among them.
    #[inline(always)]
    fn fits(&self, word: u64) -> bool {
        let (goes_on, ends) = (word & NEVER_ENDING, !word & NEVER_ENDING);
        let zero = word.wrapping_sub(ONES) & ends;
        // In the place of the first byte of a number.
        let (two_go_on, three_end) = (goes_on & goes_on >> 8, ends >> 16);
        let three_go_on = two_go_on & goes_on >> 16;
        // The highest bit of each byte: whether it is as large. No byte borrows from the next.
        let (middle, last) = (word >> 8 | NEVER_ENDING, word >> 16 | NEVER_ENDING);
        let large =
            last.wrapping_sub(self.last) | last.wrapping_sub(self.last_at) & middle.wrapping_sub(self.middle);
        (zero | three_go_on | two_go_on & three_end & large) & NEVER_ENDING == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(numbers: &[u64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for &number in numbers {
            let mut left = number;
            while left > 0x7f {
                bytes.push(left as u8 | 0x80);
                left >>= 7;
            }
            bytes.push(left as u8);
        }
        bytes
    }

    /// Looks at them where something else follows, which is no business of theirs.
    fn holds(bytes: &[u8], most: u64) -> bool {
        let mut found = [0, 1, 0x7f, 0x80, 0xff].map(|other| {
            let raw = [bytes, &[other; 8]].concat();
            UpTo::new(most).unwrap().holds(Cursor::within(&raw, 0, bytes.len()))
        });
        found.sort_unstable();
        assert_eq!(found[0], found[4]);
        found[0]
    }

    #[test]
    fn a_number_is_judged_wherever_in_a_word_it_stands() {
        for most in [0x3fff, 0x4000, 32_140, 1_000_000, 0x1f_ffff, 0x20_0000, u64::MAX] {
            for (before, after) in (0..9).flat_map(|before| (0..9).map(move |after| (before, after))) {
                for around in [1, 0x7f, 0x80, 0x3fff] {
                    let among = |number: u64| {
                        packed(&[vec![around; before], vec![number], vec![around; after]].concat())
                    };
                    let top = most.min(0x1f_ffff);
                    for number in [1, 2, 0x7f, 0x80, 0x3fff, top >> 1, (top >> 7).saturating_sub(1) << 7] {
                        assert!(holds(&among(number), most), "{number} of {most}");
                    }
                    let next =
                        [most.saturating_add(1), most.saturating_add(1 << 7), 1 << 21, 1 << 28, u64::MAX];
                    for number in next.into_iter().chain([0, top]) {
                        let right = (1..=most).contains(&number);
                        assert!(right || !holds(&among(number), most), "{number} of {most}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_number_of_three_bytes_is_judged_right() {
        for most in [0x3fff, 0x4000, 0x4080, 32_140, 0x1f_ff7f] {
            let told = |number: &u64| {
                let found = holds(&packed(&[*number]), most);
                assert!(!found || *number <= most, "{number} of {most}");
                found
            };
            // All but a few next to the largest are told.
            let count = (0x4000..=most.min(0x9000)).filter(told).count() as u64;
            assert!(count + 0x80 > most.min(0x9000) - 0x3fff, "{count} of {most}");
            assert!(!(most + 1..most + 0x200).any(|number| told(&number)));
        }
    }

    #[test]
    fn what_cannot_be_told_is_left_to_others() {
        assert!(UpTo::new(0x3ffe).is_none());
        assert!(holds(&[], 0x3fff));
        for length in 0..20 {
            // Cut short.
            let bytes = [&packed(&vec![1; length])[..], &[0x81]].concat();
            assert!(!holds(&bytes, 0x3fff), "{length}");
        }
        // More bytes than it takes, and never ending.
        assert!(!holds(&[0x81, 0, 1, 1, 1, 1, 1, 1, 1], 0x3fff));
        assert!(!holds(&[0x80; 30], u64::MAX));
        // Next to the end of all there is.
        assert!(!UpTo::new(0x3fff).unwrap().holds(Cursor::new(&[1; 9])));
        assert!(UpTo::new(0x3fff).unwrap().holds(Cursor::new(&[1; 8])));
    }
}
