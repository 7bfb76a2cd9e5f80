//! The tables that samples lean on: strings, mappings, functions, and locations with their lines.

use super::ids::Ids;
use super::locations;
use super::survey::Survey;
use crate::error::{Error, Fault};
use crate::limits::Limits;
use crate::profile::{Function, Line, Location, Mapping, index};
use crate::strings::{Str, Strings};
use crate::wire::Cursor;

/// The wire's string table.
pub(super) struct Texts {
    pub(super) strings: Strings,
    entries: Entries,
}

enum Entries {
    /// Each is interned.
    Interned(Vec<Str>),
    /// Of each there is only its number.
    Counted(usize),
}

impl Texts {
    pub(super) fn read(survey: &Survey<'_>) -> Result<Self, Error> {
        let table = survey.strings;
        if table.count == 0 {
            return Err(Fault::NoStrings.into());
        }
        let mut strings = Strings::with_capacity(table.count, table.bytes);
        let mut entries = Vec::with_capacity(table.count);
        survey.each_entry(table, |text| {
            entries.push(strings.intern(text.bytes()));
            Ok(())
        })?;
        Ok(Self { strings, entries: Entries::Interned(entries) })
    }

    /// Without what they say: for whoever only asks whether they are there.
    pub(super) fn count(survey: &Survey<'_>) -> Result<Self, Error> {
        match survey.strings.count {
            0 => Err(Fault::NoStrings.into()),
            count => Ok(Self { strings: Strings::new(), entries: Entries::Counted(count) }),
        }
    }

    /// The string that the wire calls `at`.
    #[inline]
    pub(super) fn at(&self, at: i64, field: &'static str) -> Result<Str, Error> {
        let known = |at: usize| match &self.entries {
            Entries::Interned(entries) => entries.get(at).copied(),
            Entries::Counted(count) => (at < *count).then(|| Str::new(index(at))),
        };
        usize::try_from(at).ok().and_then(known).ok_or_else(|| {
            let strings = match &self.entries {
                Entries::Interned(entries) => entries.len(),
                Entries::Counted(count) => *count,
            };
            Fault::StringIndex { field, index: at, strings }.into()
        })
    }
}

/// What samples lean on.
pub(super) struct Tables {
    pub(super) mappings: Vec<Mapping>,
    pub(super) functions: Vec<Function>,
    pub(super) locations: Vec<Location>,
    pub(super) lines: Vec<Line>,
    pub(super) location_ids: Ids,
}

impl Tables {
    pub(super) fn read(survey: &Survey<'_>, limits: &Limits, texts: &Texts) -> Result<Self, Error> {
        let (mappings, mapping_ids) = mappings(survey, texts)?;
        let (functions, function_ids) = functions(survey, texts)?;
        let (locations, lines, location_ids) = locations::read(survey, limits, &mapping_ids, &function_ids)?;
        if survey.sample_types.is_empty() && survey.samples.count > 0 {
            return Err(Fault::NoSampleTypes.into());
        }
        Ok(Self { mappings, functions, locations, lines, location_ids })
    }
}

fn mappings(survey: &Survey<'_>, texts: &Texts) -> Result<(Vec<Mapping>, Ids), Error> {
    let table = survey.mappings;
    let mut ids = Ids::new("mapping", table.count);
    let mut mappings = Vec::with_capacity(table.count);
    survey.each_entry(table, |entry| {
        let mapping = mapping(entry, texts)?;
        ids.add(mapping.id, mappings.len())?;
        mappings.push(mapping);
        Ok(())
    })?;
    Ok((mappings, ids))
}

const MAPPING: [&str; 10] = [
    "mapping.id",
    "mapping.memory_start",
    "mapping.memory_limit",
    "mapping.file_offset",
    "mapping.filename",
    "mapping.build_id",
    "mapping.has_functions",
    "mapping.has_filenames",
    "mapping.has_line_numbers",
    "mapping.has_inline_frames",
];

fn mapping(entry: Cursor<'_>, texts: &Texts) -> Result<Mapping, Error> {
    let [id, start, limit, offset, file, build_id, has @ ..] = entry.numbers(&MAPPING, |_| Ok(()))?;
    let file = texts.at(file.cast_signed(), MAPPING[4])?;
    let build_id = texts.at(build_id.cast_signed(), MAPPING[5])?;
    Ok(Mapping { id, start, limit, offset, file, build_id, has: has.map(|flag| flag != 0) })
}

fn functions(survey: &Survey<'_>, texts: &Texts) -> Result<(Vec<Function>, Ids), Error> {
    let table = survey.functions;
    let mut ids = Ids::new("function", table.count);
    let mut functions = Vec::with_capacity(table.count);
    survey.each_entry(table, |entry| {
        let function = function(entry, texts)?;
        ids.add(function.id, functions.len())?;
        functions.push(function);
        Ok(())
    })?;
    Ok((functions, ids))
}

const FUNCTION: [&str; 5] =
    ["function.id", "function.name", "function.system_name", "function.filename", "function.start_line"];

fn function(entry: Cursor<'_>, texts: &Texts) -> Result<Function, Error> {
    let [id, name, system_name, filename, start_line] =
        entry.numbers(&FUNCTION, |_| Ok(()))?.map(u64::cast_signed);
    Ok(Function {
        id: id.cast_unsigned(),
        name: texts.at(name, FUNCTION[1])?,
        system_name: texts.at(system_name, FUNCTION[2])?,
        filename: texts.at(filename, FUNCTION[3])?,
        start_line,
    })
}
