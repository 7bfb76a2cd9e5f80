//! The first look at a profile: every top-level field is met once, the small ones are read, the large
//! tables are counted and located.

use std::ops::Range;

use crate::error::{Error, Fault};
use crate::limits::{self, Limits};
use crate::wire::{Cursor, Field};

/// Field numbers of the tables in `profile.proto`'s `Profile`.
pub(super) const SAMPLE: u64 = 2;
pub(super) const MAPPING: u64 = 3;
pub(super) const LOCATION: u64 = 4;
pub(super) const FUNCTION: u64 = 5;
pub(super) const STRING: u64 = 6;

/// How many samples are between places at which their table can be parted.
const PART: usize = 1024;

/// What the top level says. Texts are still numbers of the wire's string table.
#[derive(Default)]
pub(super) struct Survey<'a> {
    raw: &'a [u8],
    pub(super) mappings: Table,
    pub(super) locations: Table,
    pub(super) functions: Table,
    pub(super) strings: Table,
    pub(super) samples: Table,
    /// Parts that the table of samples can be read in.
    parts: Vec<Table>,
    pub(super) sample_types: Vec<(i64, i64)>,
    pub(super) comments: Vec<i64>,
    pub(super) period_type: (i64, i64),
    pub(super) drop_frames: i64,
    pub(super) keep_frames: i64,
    pub(super) default_sample_type: i64,
    pub(super) doc_url: i64,
    pub(super) time_nanos: i64,
    pub(super) duration_nanos: i64,
    pub(super) period: i64,
}

/// Where the entries of one table are, perhaps among others.
#[derive(Clone, Copy, Default)]
pub(super) struct Table {
    number: u64,
    pub(super) count: usize,
    /// The bytes of all contents together.
    pub(super) bytes: usize,
    start: usize,
    end: usize,
}

impl<'a> Survey<'a> {
    pub(super) fn of(raw: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        let mut survey = Self { raw, ..Self::default() };
        let mut cursor = Cursor::new(raw);
        while let Some(field) = cursor.field()? {
            survey.take(&field, cursor.at(), limits)?;
            survey.take_more(field.number, &mut cursor, limits);
        }
        Ok(survey)
    }

    /// Takes the entries that follow one of the same large table, as far as nothing has to be said of any.
    fn take_more(&mut self, number: u64, cursor: &mut Cursor<'a>, limits: &Limits) {
        let part = self.samples.count.next_multiple_of(PART);
        let (table, most) = match number {
            // Up to where the next part begins.
            SAMPLE => (&mut self.samples, limits.samples.min(part)),
            LOCATION => (&mut self.locations, limits.locations),
            FUNCTION => (&mut self.functions, limits.functions),
            STRING => (&mut self.strings, limits.strings),
            _ => return,
        };
        let (count, bytes) = cursor.pass_short((number << 3 | 2) as u8, most.saturating_sub(table.count));
        table.count += count;
        table.bytes += bytes;
        table.end = cursor.at();
    }

    fn take(&mut self, field: &Field<'a>, end: usize, limits: &Limits) -> Result<(), Error> {
        match field.number {
            1 => {
                self.sample_types.push(value_type(field, "sample_type")?);
                limits::at_most("sample types", self.sample_types.len(), limits.sample_types)?;
            }
            SAMPLE => {
                if self.samples.count.is_multiple_of(PART) {
                    let start = if self.samples.count == 0 { field.at } else { self.samples.start };
                    self.parts.push(Table { number: SAMPLE, start, end: field.at, ..self.samples });
                }
                self.samples.add(field, end, "sample", "samples", limits.samples)?;
            }
            MAPPING => self.mappings.add(field, end, "mapping", "mappings", limits.mappings)?,
            LOCATION => self.locations.add(field, end, "location", "locations", limits.locations)?,
            FUNCTION => self.functions.add(field, end, "function", "functions", limits.functions)?,
            STRING => {
                let first = self.strings.count == 0;
                self.strings.add(field, end, "string_table", "strings", limits.strings)?;
                if first && self.strings.bytes > 0 {
                    return Err(Fault::FirstString { at: field.at }.into());
                }
            }
            7 => self.drop_frames = field.int("drop_frames")?,
            8 => self.keep_frames = field.int("keep_frames")?,
            9 if self.time_nanos != 0 => return Err(Fault::Concatenated { at: field.at }.into()),
            9 => self.time_nanos = field.int("time_nanos")?,
            10 => self.duration_nanos = field.int("duration_nanos")?,
            11 => self.period_type = value_type(field, "period_type")?,
            12 => self.period = field.int("period")?,
            13 => field.each("comment", |at| {
                self.comments.push(at.cast_signed());
                limits::at_most("comments", self.comments.len(), limits.comments)
            })?,
            14 => self.default_sample_type = field.int("default_sample_type")?,
            15 => self.doc_url = field.int("doc_url")?,
            _ => {}
        }
        Ok(())
    }

