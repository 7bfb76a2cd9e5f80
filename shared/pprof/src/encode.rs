//! Columns onto the wire: byte for byte what google/pprof's `WriteUncompressed` writes
//! (profile/encode.go). The string table holds what is used, numbered by first use: sample types, labels
//! sample by sample, mappings, functions, then the rest of the header.

use std::cell::Cell;
use std::hint::black_box;
use std::ops::{Range, RangeInclusive};

use crate::cores::{Core, at_once};
use crate::profile::{Kind, LabelValue, Location, Mapping, Profile, Samples, index};
use crate::shares::Shares;
use crate::strings::Str;
use crate::wire::{Codes, Message, NUMBER, Output, measure, varint_len, write};

pub(crate) fn encode(profile: &Profile) -> Vec<u8> {
    let whole = Whole::of(profile);
    let estimate = whole.estimate();
    let size = estimate.samples + estimate.tables;
    match PARTED.contains(&estimate.samples).then(Core::take).flatten() {
        Some(core) => in_parts(&whole, &estimate, core),
        None => write(&whole, size),
    }
}

/// Has the tables written by another thread, and some of the samples.
fn in_parts(whole: &Whole<'_>, estimate: &Estimate, core: Core) -> Vec<u8> {
    let shares = Shares::of(whole.profile.samples.len());
    let (first, last) = at_once(
        Some(core),
        || write(&Beginning { whole, next: || shares.first() }, estimate.samples + estimate.tables),
        || Last::of(whole, estimate, &shares),
    );
    last.behind(first)
}

/// What the other thread has written.
struct Last {
    /// The last ones first.
    samples: Vec<Vec<u8>>,
    tables: Vec<u8>,
}

impl Last {
    fn of(whole: &Whole<'_>, estimate: &Estimate, shares: &Shares) -> Self {
        let count = whole.profile.samples.len() as u64;
        let tables = write(&Rest { whole }, estimate.tables);
        let mut samples = Vec::new();
        while let Some(piece) = shares.last() {
            // Samples differ, and so may the pieces.
            let size = (estimate.samples as u64 * piece.len() as u64 / count) as usize;
            samples.push(write(&Piece { whole, samples: piece }, size + size / 8));
        }
        Self { samples, tables }
    }

    fn behind(self, mut bytes: Vec<u8>) -> Vec<u8> {
        let all = self.samples.into_iter().rev().chain([self.tables]);
        all.for_each(|piece| bytes.extend_from_slice(&piece));
        bytes
    }
}

/// How many bytes of samples are worth being written by two; of more, much is there twice for a while.
const PARTED: RangeInclusive<usize> = 512 << 10..=8 << 20;

pub(crate) fn encoded_len(profile: &Profile) -> u64 {
    measure(&Whole::of(profile)) as u64
}

pub(crate) fn string_count(profile: &Profile) -> usize {
    StringTable::of(profile).order.len()
}

/// The string table to write: which strings, and the number of each.
struct StringTable {
    order: Vec<Str>,
    numbers: Vec<u32>,
}

const UNUSED: u32 = u32::MAX;

impl StringTable {
    fn of(profile: &Profile) -> Self {
        let mut table = Self { order: Vec::new(), numbers: vec![UNUSED; profile.strings.len()] };
        let header = &profile.header;
        table.add([Str::EMPTY]);
        for kind in &header.sample_types {
            table.add([kind.kind, kind.unit]);
        }
        for sample in 0..profile.samples.len() {
            for label in profile.samples.labels(sample) {
                match label.value() {
                    LabelValue::Text(text) => table.add([label.key, text]),
                    LabelValue::Number(_, unit) => table.add([label.key, unit.unwrap_or(Str::EMPTY)]),
                }
            }
        }
        for mapping in &profile.mappings {
            table.add([mapping.file, mapping.build_id]);
        }
        for function in &profile.functions {
            table.add([function.name, function.system_name, function.filename]);
        }
        table.add([header.drop_frames, header.keep_frames]);
        table.add([header.period_type.kind, header.period_type.unit]);
        header.comments.iter().for_each(|&comment| table.add([comment]));
        table.add([header.default_sample_type, header.doc_url]);
        table
    }

    fn add<const N: usize>(&mut self, strings: [Str; N]) {
        for string in strings {
            let number = &mut self.numbers[string.at()];
            if *number == UNUSED {
                *number = index(self.order.len());
                self.order.push(string);
            }
        }
    }

    fn number(&self, string: Str) -> u64 {
        u64::from(self.numbers[string.at()])
    }
}

/// `Profile` in `profile.proto`. Fields that are 0 are left out, but for `default_sample_type`.
struct Whole<'a> {
    profile: &'a Profile,
    table: StringTable,
    /// The ids of the locations, where they are as small as a writer's that counts from 1.
    ids: Option<Codes>,
}

impl<'a> Whole<'a> {
    fn of(profile: &'a Profile) -> Self {
        let ids = profile.locations.iter().map(|location| location.id);
        Self { profile, table: StringTable::of(profile), ids: Codes::of(ids) }
    }

