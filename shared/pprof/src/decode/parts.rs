//! Samples read by two threads. One reads the tables first, and may come late to the samples or be held up; so they take parts of
//! them from either end, until none is left.

use super::ids::Ids;
use super::samples::{self, Counts, Keep};
use super::survey::{Survey, Table};
use super::tables::{Tables, Texts};
use crate::cores::{Core, at_once};
use crate::error::Error;
use crate::limits::Limits;
use crate::profile::Samples;
use crate::shares::Shares;

/// Reads all but the header, the samples by another thread as well.
pub(super) fn read(
    survey: &Survey<'_>,
    core: Core,
    limits: &Limits,
    keep: Keep,
) -> Result<(Texts, Tables, Samples), Error> {
    // Texts of what is not kept have to be there, whatever they say.
    let before = match keep {
        Keep::All => Texts::read(survey)?,
        Keep::Top => Texts::count(survey)?,
    };
    // As writers number locations; whether this one did is known when the table is read.
    let expected = Ids::counting("location", survey.locations.count);
    let reading = Reading { survey, limits, keep, texts: &before, locations: &expected };
    let left = Shares::of(survey.parts());
    let here = || {
        let texts = if keep == Keep::Top { Some(Texts::read(survey)?) } else { None };
        let tables = Tables::read(survey, limits, texts.as_ref().unwrap_or(&before))?;
        let mut samples = samples::with_room(survey, survey.samples, limits, keep);
        let counts = (tables.location_ids.counted() == expected.counted())
            .then(|| reading.first(&left, &mut samples))
            .flatten();
        Ok::<_, Error>((texts, tables, samples, counts))
    };
    let (read, (pieces, counts)) = at_once(
        Some(core),
        || {
            let read = here();
            left.give_up_unless(matches!(read, Ok((_, _, _, Some(_)))));
            read
        },
        || reading.last(&left),
    );
    let (texts, tables, mut samples, of_first) = read?;
    let texts = texts.unwrap_or(before);
    let all = of_first.zip(counts).map(|(first, others)| first.and(others));
    if all.is_some_and(|all| all.are_within(limits)) {
        pieces.into_iter().rev().for_each(|piece| samples.append(&piece));
    } else {
        // Whoever reads one after another says what is wrong, the first of it.
        drop(pieces);
        samples.clear();
        let all = survey.samples;
        samples::read(survey, all, (limits, keep), &texts, &tables.location_ids, &mut samples)?;
    }
    Ok((texts, tables, samples))
}

/// How samples are read while it is not known yet whether all is as expected.
struct Reading<'a> {
    survey: &'a Survey<'a>,
    limits: &'a Limits,
    keep: Keep,
    texts: &'a Texts,
    locations: &'a Ids,
}

impl Reading<'_> {
    /// Reads pieces from the start, as long as there are some. What was in them, if nothing is wrong.
    fn first(&self, left: &Shares, samples: &mut Samples) -> Option<Counts> {
        let mut all = Counts::default();
        while let Some(parts) = left.first() {
            all = all.and(self.piece(self.survey.part(parts), samples)?);
        }
        Some(all)
    }

    /// The same from the end, each piece by itself: the last one first.
    fn last(&self, left: &Shares) -> (Vec<Samples>, Option<Counts>) {
        let mut pieces = Vec::new();
        let mut counts = Some(Counts::default());
        while let Some(all) = counts
            && let Some(parts) = left.last()
        {
            let part = self.survey.part(parts);
            let mut samples = samples::with_room(self.survey, part, self.limits, self.keep);
            counts = self.piece(part, &mut samples).map(|read| all.and(read));
            pieces.push(samples);
        }
        left.give_up_unless(counts.is_some());
        (pieces, counts)
    }

    fn piece(&self, part: Table, samples: &mut Samples) -> Option<Counts> {
        let Self { survey, limits, keep, texts, locations } = *self;
        samples::read(survey, part, (limits, keep), texts, locations, samples).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::example::varint;

    /// A profile of samples with one frame each, whose value is their number.
    fn profile(samples: u64) -> Vec<u8> {
        let mut raw = vec![10, 4, 8, 1, 16, 1, 34, 2, 8, 1];
        for at in 0..samples {
            let sample = [&[8, 1, 16][..], &varint(at)].concat();
            raw.extend([18, sample.len() as u8]);
            raw.extend(sample);
        }
        raw.extend([50, 0, 50, 1, b'a']);
        raw
    }

    #[test]
    fn pieces_are_in_order_wherever_both_meet() {
        const SAMPLES: usize = 40 * 1024 + 7;
        let (raw, limits) = (profile(SAMPLES as u64), Limits::default());
        let survey = &Survey::of(&raw, &limits).unwrap();
        let locations = &Ids::counting("location", 1);
        for keep in [Keep::All, Keep::Top] {
            let texts = &Texts::count(survey).unwrap();
            let reading = Reading { survey, limits: &limits, keep, texts, locations };
            for taken in 0..=21 {
                let left = Shares::of(survey.parts());
                let mut samples = samples::with_room(survey, survey.samples, &limits, keep);
                let first: Vec<Range<usize>> = (0..taken).filter_map(|_| left.first()).collect();
                for parts in first {
                    reading.piece(survey.part(parts), &mut samples).unwrap();
                }
                let (pieces, counts) = reading.last(&left);
                assert_eq!(pieces.len(), 21 - taken, "two parts in each");
                assert_eq!(counts.unwrap().frames, SAMPLES - samples.len());
                pieces.into_iter().rev().for_each(|piece| samples.append(&piece));
                assert!(samples.values.iter().copied().eq(0..SAMPLES as i64), "{taken}");
                assert_eq!(samples.frames.len(), SAMPLES);
            }
        }
    }

    #[test]
    fn what_is_wrong_anywhere_ends_both() {
        let limits = Limits::default();
        for wrong in [0, 5_000, 40_000] {
            let mut raw = profile(40_100);
            // Each takes the room of one frame that is not there.
            let bytes: usize = (0..wrong).map(|at| 5 + varint(at).len()).sum();
            raw[10 + bytes + 3] = 2;
            let survey = &Survey::of(&raw, &limits).unwrap();
            let (texts, locations) = (&Texts::count(survey).unwrap(), &Ids::counting("location", 1));
            let reading = Reading { survey, limits: &limits, keep: Keep::All, texts, locations };
            let left = Shares::of(survey.parts());
            assert!(reading.last(&left).1.is_none(), "{wrong}");
            assert!(left.first().is_none() && left.last().is_none());
            assert!(reading.first(&Shares::of(survey.parts()), &mut Samples::new(1)).is_none());
        }
    }
}
