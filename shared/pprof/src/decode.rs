//! Wire bytes into columns. The fields of a protobuf may come in any order and the ids in a profile are
//! arbitrary, so a quick survey of the top level comes first: it counts (and refuses what is over a
//! limit before anything is allocated) and tells which part of the input holds which table. Then each
//! table is read, in the order in which they refer to each other.
//!
//! What is accepted is what google/pprof's `ParseUncompressed` and `CheckValid` accept together
//! (profile/encode.go, profile/profile.go).

mod ids;
mod locations;
mod outward;
mod packed;
mod parts;
mod quick;
mod samples;
mod survey;
mod tables;

pub(crate) use self::outward::Outward;
pub(crate) use self::samples::Keep;
use self::survey::Survey;
use self::tables::{Tables, Texts};
use crate::cores::Core;
use crate::error::{Error, Fault};
use crate::limits::{self, Limits};
use crate::profile::{Header, Kind, Profile};

pub(crate) fn decode(raw: &[u8], limits: &Limits, keep: Keep) -> Result<Profile, Error> {
    if raw.is_empty() {
        return Err(Fault::Empty.into());
    }
    limits::raw_bytes(raw.len(), limits)?;
    let survey = Survey::of(raw, limits)?;
    let (texts, tables, mut samples) =
        match samples::can_be_parted(&survey, limits, keep).then(Core::take).flatten() {
            Some(core) => parts::read(&survey, core, limits, keep)?,
            None => {
                let texts = Texts::read(&survey)?;
                let tables = Tables::read(&survey, limits, &texts)?;
                let mut samples = samples::with_room(&survey, survey.samples, limits, keep);
                let all = survey.samples;
                samples::read(&survey, all, (limits, keep), &texts, &tables.location_ids, &mut samples)?;
                (texts, tables, samples)
            }
        };
    samples::order_labels(&mut samples, &texts);
    let header = header(&survey, &texts)?;
    let Tables { mappings, functions, locations, lines, .. } = tables;
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