    /// About how many bytes it takes, rather too many: by column, which is far faster than measuring
    /// message by message.
    fn estimate(&self) -> Estimate {
        /// A tag, and a small number or length.
        const SHORT: usize = 2;
        let Self { profile, table, ids } = self;
        let Profile { mappings, functions, locations, lines, samples, strings, .. } = profile;
        let frames: usize = match ids {
            Some(ids) => scaled(&samples.frames, |&frame| ids.size(&[frame])),
            None => samples.frames.len() * NUMBER,
        };
        let values = scaled(&samples.values, |value| varint_len(value.cast_unsigned()));
        let texts: usize = table.order.iter().map(|&string| strings.bytes(string).len()).sum();
        let addresses: usize = locations.iter().map(|location| varint_len(location.address)).sum();
        let samples = frames
            + values
            + samples.len() * (2 * SHORT + samples.width.min(SHORT) + SHORT)
            + samples.labels.len() * (4 * SHORT + 8);
        let tables = mappings.len() * 5 * NUMBER
            + addresses
            + locations.len() * (4 * SHORT + 2)
            + lines.len() * (4 * SHORT + 2)
            + functions.len() * (6 * SHORT + 5)
            + texts
            + table.order.len() * SHORT
            + profile.header.comments.len() * 4
            + 200;
        Estimate { samples, tables }
    }
}

/// Bytes of the samples, of which there are some, and of all else.
struct Estimate {
    samples: usize,
    tables: usize,
}

/// The size of all of a column, by that of every 16th entry, and a little more.
fn scaled<T>(column: &[T], size: impl Fn(&T) -> usize) -> usize {
    const STEP: usize = 16;
    let some: usize = column.iter().step_by(STEP).map(size).sum();
    some * STEP + some
}

impl Message for Whole<'_> {
    fn write(&self, out: &mut impl Output) {
        let all = Cell::new(Some(0..self.profile.samples.len()));
        Beginning { whole: self, next: || all.take() }.write(out);
        Rest { whole: self }.write(out);
    }
}

/// The first field, and the samples that are next, as long as there are some.
struct Beginning<'a, N> {
    whole: &'a Whole<'a>,
    next: N,
}

impl<N: Fn() -> Option<Range<usize>>> Message for Beginning<'_, N> {
    fn write(&self, out: &mut impl Output) {
        let Whole { profile, table, .. } = self.whole;
        for &kind in &profile.header.sample_types {
            out.room(3 * NUMBER);
            out.message(1, &ValueType { kind, table });
        }
        while let Some(samples) = (self.next)() {
            self.whole.write_samples(samples, out);
        }
    }
}

/// Some samples.
struct Piece<'a> {
    whole: &'a Whole<'a>,
    samples: Range<usize>,
}

impl Message for Piece<'_> {
    fn write(&self, out: &mut impl Output) {
        self.whole.write_samples(self.samples.clone(), out);
    }
}

impl Whole<'_> {
    fn write_samples(&self, samples: Range<usize>, out: &mut impl Output) {
        let Self { profile, table, ids } = self;
        for start in samples.clone().step_by(BLOCK) {
            fetch(&profile.samples, start);
            for sample in start..samples.end.min(start + BLOCK) {
                // A stack may have millions of frames: a tag and three bytes each where all ids are small.
                let frame = if ids.is_some() { 4 } else { NUMBER };
                let numbers = 3 + profile.samples.width + 5 * profile.samples.labels(sample).len();
                out.room(profile.samples.stack(sample).len() * frame + numbers * NUMBER);
                out.message(2, &Sample { sample, profile, table, ids: ids.as_ref() });
            }
        }
    }
}

/// All fields behind the samples.
struct Rest<'a> {
    whole: &'a Whole<'a>,
}

impl Message for Rest<'_> {
    fn write(&self, out: &mut impl Output) {
        let Whole { profile, table, .. } = self.whole;
        let header = &profile.header;
        for mapping in &profile.mappings {
            out.room(11 * NUMBER);
            out.message(3, &MappingEntry { mapping, table });
        }
        for location in &profile.locations {
            out.room((5 + 4 * location.lines.len()) * NUMBER);
            out.message(4, &LocationEntry { location, profile });
        }
        for function in &profile.functions {
            out.room(6 * NUMBER);
            let [name, system_name, filename] =
                [function.name, function.system_name, function.filename].map(|text| table.number(text));
            out.message(
                5,
                &Numbers([function.id, name, system_name, filename, function.start_line.cast_unsigned()]),
            );
        }
        for &string in &table.order {
            let text = profile.strings.bytes(string);
            out.room(NUMBER + text.len());
            out.bytes(6, text);
        }
        out.room((11 + header.comments.len()) * NUMBER);
        out.uint_or_nothing(7, table.number(header.drop_frames));
        out.uint_or_nothing(8, table.number(header.keep_frames));
        out.uint_or_nothing(9, header.time_nanos.cast_unsigned());
        out.uint_or_nothing(10, header.duration_nanos.cast_unsigned());
        if header.period_type != Kind::default() {
            out.message(11, &ValueType { kind: header.period_type, table });
        }
        out.uint_or_nothing(12, header.period.cast_unsigned());
        out.uints(13, header.comments.iter().map(|&comment| table.number(comment)));
        out.uint(14, table.number(header.default_sample_type));
        out.uint_or_nothing(15, table.number(header.doc_url));
    }
}

