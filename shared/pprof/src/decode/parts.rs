//! Samples read by two threads. One reads the tables first, and may come late to the samples or be held up; so they take parts of
//! them from either end, until none is left.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::ids::Ids;
use super::samples::{self, Counts, Keep};
use super::survey::Survey;
use super::tables::{Tables, Texts};
use crate::cores::{Core, at_once};
use crate::error::Error;
use crate::limits::Limits;
use crate::profile::Samples;

/// In how many pieces samples are taken, at most: one of them may be waited for, and those of the second thread are put together.
const PIECES: usize = 32;

/// What has not been taken yet, as numbers of parts.
struct Left {
    parts: Mutex<Range<usize>>,
    piece: usize,
}

impl Left {
    fn of(parts: usize) -> Self {
        Self { parts: Mutex::new(0..parts), piece: parts.div_ceil(PIECES) }
    }

    fn take(&self, from: impl FnOnce(&mut Range<usize>, usize) -> Range<usize>) -> Option<Range<usize>> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let piece = self.piece.min(parts.len());
        (piece > 0).then(|| from(&mut parts, piece))
    }

    fn first(&self) -> Option<Range<usize>> {
        self.take(|left, piece| {
            left.start += piece;
            left.start - piece..left.start
        })
    }

    fn last(&self) -> Option<Range<usize>> {
        self.take(|left, piece| {
            left.end -= piece;
            left.end..left.end + piece
        })
    }

    /// Leaves the rest to nobody, if something is wrong.
    fn give_up_unless(&self, is_right: bool) {
        if !is_right {
            *self.parts.lock().unwrap_or_else(PoisonError::into_inner) = 0..0;
        }
    }
}

/// Reads all but the header, the samples by another thread as well.
pub(super) fn read(
    survey: &Survey<'_>,
    core: Core,
    limits: &Limits,
    keep: Keep,
) -> Result<(Texts, Tables, Samples), Error> {
    // As writers number locations; whether this one did is known when the table is read.
    let expected = Ids::counting("location", survey.locations.count);
    // Texts of what is not kept have to be there, whatever they say.
    let before = match keep {
        Keep::All => Texts::read(survey)?,
        Keep::Top => Texts::count(survey)?,
    };
    let left = Left::of(survey.parts());
    let piece = |parts: Range<usize>, samples: &mut Samples| {
        let part = survey.part(parts);
        samples::read(survey, part, (limits, keep), &before, &expected, samples).ok()
    };
    let here = || {
        let texts = if keep == Keep::Top { Some(Texts::read(survey)?) } else { None };
        let tables = Tables::read(survey, limits, texts.as_ref().unwrap_or(&before))?;
        let mut samples = samples::with_room(survey, survey.samples, limits, keep);
        let mut counts =
            Some(Counts::default()).filter(|_| tables.location_ids.counted() == expected.counted());
        while let Some(all) = counts
            && let Some(parts) = left.first()
        {
            counts = piece(parts, &mut samples).map(|read| all.and(read));
        }
        Ok::<_, Error>((texts, tables, samples, counts))
    };
    let there = || {
        let mut pieces = Vec::new();
        let mut counts = Some(Counts::default());
        while let Some(all) = counts
            && let Some(parts) = left.last()
        {
            let mut samples = samples::with_room(survey, survey.part(parts.clone()).0, limits, keep);
            counts = piece(parts, &mut samples).map(|read| all.and(read));
            pieces.push(samples);
        }
        left.give_up_unless(counts.is_some());
        (pieces, counts)
    };
    let (read, (pieces, counts)) = at_once(
        Some(core),
        || {
            let read = here();
            left.give_up_unless(matches!(read, Ok((_, _, _, Some(_)))));
            read
        },
        there,
    );
    let (texts, tables, mut samples, of_first) = read?;
    let texts = texts.unwrap_or(before);
    let all = of_first.zip(counts).map(|(first, others)| first.and(others));
    if all.is_some_and(|all| all.are_within(limits)) {
        pieces.iter().rev().for_each(|piece| samples.append(piece));
    } else {
        // Whoever reads one after another says what is wrong, the first of it.
        drop(pieces);
        samples.clear();
        let all = (survey.samples, 0);
        samples::read(survey, all, (limits, keep), &texts, &tables.location_ids, &mut samples)?;
    }
    Ok((texts, tables, samples))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_taken_once_from_whichever_end() {
        for parts in [0, 1, 2, 31, 32, 33, 70, 1000] {
            let left = Left::of(parts);
            let (mut first, mut last, mut pieces) = (0, parts, 0);
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
            assert_eq!(first, last, "{parts}");
            assert!(pieces <= PIECES && pieces >= PIECES.min(parts) / 2, "{pieces} of {parts}");
            assert!(left.first().is_none() && left.last().is_none());
        }
        let left = Left::of(5);
        left.give_up_unless(true);
        assert_eq!(left.first(), Some(0..1));
        left.give_up_unless(false);
        assert_eq!((left.first(), left.last()), (None, None));
    }
}
