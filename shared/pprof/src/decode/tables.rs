//! The tables that samples lean on: strings, mappings, functions, and locations with their lines.

use super::ids::Ids;
use super::survey::Survey;
use crate::error::{Error, Fault};
use crate::limits::{self, Limits};
use crate::profile::{Function, Line, Location, Mapping, Span};
use crate::strings::{Str, Strings};
use crate::wire::Cursor;

/// The wire's string table: each entry interned.
pub(super) struct Texts {
    pub(super) strings: Strings,
    entries: Vec<Str>,
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
        Ok(Self { strings, entries })
    }

    /// The string that the wire calls `at`.
    #[inline]
    pub(super) fn at(&self, at: i64, field: &'static str) -> Result<Str, Error> {
        let entry = usize::try_from(at).ok().and_then(|at| self.entries.get(at));
        entry
            .copied()
            .ok_or_else(|| Fault::StringIndex { field, index: at, strings: self.entries.len() }.into())
    }
}

pub(super) fn mappings(survey: &Survey<'_>, texts: &Texts) -> Result<(Vec<Mapping>, Ids), Error> {
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

fn mapping(mut cursor: Cursor<'_>, texts: &Texts) -> Result<Mapping, Error> {
    let (mut file, mut build_id) = (0, 0);
    let mut mapping = Mapping {
        id: 0,
        start: 0,
        limit: 0,
        offset: 0,
        file: Str::EMPTY,
        build_id: Str::EMPTY,
        has: [false; 4],
    };
    while let Some(field) = cursor.field()? {
        match field.number {
            1 => mapping.id = field.uint("mapping.id")?,
            2 => mapping.start = field.uint("mapping.memory_start")?,
            3 => mapping.limit = field.uint("mapping.memory_limit")?,
            4 => mapping.offset = field.uint("mapping.file_offset")?,
            5 => file = field.int("mapping.filename")?,
            6 => build_id = field.int("mapping.build_id")?,
            7 => mapping.has[0] = field.flag("mapping.has_functions")?,
            8 => mapping.has[1] = field.flag("mapping.has_filenames")?,
            9 => mapping.has[2] = field.flag("mapping.has_line_numbers")?,
            10 => mapping.has[3] = field.flag("mapping.has_inline_frames")?,
            _ => {}
        }
    }
    mapping.file = texts.at(file, "mapping.filename")?;
    mapping.build_id = texts.at(build_id, "mapping.build_id")?;
    Ok(mapping)
}

pub(super) fn functions(survey: &Survey<'_>, texts: &Texts) -> Result<(Vec<Function>, Ids), Error> {
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

fn function(mut cursor: Cursor<'_>, texts: &Texts) -> Result<Function, Error> {
    let (mut id, mut name, mut system_name, mut filename, mut start_line) = (0, 0, 0, 0, 0);
    while let Some(field) = cursor.field()? {
        match field.number {
            1 => id = field.uint("function.id")?,
            2 => name = field.int("function.name")?,
            3 => system_name = field.int("function.system_name")?,
            4 => filename = field.int("function.filename")?,
            5 => start_line = field.int("function.start_line")?,
            _ => {}
        }
    }
    Ok(Function {
        id,
        name: texts.at(name, "function.name")?,
        system_name: texts.at(system_name, "function.system_name")?,
        filename: texts.at(filename, "function.filename")?,
        start_line,
    })
}

pub(super) fn locations(
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
        let mut location =
            Location { id: 0, mapping: None, address: 0, lines: Span::default(), folded: false };
        // Told once the location's id is known.
        let mut unknown_function = None;
        let mut cursor = entry;
        while let Some(field) = cursor.field()? {
            match field.number {
                1 => location.id = field.uint("location.id")?,
                // A mapping that is not in the profile is no mapping, as in Go.
                2 => location.mapping = mappings.position(field.uint("location.mapping_id")?),
                3 => location.address = field.uint("location.address")?,
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
                5 => location.folded = field.flag("location.is_folded")?,
                _ => {}
            }
        }
        if let Some(function) = unknown_function {
            return Err(Fault::UnknownFunction { location: location.id, function }.into());
        }
        ids.add(location.id, locations.len())?;
        location.lines = Span::since(start, lines.len());
        locations.push(location);
        Ok(())
    })?;
    Ok((locations, lines, ids))
}

/// A line and the id of its function.
#[inline(always)]
fn line(mut cursor: Cursor<'_>) -> Result<(u64, Line), Error> {
    let (mut function, mut line) = (0, Line { function: 0, line: 0, column: 0 });
    while let Some(field) = cursor.field()? {
        match field.number {
            1 => function = field.uint("line.function_id")?,
            2 => line.line = field.int("line.line")?,
            3 => line.column = field.int("line.column")?,
            _ => {}
        }
    }
    Ok((function, line))
}