/// How many samples are waited for at once.
const BLOCK: usize = 64;

/// Looks at both ends of the next stacks. Samples that were put in order have their stacks anywhere: waiting for many takes
/// about as long as for one.
fn fetch(samples: &Samples, from: usize) {
    let next = samples.stacks.iter().skip(from).take(BLOCK);
    let ends = next.flat_map(|stack| [stack.start, stack.end.saturating_sub(1)]);
    let seen = ends.filter_map(|at| samples.frames.get(at as usize)).fold(0, |seen, frame| seen ^ frame);
    black_box(seen);
}

struct ValueType<'a> {
    kind: Kind,
    table: &'a StringTable,
}

impl Message for ValueType<'_> {
    fn write(&self, out: &mut impl Output) {
        Numbers([self.kind.kind, self.kind.unit].map(|text| self.table.number(text))).write(out);
    }
}

/// A message of numbers only: fields 1, 2, 3 and so on.
struct Numbers<const N: usize>([u64; N]);

impl<const N: usize> Message for Numbers<N> {
    #[inline(always)]
    fn write(&self, out: &mut impl Output) {
        (1..).zip(self.0).for_each(|(number, value)| out.uint_or_nothing(number, value));
    }
}

struct Sample<'a> {
    sample: usize,
    profile: &'a Profile,
    table: &'a StringTable,
    ids: Option<&'a Codes>,
}

impl Message for Sample<'_> {
    #[inline(always)]
    fn write(&self, out: &mut impl Output) {
        let Self { sample, profile, table, ids } = *self;
        let stack = profile.samples.stack(sample);
        match ids {
            Some(ids) => out.uints_of(1, ids, stack),
            None => out.uints(1, stack.iter().map(|&frame| profile.locations[frame as usize].id)),
        }
        out.uints(2, profile.samples.values(sample).iter().map(|value| value.cast_unsigned()));
        for label in profile.samples.labels(sample) {
            let key = table.number(label.key);
            out.message(
                3,
                &match label.value() {
                    LabelValue::Text(text) => Numbers([key, table.number(text), 0, 0]),
                    LabelValue::Number(number, unit) => {
                        Numbers([key, 0, number.cast_unsigned(), table.number(unit.unwrap_or(Str::EMPTY))])
                    }
                },
            );
        }
    }
}

struct MappingEntry<'a> {
    mapping: &'a Mapping,
    table: &'a StringTable,
}

impl Message for MappingEntry<'_> {
    fn write(&self, out: &mut impl Output) {
        let Mapping { id, start, limit, offset, file, build_id, has } = *self.mapping;
        let [file, build_id] = [file, build_id].map(|text| self.table.number(text));
        let [functions, filenames, lines, inlined] = has.map(u64::from);
        Numbers([id, start, limit, offset, file, build_id, functions, filenames, lines, inlined]).write(out);
    }
}

struct LocationEntry<'a> {
    location: &'a Location,
    profile: &'a Profile,
}

impl Message for LocationEntry<'_> {
    #[inline(always)]
    fn write(&self, out: &mut impl Output) {
        let Self { location, profile } = *self;
        let mapping = location.mapping.map_or(0, |at| profile.mappings[at as usize].id);
        Numbers([location.id, mapping, location.address]).write(out);
        for line in profile.lines_of(location) {
            let function = profile.functions[line.function as usize].id;
            out.message(4, &Numbers([function, line.line.cast_unsigned(), line.column.cast_unsigned()]));
        }
        out.uint_or_nothing(5, u64::from(location.folded));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::cpu;

    #[test]
    fn parts_are_the_whole_wherever_both_meet() {
        let samples: Vec<String> = (1..100).map(|at| format!("{at}: leaf{};z/caller;main", at % 9)).collect();
        for count in [1, 2, 33, 99] {
            let profile = cpu(&samples.iter().take(count).map(String::as_str).collect::<Vec<_>>());
            let whole = &Whole::of(&profile);
            let bytes = write(whole, 0);
            for first in 0..=33 {
                let (shares, taken) = (Shares::of(count), Cell::new(0));
                let next = || {
                    taken.set(taken.get() + 1);
                    (taken.get() <= first).then(|| shares.first()).flatten()
                };
                let beginning = write(&Beginning { whole, next }, 0);
                let last = Last::of(whole, &whole.estimate(), &shares);
                assert!(first > 0 || !last.samples.is_empty());
                assert_eq!(last.behind(beginning), bytes, "{first} of {count}");
            }
        }
    }
}
