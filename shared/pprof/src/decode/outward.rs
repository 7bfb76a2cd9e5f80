//! An upload looked at without being kept: its tables are read, because samples name what is in them, and its samples
//! one after another. No text is copied and no stack is stored, so it takes the inflated profile and little more.

use super::samples::{Counts, Keep, Reader};
use super::survey::Survey;
use super::tables::{Tables, Texts};
use crate::error::Error;
use crate::limits::{self, Limits};
use crate::profile::{Function, Line, Location, Samples};

/// How deep a stack is looked at. Go's runtime writes 128 frames at the most; one that is deeper is not for
/// this way, as it may be as large as the profile.
const DEEPEST: usize = 1 << 16;

/// What there is to know of a profile without its samples.
pub(crate) struct Outward<'a> {
    survey: Survey<'a>,
    texts: Texts,
    pub(crate) functions: Vec<Function>,
    pub(crate) locations: Vec<Location>,
    pub(crate) lines: Vec<Line>,
    /// The texts of sample types and comments, by their places in the wire's table of strings.
    named: Vec<(i64, &'a [u8])>,
}

impl<'a> Outward<'a> {
    /// Reads all of it and shows each sample to `see`: its stack, the leaf first, and its values. An error is one of
    /// [`decode`](super::decode), though not always the same one, or that a stack is too deep to be looked at.
    pub(crate) fn read(
        raw: &'a [u8],
        limits: &Limits,
        mut see: impl FnMut(&Self, &[u32], &[i64]) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        limits::raw_bytes(raw.len(), limits)?;
        let survey = Survey::of(raw, limits)?;
        let texts = Texts::count(&survey)?;
        let Tables { functions, locations, lines, location_ids, .. } = Tables::read(&survey, limits, &texts)?;
        super::header(&survey, &texts)?;
        let named = named(&survey)?;
        let outward = Self { survey, texts, functions, locations, lines, named };
        let mut one = Samples::new(outward.survey.sample_types.len());
        let mut before = Counts::default();
        let mut sample = 0;
        outward.survey.each_entry(outward.survey.samples, |entry| {
            one.clear();
            let frames = limits.frames.min(before.frames + DEEPEST);
            let (limits, keep) = (&Limits { frames, ..limits.clone() }, Keep::All);
            let (texts, locations) = (&outward.texts, &location_ids);
            let read = Reader { sample, before, limits, keep, texts, locations }.read(entry, &mut one)?;
            before = before.and(read);
            sample += 1;
            see(&outward, &one.frames, &one.values)
        })?;
        Ok(outward)
    }

    /// The sample types, each with its unit.
    pub(crate) fn sample_types(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.survey.sample_types.iter().map(|&(kind, unit)| (self.named(kind), self.named(unit)))
    }

    pub(crate) fn comments(&self) -> impl Iterator<Item = &'a [u8]> {
        self.survey.comments.iter().map(|&at| self.named(at))
    }

    fn named(&self, at: i64) -> &'a [u8] {
        // All that is asked for was looked up, and is there: the header was read.
        self.named.binary_search_by_key(&at, |&(at, _)| at).map_or(&[], |found| self.named[found].1)
    }
}

fn named<'a>(survey: &Survey<'a>) -> Result<Vec<(i64, &'a [u8])>, Error> {
    let types = survey.sample_types.iter().flat_map(|&(kind, unit)| [kind, unit]);
    let mut wanted: Vec<i64> = types.chain(survey.comments.iter().copied()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut named = Vec::with_capacity(wanted.len());
    let mut at = 0;
    survey.each_entry(survey.strings, |text| {
        if wanted.get(named.len()) == Some(&at) {
            named.push((at, text.bytes()));
        }
        at += 1;
        Ok(())
    })?;
    Ok(named)
}
