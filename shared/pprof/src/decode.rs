//! Wire bytes into columns. The fields of a protobuf may come in any order and the ids in a profile are
//! arbitrary, so a quick survey of the top level comes first: it counts (and refuses what is over a
//! limit before anything is allocated) and tells which part of the input holds which table. Then each
//! table is read once, in the order in which they refer to each other.
//!
//! What is accepted is what google/pprof's `ParseUncompressed` and `CheckValid` accept together
//! (profile/encode.go, profile/profile.go).

mod ids;
mod outward;
mod packed;
mod quick;
mod samples;
mod survey;
mod tables;

use self::ids::Ids;
pub(crate) use self::outward::Outward;
use self::quick::Quick;
pub(crate) use self::samples::Keep;
use self::survey::{Survey, Table};
use self::tables::Texts;
use crate::cores::{both, is_one_free};
use crate::error::{Error, Fault};
use crate::limits::{self, Limits};
use crate::profile::{Function, Header, Kind, Line, Location, Mapping, Profile, Samples};

pub(crate) fn decode(raw: &[u8], limits: &Limits, keep: Keep) -> Result<Profile, Error> {
    if raw.is_empty() {
        return Err(Fault::Empty.into());
    }
    limits::raw_bytes(raw.len(), limits)?;
    let survey = Survey::of(raw, limits)?;
    let parted =
        is_one_free() && samples::can_be_parted(survey.samples, survey.sample_types.len(), limits, keep);
    let (texts, mut read) = if parted {
        in_parts(&survey, limits, keep)?
    } else {
        let texts = Texts::read(&survey)?;
        let (read, _) = up_to(&survey, survey.samples, limits, &texts, keep)?;
        (texts, read)
    };
    samples::order_labels(&mut read.samples, &texts);
    let header = header(&survey, &texts)?;
    let Decoded { mappings, functions, locations, lines, samples, .. } = read;
    Ok(Profile { strings: texts.strings, header, mappings, functions, locations, lines, samples })
}

/// What leans on the texts, tables and samples.
struct Decoded {
    mappings: Vec<Mapping>,
    functions: Vec<Function>,
    locations: Vec<Location>,
    lines: Vec<Line>,
    location_ids: Ids,
    samples: Samples,
}

/// The last samples are read by another thread if there is a core for it, while the tables and the first ones are.
fn in_parts(survey: &Survey<'_>, limits: &Limits, keep: Keep) -> Result<(Texts, Decoded), Error> {
    // As writers number locations; whether this one did is known when the table is read.
    let expected = Ids::counting("location", survey.locations.count);
    let is_quick = Quick::of(survey, &expected).is_some();
    // In what a byte of samples takes: more, where those are quick (measured on rclone-full).
    let effort = survey.locations.effort() + survey.functions.effort();
    let effort = if is_quick { effort * 3 / 2 } else { effort };
    let (before, beside) = match keep {
        Keep::All => (Texts::read(survey)?, effort),
        // Texts of what is not kept have to be there, whatever they say.
        Keep::Top => (Texts::count(survey)?, effort + survey.strings.effort() * 2),
    };
    let [first, second] = survey.parts(beside);
    let mut behind = samples::with_room(second, survey.sample_types.len(), limits, keep);
    let (read, mut rest) = both(
        true,
        || {
            let texts = if keep == Keep::Top { Some(Texts::read(survey)?) } else { None };
            let (read, of_samples) = up_to(survey, first, limits, texts.as_ref().unwrap_or(&before), keep)?;
            Ok::<_, Error>((texts, read, of_samples))
        },
        || samples::read(survey, (second, first.count), (limits, keep), &before, &expected, &mut behind),
    );
    let (texts, mut read, of_first) = read?;
    if read.location_ids.counted() != expected.counted() {
        behind.clear();
        let ids = &read.location_ids;
        rest = samples::read(survey, (second, first.count), (limits, keep), &before, ids, &mut behind);
    }
    rest?.within(of_first, limits)?;
    read.samples.append(&behind);
    Ok((texts.unwrap_or(before), read))
}

