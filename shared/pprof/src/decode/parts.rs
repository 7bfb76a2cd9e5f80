//! Samples read by two threads. One reads the tables first, and may come late to the samples or be held up; so they take parts of
//! them from either end, until none is left.

use std::ops::Range;

use super::ids::Ids;
use super::samples::{self, Counts, Keep};
use super::survey::Survey;
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
    // As writers number locations; whether this one did is known when the table is read.
    let expected = Ids::counting("location", survey.locations.count);
    // Texts of what is not kept have to be there, whatever they say.
    let before = match keep {
        Keep::All => Texts::read(survey)?,
        Keep::Top => Texts::count(survey)?,
    };
    let left = Shares::of(survey.parts());
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
