//! Work that two threads take from either end, until nothing is left: so neither waits long for the other, whatever else holds
//! them up.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// In how many pieces work is taken, at most: one of them may be waited for.
const PIECES: usize = 32;

/// Things of which each is one's or the other's: those that nobody has taken yet.
pub(crate) struct Shares {
    left: Mutex<Range<usize>>,
    piece: usize,
}

impl Shares {
    pub(crate) fn of(count: usize) -> Self {
        Self { left: Mutex::new(0..count), piece: count.div_ceil(PIECES) }
    }

    fn take(&self, from: impl FnOnce(&mut Range<usize>, usize) -> Range<usize>) -> Option<Range<usize>> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let piece = self.piece.min(left.len());
        (piece > 0).then(|| from(&mut left, piece))
    }

    /// Some from the start.
    pub(crate) fn first(&self) -> Option<Range<usize>> {
        self.take(|left, piece| {
            left.start += piece;
            left.start - piece..left.start
        })
    }

    /// Some from the end.
    pub(crate) fn last(&self) -> Option<Range<usize>> {
        self.take(|left, piece| {
            left.end -= piece;
            left.end..left.end + piece
        })
    }

    /// Leaves the rest to nobody, if something is wrong.
    pub(crate) fn give_up_unless(&self, is_right: bool) {
        if !is_right {
            *self.left.lock().unwrap_or_else(PoisonError::into_inner) = 0..0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_taken_once_from_whichever_end() {
        for count in [0, 1, 2, 31, 32, 33, 70, 1000] {
            let left = Shares::of(count);
            let (mut first, mut last, mut pieces) = (0, count, 0);
            for turn in 0.. {
                let from_start = turn % 3 == 0;
                let Some(taken) = (if from_start { left.first() } else { left.last() }) else { break };
                assert!(!taken.is_empty());
                pieces += 1;
                if from_start {
                    assert_eq!(taken.start, first);
                    first = taken.end;
                } else {
                    assert_eq!(taken.end, last);
                    last = taken.start;
                }
            }
            assert_eq!(first, last, "{count}");
            assert!(pieces <= PIECES && pieces >= PIECES.min(count) / 2, "{pieces} of {count}");
            assert!(left.first().is_none() && left.last().is_none());
        }
        let left = Shares::of(5);
        left.give_up_unless(true);
        assert_eq!(left.first(), Some(0..1));
        left.give_up_unless(false);
        assert_eq!((left.first(), left.last()), (None, None));
    }
}