/// The tables, and the samples of the first part of theirs.
fn up_to(
    survey: &Survey<'_>,
    part: Table,
    limits: &Limits,
    texts: &Texts,
    keep: Keep,
) -> Result<(Decoded, samples::Counts), Error> {
    let (mappings, mapping_ids) = tables::mappings(survey, texts)?;
    let (functions, function_ids) = tables::functions(survey, texts)?;
    let (locations, lines, location_ids) = tables::locations(survey, limits, &mapping_ids, &function_ids)?;
    let width = survey.sample_types.len();
    if width == 0 && survey.samples.count > 0 {
        return Err(Fault::NoSampleTypes.into());
    }
    let mut samples = samples::with_room(survey.samples, width, limits, keep);
    let read = samples::read(survey, (part, 0), (limits, keep), texts, &location_ids, &mut samples)?;
    Ok((Decoded { mappings, functions, locations, lines, location_ids, samples }, read))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    /// One sample type, string table and mapping each; the rest is what a test adds.
    const START: [u8; 12] = [10, 4, 8, 1, 16, 2, 50, 0, 50, 1, b'a', 50];
    const FUNCTION: [u8; 4] = [42, 2, 8, 1];
    const LOCATION: [u8; 8] = [34, 6, 8, 1, 34, 2, 8, 1];

    fn refusal(parts: &[&[u8]]) -> String {
        let raw = [&START[..], &[1, b'b'], &parts.concat()].concat();
        let error = decode(&raw, &Limits::default(), Keep::All).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        error.to_string()
    }

    #[test]
    fn a_contradiction_is_named() {
        let sample = |location: u8, values: &[u8]| {
            let values: Vec<u8> = values.iter().flat_map(|&value| [16, value]).collect();
            [&[18, values.len() as u8 + 2, 8, location], &values[..]].concat()
        };
        for (parts, expected) in [
            (
                &[&FUNCTION[..], &LOCATION, &sample(2, &[1])][..],
                "malformed profile: sample 0 names location 2, which is not in the profile",
            ),
            (
                &[&FUNCTION, &LOCATION, &sample(1, &[1]), &sample(1, &[1, 2, 3])],
                "malformed profile: sample 1 has 3 values for 1 sample types",
            ),
            (
                &[&FUNCTION, &LOCATION, &sample(1, &[])],
                "malformed profile: sample 0 has 0 values for 1 sample types",
            ),
            (
                &[&LOCATION],
                "malformed profile: location 1 has a line of function 1, which is not in the profile",
            ),
            (&[&FUNCTION, &FUNCTION], "malformed profile: two functions have the id 1"),
            (&[&[26, 0]], "malformed profile: a mapping has the reserved id 0"),
            (
                &[&[42, 4, 8, 1, 16, 3]],
                "malformed profile: function.name names string 3, but string_table has 3 entries",
            ),
            (
                &[&[112, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]],
                "malformed profile: default_sample_type names string -1, but string_table has 3 entries",
            ),
            (
                &[&[72, 1, 72, 2]],
                "malformed profile: two profiles were concatenated (a second time_nanos at byte 16); \
                 merge them instead",
            ),
            (&[&[18, 2, 13, 0]], "not a pprof profile: the field at byte 16 needs 4 bytes, only 1 are left"),
            (
                &[&[42, 2, 10, 0]],
                "not a pprof profile: function.id at byte 16 has wire type 2, not 0 (a number)",
            ),
        ] {
            assert_eq!(refusal(parts), expected);
        }
    }

    #[test]
    fn a_string_table_starts_with_the_empty_string() {
        let text =
            |raw: &[u8]| decode(raw, &Limits::default(), Keep::All).map(|_| ()).unwrap_err().to_string();
        assert_eq!(
            text(&[8, 1]),
            "not a pprof profile: sample_type at byte 0 has wire type 0, not 2 (a string or message)"
        );
        assert_eq!(text(&[96, 1]), "not a pprof profile: it has no string_table");
        assert_eq!(
            text(&[50, 1, b'a']),
            "malformed profile: string_table[0] is not the empty string (byte 0)"
        );
        assert_eq!(text(&[50, 0, 18, 0]), "malformed profile: it has samples, but no sample_type");
        assert_eq!(text(&[]), "the profile is empty: it has no bytes");
        decode(&[50, 0], &Limits::default(), Keep::All).unwrap();
    }
}
