//! Locations with their lines.

use super::ids::Ids;
use super::survey::Survey;
use crate::error::{Error, Fault};
use crate::limits::{self, Limits};
use crate::profile::{Line, Location, Span};
use crate::wire::Cursor;

const LOCATION: [&str; 3] = ["location.id", "location.mapping_id", "location.address"];
const LINE: [&str; 3] = ["line.function_id", "line.line", "line.column"];

/// The tags of what Go's writers have of a location, and of a line.
const ID: u8 = 1 << 3;
const MAPPING: u8 = 2 << 3;
const ADDRESS: u8 = 3 << 3;
const LINES: u8 = 4 << 3 | 2;
const FUNCTION: u8 = 1 << 3;
const NUMBER: u8 = 2 << 3;

pub(super) fn read(
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
        let Head { id, mapping, address, folded } = match quick(entry, limits, functions, &mut lines) {
            Some(head) => head,
            None => {
                lines.truncate(start);
                any(entry, limits, functions, &mut lines)?
            }
        };
        ids.add(id, locations.len())?;
        let lines = Span::since(start, lines.len());
        // A mapping that is not in the profile is no mapping, as in Go.
        locations.push(Location { id, mapping: mappings.position(mapping), address, lines, folded });
        Ok(())
    })?;
    Ok((locations, lines, ids))
}

/// A location but for its lines.
struct Head {
    id: u64,
    mapping: u64,
    address: u64,
    folded: bool,
}

/// Reads one as Go's writers have it: its fields in their order, and each line's. `None` if it is not as expected, right or wrong:
/// then some lines may be there.
#[inline(always)]
fn quick(mut entry: Cursor<'_>, limits: &Limits, functions: &Ids, lines: &mut Vec<Line>) -> Option<Head> {
    let most = limits.lines.min(lines.len().saturating_add(limits.lines_per_location));
    entry.tag(ID)?;
    let id = entry.number().ok()?;
    // google/pprof has it here (profile/encode.go), runtime/pprof behind the lines (proto.go).
    let before = optional(&mut entry, MAPPING)?;
    let address = optional(&mut entry, ADDRESS)?.unwrap_or(0);
    while let Some(mut line) = entry.message(LINES) {
        line.tag(FUNCTION)?;
        let function = functions.position(line.number().ok()?)?;
        let number = optional(&mut line, NUMBER)?.unwrap_or(0).cast_signed();
        (line.is_empty() && lines.len() < most).then_some(())?;
        lines.push(Line { function, line: number, column: 0 });
    }
    // Of a field that comes twice the last one counts.
    let mapping = optional(&mut entry, MAPPING)?.or(before).unwrap_or(0);
    entry.is_empty().then_some(Head { id, mapping, address, folded: false })
}

/// The number of this tag, if that is next; `None` if it has no end.
#[inline(always)]
fn optional(entry: &mut Cursor<'_>, tag: u8) -> Option<Option<u64>> {
    match entry.tag(tag) {
        Some(()) => entry.number().ok().map(Some),
        None => Some(None),
    }
}

/// Reads one by asking for each field what it is.
#[inline(never)]
fn any(entry: Cursor<'_>, limits: &Limits, functions: &Ids, lines: &mut Vec<Line>) -> Result<Head, Error> {
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
    match unknown_function {
        Some(function) => Err(Fault::UnknownFunction { location: id, function }.into()),
        None => Ok(Head { id, mapping, address, folded }),
    }
}

/// A line and the id of its function.
#[inline(always)]
fn line(entry: Cursor<'_>) -> Result<(u64, Line), Error> {
    let [function, line, column] = entry.numbers(&LINE, |_| Ok(()))?;
    Ok((function, Line { function: 0, line: line.cast_signed(), column: column.cast_signed() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Random, varint};

    const FUNCTIONS: u64 = 300;

    fn number(tag: u8, number: u64) -> Vec<u8> {
        [&[tag][..], &varint(number)].concat()
    }

    /// As a writer of Go has it, or with something that is not as expected.
    fn location(random: &mut Random, is_usual: bool) -> Vec<u8> {
        let [swapped, beyond, column, twice, cut, folded, strange, many] =
            [8, 30, 8, 8, 30, 8, 8, 30].map(|often| !is_usual && random.below(often) == 0);
        let mut lines = Vec::new();
        for _ in 0..random.below(4) + if many { 6 } else { 0 } {
            let mut line = number(FUNCTION, 1 + random.below(FUNCTIONS) + if beyond { FUNCTIONS } else { 0 });
            if random.below(9) > 0 {
                line.extend(number(NUMBER, u64::MAX >> random.below(64)));
            }
            if column {
                line.extend(number(24, 7));
            }
            lines.extend([&[LINES][..], &varint(line.len() as u64), &line].concat());
        }
        let mapping = if random.below(3) > 0 { number(MAPPING, random.below(4)) } else { Vec::new() };
        // Not all writers know any.
        let address =
            if random.below(4) > 0 { number(ADDRESS, u64::MAX >> random.below(64)) } else { Vec::new() };
        let mut parts = vec![number(ID, 1 + random.below(1 << 22))];
        let runtime = random.below(2) == 0;
        parts.extend(if runtime {
            [address, lines, mapping.clone()]
        } else {
            [mapping.clone(), address, lines]
        });
        parts.extend(twice.then(|| number(MAPPING, 3)));
        parts.extend(folded.then(|| number(40, 1)));
        parts.extend(strange.then(|| {
            [&[50, 1, 8][..], &[42, 0], &[0x88, 0, 1], &[26, 0]][random.below(4) as usize].to_vec()
        }));
        if swapped {
            parts.reverse();
        }
        let mut all = parts.concat();
        all.truncate(all.len() - usize::from(cut));
        all
    }

    type Said = Result<(u64, u64, u64, bool, String), String>;

    fn said(head: &Head, lines: &[Line]) -> Said {
        Ok((head.id, head.mapping, head.address, head.folded, format!("{lines:?}")))
    }

    #[test]
    fn whatever_a_location_looks_like_it_is_read_the_same() {
        let (random, functions) = (&mut Random(3), Ids::counting("function", FUNCTIONS as usize));
        let (mut quickly, mut refused) = (0, 0);
        for round in 0..20_000 {
            let raw = [location(random, round % 4 == 0), vec![0; 8]].concat();
            let entry = Cursor::within(&raw, 0, raw.len() - 8);
            let limits =
                Limits { lines: 2 + random.below(9) as usize, lines_per_location: 4, ..Limits::default() };
            // Some are there already.
            let before = vec![Line { function: 9, line: 9, column: 9 }; random.below(3) as usize];
            let mut lines = before.clone();
            let slow = any(entry, &limits, &functions, &mut lines)
                .map_err(|error| error.to_string())
                .and_then(|head| said(&head, &lines));
            refused += usize::from(slow.is_err());
            let mut lines = before.clone();
            if let Some(head) = quick(entry, &limits, &functions, &mut lines) {
                assert_eq!(said(&head, &lines), slow, "{raw:?}");
                quickly += 1;
            } else {
                let within = lines.len() <= limits.lines;
                assert!(within && lines.starts_with(&before), "{raw:?}");
                assert!(round % 4 > 0 || slow.is_err(), "{raw:?} is as expected");
            }
        }
        assert!(quickly > 8_000 && refused > 1_000, "{quickly} {refused}");
    }
}
