//! Samples read by two threads. One reads the tables first, and either may come late to the samples or be held up; so they take parts
//! of them from either end, until none is left.

use std::sync::{Mutex, PoisonError};

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
    let reading = Reading::of(survey, (limits, keep), &before, &expected);
    let here = || {
        let texts = if keep == Keep::Top { Some(Texts::read(survey)?) } else { None };
        let tables = Tables::read(survey, limits, texts.as_ref().unwrap_or(&before))?;
        let is_expected = tables.location_ids.counted() == expected.counted();
        let read = if is_expected { reading.share() } else { Read::default() };
        Ok::<_, Error>((texts, tables, read))
    };
    let (here, there) = at_once(
        Some(core),
        || {
            let read = here();
            reading.left.give_up_unless(matches!(&read, Ok((_, _, Read { counts: Some(_), .. }))));
            read
        },
        || reading.share(),
    );
    // It borrows texts.
    drop(reading);
    let (texts, tables, here) = here?;
    let texts = texts.unwrap_or(before);
    let samples = match here.and(there, limits) {
        Some(samples) => samples,
        // Whoever reads one after another says what is wrong, the first of it.
        None => {
            let mut samples = samples::with_room(survey, survey.samples, limits, keep);
            let all = survey.samples;
            samples::read(survey, all, (limits, keep), &texts, &tables.location_ids, &mut samples)?;
            samples
        }
    };
    Ok((texts, tables, samples))
}

/// How samples are read while it is not known yet whether all is as expected.
struct Reading<'a> {
    survey: &'a Survey<'a>,
    limits: &'a Limits,
    keep: Keep,
    texts: &'a Texts,
    locations: &'a Ids,
    left: Shares,
    /// With room for all, for whoever comes first: the other's are copied, and should be fewer.
    whole: Mutex<Option<Samples>>,
}

/// What one of two threads read.
#[derive(Default)]
struct Read {
    /// From the start.
    whole: Option<Samples>,
    /// From the end, the last piece first.
    pieces: Vec<Samples>,
    /// What was in all of them, if nothing is wrong.
    counts: Option<Counts>,
}

impl Read {
    /// Those of both, in order, if nothing is wrong and they pass no limit.
    fn and(self, other: Self, limits: &Limits) -> Option<Samples> {
        let counts = self.counts?.and(other.counts?);
        let mut samples = self.whole.or(other.whole).filter(|_| counts.are_within(limits))?;
        let pieces = [self.pieces, other.pieces].into_iter().flatten();
        pieces.rev().for_each(|piece| samples.append(&piece));
        Some(samples)
    }
}

impl<'a> Reading<'a> {
    fn of(
        survey: &'a Survey<'a>,
        (limits, keep): (&'a Limits, Keep),
        texts: &'a Texts,
        locations: &'a Ids,
    ) -> Self {
        let whole = Mutex::new(Some(samples::with_room(survey, survey.samples, limits, keep)));
        Self { survey, limits, keep, texts, locations, left: Shares::of(survey.parts()), whole }
    }

    /// Reads samples, as long as there are some and nothing is wrong.
    fn share(&self) -> Read {
        let read = match self.whole() {
            Some(whole) => self.first(whole),
            None => self.last(),
        };
        self.left.give_up_unless(read.counts.is_some());
        read
    }

    /// The room for all, if nobody has it.
    fn whole(&self) -> Option<Samples> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Reads pieces from the start.
    fn first(&self, mut samples: Samples) -> Read {
        let mut counts = Some(Counts::default());
        while let Some(all) = counts
            && let Some(parts) = self.left.first()
        {
            counts = self.piece(self.survey.part(parts), &mut samples).map(|read| all.and(read));
        }
        Read { whole: Some(samples), pieces: Vec::new(), counts }
    }

    /// The same from the end, each piece by itself.
    fn last(&self) -> Read {
        let (mut pieces, mut counts) = (Vec::new(), Some(Counts::default()));
        while let Some(all) = counts
            && let Some(parts) = self.left.last()
        {
            let part = self.survey.part(parts);
            let mut samples = samples::with_room(self.survey, part, self.limits, self.keep);
            counts = self.piece(part, &mut samples).map(|read| all.and(read));
            pieces.push(samples);
        }
        Read { whole: None, pieces, counts }
    }

    fn piece(&self, part: Table, samples: &mut Samples) -> Option<Counts> {
        let &Self { survey, limits, keep, texts, locations, .. } = self;
        samples::read(survey, part, (limits, keep), texts, locations, samples).ok()
    }
}

#[cfg(test)]
mod tests {
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

