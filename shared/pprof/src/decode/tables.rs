//! The tables that samples lean on: strings, mappings, functions, and locations with their lines.

use super::ids::Ids;
use super::survey::Survey;
use crate::error::{Error, Fault};
use crate::limits::{self, Limits};
use crate::profile::{Function, Line, Location, Mapping, Span, index};
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
        let (locations, lines, location_ids) = locations(survey, limits, &mapping_ids, &function_ids)?;
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

const LOCATION: [&str; 3] = ["location.id", "location.mapping_id", "location.address"];

fn locations(
    survey: &Survey<'_>,
    limits: &Limits,
    mappings: &Ids,
    functions: &Ids,
) -> Result<(Vec<Location>, Vec<Line>, Ids), Error> {
    let table = survey.locations;
    let mut ids = Ids::new("location", table.count);
    let mut locations = Vec::with_capacity(table.count);
    let mut lines: Vec<Line> = Vec::with_capacity(table.count);
    survey.each_entry(table, |entry| {
        let start = lines.len();
        // Told once the location's id is known.
        let (mut unknown_function, mut folded) = (None, false);
        let [id, mapping, address] = entry.numbers(&LOCATION, |field| {
            match field.number {
                4 => {
                    let (function, mut line) = line(field.content("location.line")?)?;
                    match functions.position(function) {
                        Some(position) => line.function = position,
                        None => unknown_function = unknown_function.or(Some(function)),
                    }
                    lines.push(line);
                    limits::at_most("lines", lines.len(), limits.lines)?;
                    limits::at_most("lines on one location", lines.len() - start, limits.lines_per_location)?;
                }
                5 => folded = field.flag("location.is_folded")?,
                _ => {}
            }
            Ok(())
        })?;
        if let Some(function) = unknown_function {
            return Err(Fault::UnknownFunction { location: id, function }.into());
        }
        ids.add(id, locations.len())?;
        let lines = Span::since(start, lines.len());
        // A mapping that is not in the profile is no mapping, as in Go.
        locations.push(Location { id, mapping: mappings.position(mapping), address, lines, folded });
        Ok(())
    })?;
    Ok((locations, lines, ids))
}

const LINE: [&str; 3] = ["line.function_id", "line.line", "line.column"];

/// A line and the id of its function.
#[inline(always)]
fn line(entry: Cursor<'_>) -> Result<(u64, Line), Error> {
    let [function, line, column] = entry.numbers(&LINE, |_| Ok(()))?;
    Ok((function, Line { function: 0, line: line.cast_signed(), column: column.cast_signed() }))
}
