//! Wire bytes into columns. The fields of a protobuf may come in any order and the ids in a profile are
//! arbitrary, so a quick survey of the top level comes first: it counts (and refuses what is over a
//! limit before anything is allocated) and tells which part of the input holds which table. Then each
//! table is read once, in the order in which they refer to each other.
//!
//! What is accepted is what google/pprof's `ParseUncompressed` and `CheckValid` accept together
//! (profile/encode.go, profile/profile.go).

mod ids;
mod samples;
mod survey;
mod tables;

use self::survey::Survey;
use self::tables::Texts;
use crate::error::{Error, Fault};
use crate::limits::{self, Limits};
use crate::profile::{Header, Kind, Profile};

pub(crate) fn decode(raw: &[u8], limits: &Limits) -> Result<Profile, Error> {
    if raw.is_empty() {
        return Err(Fault::Empty.into());
    }
    limits::raw_bytes(raw.len(), limits)?;
    let survey = Survey::of(raw, limits)?;
    let texts = Texts::read(&survey)?;
    let (mappings, mapping_ids) = tables::mappings(&survey, &texts)?;
    let (functions, function_ids) = tables::functions(&survey, &texts)?;
    let (locations, lines, location_ids) = tables::locations(&survey, limits, &mapping_ids, &function_ids)?;
    let samples = samples::samples(&survey, limits, &texts, &location_ids)?;
    let header = header(&survey, &texts)?;
    Ok(Profile { strings: texts.strings, header, mappings, functions, locations, lines, samples })
}

fn header(survey: &Survey<'_>, texts: &Texts) -> Result<Header, Error> {
    let kind = |&(kind, unit): &(i64, i64), fields: [&'static str; 2]| {
        Ok::<_, Error>(Kind { kind: texts.at(kind, fields[0])?, unit: texts.at(unit, fields[1])? })
    };
    let sample_types =
        survey.sample_types.iter().map(|st| kind(st, ["sample_type.type", "sample_type.unit"]));
    let comments = survey.comments.iter().map(|&at| texts.at(at, "comment"));
    Ok(Header {
        sample_types: sample_types.collect::<Result<_, _>>()?,
        default_sample_type: texts.at(survey.default_sample_type, "default_sample_type")?,
        drop_frames: texts.at(survey.drop_frames, "drop_frames")?,
        keep_frames: texts.at(survey.keep_frames, "keep_frames")?,
        doc_url: texts.at(survey.doc_url, "doc_url")?,
        comments: comments.collect::<Result<_, _>>()?,
        period_type: kind(&survey.period_type, ["period_type.type", "period_type.unit"])?,
        period: survey.period,
        time_nanos: survey.time_nanos,
        duration_nanos: survey.duration_nanos,
    })
}