    /// All who read these samples, which have one location.
    fn with_reading(survey: &Survey<'_>, keep: Keep, see: impl Fn(&Reading<'_>)) {
        let (texts, locations) = (&Texts::count(survey).unwrap(), &Ids::counting("location", 1));
        see(&Reading::of(survey, (&Limits::default(), keep), texts, locations));
    }

    #[test]
    fn pieces_are_in_order_wherever_both_meet() {
        const SAMPLES: usize = 40 * 1024 + 7;
        let (raw, limits) = (profile(SAMPLES as u64), Limits::default());
        let survey = &Survey::of(&raw, &limits).unwrap();
        for (keep, taken) in
            [Keep::All, Keep::Top].into_iter().flat_map(|keep| (0..=21).map(move |at| (keep, at)))
        {
            with_reading(survey, keep, |reading| {
                let mut first =
                    Read { counts: Some(Counts::default()), whole: reading.whole(), ..Read::default() };
                for _ in 0..taken {
                    let part = survey.part(reading.left.first().unwrap());
                    let counts = reading.piece(part, first.whole.as_mut().unwrap()).unwrap();
                    first.counts = first.counts.map(|all| all.and(counts));
                }
                let mut last = reading.share();
                assert_eq!(last.pieces.len(), 21 - taken, "two parts in each");
                // Whichever of them is whose.
                if taken % 2 == 0 {
                    std::mem::swap(&mut first, &mut last);
                }
                assert_eq!(first.counts.unwrap().and(last.counts.unwrap()).frames, SAMPLES);
                let samples = first.and(last, &limits).unwrap();
                assert!(samples.values.iter().copied().eq(0..SAMPLES as i64), "{taken}");
                assert_eq!(samples.frames.len(), SAMPLES);
            });
        }
    }

    #[test]
    fn whoever_comes_first_reads_from_the_start() {
        let raw = profile(40_000);
        let survey = &Survey::of(&raw, &Limits::default()).unwrap();
        with_reading(survey, Keep::Top, |reading| {
            let first = reading.share();
            assert!(first.pieces.is_empty());
            assert_eq!(first.whole.as_ref().map(Samples::len), Some(40_000));
            let late = reading.share();
            assert!(late.whole.is_none() && late.pieces.is_empty());
            let too_few = Limits { frames: 39_999, ..Limits::default() };
            assert!(first.and(late, &too_few).is_none());
        });
    }

    #[test]
    fn what_is_wrong_anywhere_ends_both() {
        for wrong in [0, 5_000, 40_000] {
            let mut raw = profile(40_100);
            // Each takes the room of one frame that is not there.
            let bytes: usize = (0..wrong).map(|at| 5 + varint(at).len()).sum();
            raw[10 + bytes + 3] = 2;
            let limits = Limits::default();
            let survey = &Survey::of(&raw, &limits).unwrap();
            for from_start in [true, false] {
                with_reading(survey, Keep::All, |reading| {
                    let whole = if from_start { None } else { reading.whole() };
                    let read = reading.share();
                    assert!(read.counts.is_none(), "{wrong}");
                    assert!(reading.left.first().is_none() && reading.left.last().is_none());
                    let other = Read { whole, counts: Some(Counts::default()), ..Read::default() };
                    assert!(read.and(other, &limits).is_none());
                });
            }
        }
    }
}