    /// How many parts the table of samples can be read in.
    pub(super) fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Some of these parts, one after another.
    pub(super) fn part(&self, parts: Range<usize>) -> Table {
        // What is before each, and before none.
        let before = |part: usize| self.parts.get(part).copied().unwrap_or(self.samples);
        let (first, next) = (before(parts.start), before(parts.end));
        let (count, bytes) = (next.count - first.count, next.bytes - first.bytes);
        Table { number: SAMPLE, count, bytes, start: first.end, end: next.end }
    }

    /// What is in the first sample.
    pub(super) fn first_sample(&self) -> Option<Cursor<'a>> {
        let Table { start, end, .. } = self.samples;
        Cursor::within(self.raw, start, end).field().ok()??.content("sample").ok()
    }

    /// Gives the contents of a table's entries in their order.
    #[inline(always)]
    pub(super) fn each_entry(
        &self,
        table: Table,
        mut take: impl FnMut(Cursor<'a>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut cursor = Cursor::within(self.raw, table.start, table.end);
        while !cursor.is_empty() {
            // Nearly all are short, also those of other tables, which are passed over.
            let entry = match cursor.short_message() {
                Some((tag, content, rest)) => {
                    cursor = rest;
                    (u64::from(tag) == table.tag()).then_some(content)
                }
                None => any_entry(table, &mut cursor)?,
            };
            if let Some(entry) = entry {
                take(entry)?;
            }
        }
        Ok(())
    }
}

impl Table {
    fn tag(&self) -> u64 {
        self.number << 3 | 2
    }

    fn add(
        &mut self,
        field: &Field<'_>,
        end: usize,
        name: &'static str,
        what: &'static str,
        limit: usize,
    ) -> Result<(), Error> {
        if self.count == 0 {
            (self.number, self.start) = (field.number, field.at);
        }
        self.count += 1;
        self.bytes += field.content(name)?.bytes().len();
        self.end = end;
        limits::at_most(what, self.count, limit)
    }
}

/// What is in the next field, if it is an entry of this table.
#[cold]
#[inline(never)]
fn any_entry<'a>(table: Table, cursor: &mut Cursor<'a>) -> Result<Option<Cursor<'a>>, Error> {
    let at = cursor.at();
    let tag = cursor.varint()?;
    if tag == table.tag() {
        return cursor.content(at).map(Some);
    }
    cursor.value(tag, at).map(|_| None)
}

fn value_type(field: &Field<'_>, name: &'static str) -> Result<(i64, i64), Error> {
    let [kind, unit] = field.content(name)?.numbers(&["type", "unit"], |_| Ok(()))?.map(u64::cast_signed);
    Ok((kind, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_where_their_parts_are() {
        const SAMPLES: usize = 10 * PART + 7;
        let sample = |at: usize| [18, 2, 16, at as u8 & 0x7f];
        let raw: Vec<u8> = [10, 0].into_iter().chain((0..SAMPLES).flat_map(sample)).chain([50, 0]).collect();
        let survey = Survey::of(&raw, &Limits::default()).unwrap();
        assert_eq!((survey.samples.count, survey.samples.bytes), (SAMPLES, 2 * SAMPLES));
        assert_eq!(survey.parts(), 11);
        for pieces in [&[0, 11][..], &[0, 1, 5, 10, 11], &[0, 4, 4, 11]] {
            let mut at = 0;
            for piece in pieces.windows(2) {
                let part = survey.part(piece[0]..piece[1]);
                let (start, mut bytes) = (at, 0);
                let each = survey.each_entry(part, |entry| {
                    assert_eq!(entry.bytes(), &sample(at)[2..]);
                    (at, bytes) = (at + 1, bytes + 2);
                    Ok(())
                });
                each.unwrap();
                assert_eq!((at - start, bytes), (part.count, part.bytes));
            }
            assert_eq!(at, SAMPLES);
        }
        assert_eq!(Survey::of(&[10, 0], &Limits::default()).unwrap().parts(), 0);
    }
}
