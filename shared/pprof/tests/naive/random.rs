//! Random profiles from small pools, so that what can be equal often is: names, lines, addresses,
//! mappings at other addresses, labels, values that cancel out.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{Function, Line, Location, Mapping, Model, Sample, Text};

/// What a profile may hold.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Any valid profile.
    Any,
    /// One that Go's compiler can use: no negative values, functions with start lines, and as in a real
    /// process no two mappings at the same addresses. The compiler tells code apart by address alone, so
    /// that where mappings overlap its own answer changes when google/pprof moves them.
    Cpu,
}

pub(crate) fn model(kind: Kind) -> impl Strategy<Value = Model> {
    let cpu_only = matches!(kind, Kind::Cpu);
    let tables = (vec(mapping(), 0..4), vec(function(), 1..7), ids(), any::<bool>());
    let header = (0..4_i64, 0..5_i64, 0..3_i64, vec(text(), 0..4), text(), text(), text(), text());
    let parts = (tables, header, vec(location_parts(), 1..10), vec(sample_parts(kind), 0..12));
    parts.prop_map(move |((mut mappings, mut functions, ids, slid), header, mut locations, samples)| {
        if cpu_only {
            mappings.iter_mut().for_each(|mapping| lay_out(mapping, slid));
            functions
                .iter_mut()
                .for_each(|function| function.start_line += i64::from(function.start_line == 0));
            locations.iter_mut().for_each(|parts| parts.in_mapping(&mappings));
        }
        (0..).zip(&mut mappings).for_each(|(at, mapping)| mapping.id = ids.id(at));
        (0..).zip(&mut functions).for_each(|(at, function)| function.id = ids.id(at));
        let locations: Vec<Location> = (0..)
            .zip(locations)
            .map(|(at, parts)| parts.build(ids.id(at), &mappings, &functions, cpu_only))
            .collect();
        let samples = samples.into_iter().map(|parts| parts.build(&locations)).collect();
        let (
            time_nanos,
            duration_nanos,
            period,
            comments,
            drop_frames,
            keep_frames,
            default_sample_type,
            doc_url,
        ) = header;
        let cpu = (b"cpu".to_vec(), b"nanoseconds".to_vec());
        Model {
            sample_types: vec![(b"samples".to_vec(), b"count".to_vec()), cpu.clone()],
            period_type: cpu,
            samples,
            mappings,
            locations,
            functions,
            drop_frames,
            keep_frames,
            time_nanos,
            duration_nanos,
            period,
            comments,
            default_sample_type,
            doc_url,
        }
    })
}

/// How ids are given: densely from 1, or far apart and high.
#[derive(Clone, Copy, Debug)]
struct Ids {
    first: u64,
    step: u64,
}

impl Ids {
    fn id(self, at: u64) -> u64 {
        self.first + at * self.step
    }
}

fn ids() -> impl Strategy<Value = Ids> {
    select(vec![(1, 1), (1, 1), (3, 1), (2, 5), (1 << 40, 1 << 20), (u64::MAX - 20, 1)])
        .prop_map(|(first, step)| Ids { first, step })
}

fn text() -> impl Strategy<Value = Text> {
    select(
        [&b""[..], b"", b"a", b"b", b"bytes", b"cpu", b"main.f", b"\xff\xc3", "\u{e9}".as_bytes()]
            .map(<[u8]>::to_vec)
            .to_vec(),
    )
}

fn function() -> impl Strategy<Value = Function> {
    let names = [&b""[..], b"main.main", b"main.f", b"main.g", b"http.(*conn).serve", b"main.f[...]"];
    let names = select(names.map(<[u8]>::to_vec).to_vec());
    (names, text(), text(), select(vec![0, 1, 10, 10, -5])).prop_map(
        |(name, system_name, filename, start_line)| {
            let keep = |text: Text| if text.len() == 1 { text } else { Text::new() };
            Function { id: 0, name, system_name: keep(system_name), filename: keep(filename), start_line }
        },
    )
}

fn mapping() -> impl Strategy<Value = Mapping> {
    let starts = select(vec![0_u64, 0x1000, 0x40_0000, u64::MAX - 0xfff]);
    let sizes = select(vec![0_u64, 0x1000, 0x0fff, 0x1001]);
    let names = || select(vec![Text::new(), b"/bin/app".to_vec(), b"id".to_vec()]);
    (starts, sizes, select(vec![0_u64, 0, 0x1000]), names(), names(), any::<[bool; 4]>()).prop_map(
        |(start, size, offset, file, build_id, has)| Mapping {
            id: 0,
            start,
            limit: start.wrapping_add(size),
            offset,
            file,
            build_id,
            has,
        },
    )
}

/// One of four files, each with a place of its own in the address space, all of which may be moved.
fn lay_out(mapping: &mut Mapping, slid: bool) {
    let file = mapping.offset / 0x1000 * 2 + u64::from(mapping.has[0]);
    mapping.build_id = format!("file {file}").into_bytes();
    mapping.start = 0x10_0000 * (file + 1) + if slid { 1 << 40 } else { 0 };
    mapping.limit = mapping.start + 0x2000 - u64::from(mapping.has[1]);
}

#[derive(Clone, Debug)]
struct LocationParts {
    mapping: Option<Index>,
    address: u64,
    lines: Vec<(Index, i64, i64)>,
    folded: bool,
}

fn location_parts() -> impl Strategy<Value = LocationParts> {
    let lines = vec((any::<Index>(), select(vec![0, 1, 10, 11, 12, -7]), select(vec![0, 0, 0, 1, 2])), 0..4);
    let addresses = select(vec![0_u64, 0, 1, 2, 0x40_0010]);
    (proptest::option::of(any::<Index>()), addresses, lines, proptest::bool::weighted(0.1))
        .prop_map(|(mapping, address, lines, folded)| LocationParts { mapping, address, lines, folded })
}

impl LocationParts {
    fn in_mapping(&mut self, mappings: &[Mapping]) {
        let mapping = self.mapping.filter(|_| !mappings.is_empty());
        self.address %= 0x1000;
        // Those of a compact form are low and in no mapping.
        let of_none = if self.lines.len().is_multiple_of(2) { 0 } else { 1 << 50 };
        self.address += mapping.map_or(of_none, |at| mappings[at.index(mappings.len())].start);
    }

    fn build(self, id: u64, mappings: &[Mapping], functions: &[Function], symbolized: bool) -> Location {
        let mapping = self.mapping.filter(|_| !mappings.is_empty());
        let line = |&(function, line, column): &(Index, i64, i64)| Line {
            function: functions[function.index(functions.len())].id,
            line,
            column,
        };
        let mut lines: Vec<Line> = self.lines.iter().map(line).collect();
        if symbolized && lines.is_empty() {
            lines.push(Line { function: functions[0].id, line: 3, column: 0 });
        }
        let mapping = mapping.map_or(0, |at| mappings[at.index(mappings.len())].id);
        Location { id, mapping, address: self.address, lines, folded: self.folded }
    }
}

#[derive(Clone, Debug)]
struct SampleParts {
    stack: Vec<Index>,
    values: Vec<i64>,
    texts: BTreeMap<Text, Vec<Text>>,
    numbers: BTreeMap<Text, (Vec<i64>, bool)>,
}

fn sample_parts(kind: Kind) -> impl Strategy<Value = SampleParts> {
    let value = match kind {
        Kind::Any => select(vec![0, 0, 1, -1, 2, -2, 100]),
        Kind::Cpu => select(vec![0, 1, 1, 2, 3, 100]),
    };
    let shortest = match kind {
        Kind::Any => 0,
        Kind::Cpu => 1,
    };
    let some = |text: Text| if text.is_empty() { b"x".to_vec() } else { text };
    let texts = proptest::collection::btree_map(text(), vec(text().prop_map(some), 1..3), 0..2);
    let numbers = proptest::collection::btree_map(text(), (vec(1..4_i64, 1..3), any::<bool>()), 0..2);
    (vec(any::<Index>(), shortest..5), vec(value, 2), texts, numbers)
        .prop_map(|(stack, values, texts, numbers)| SampleParts { stack, values, texts, numbers })
}

impl SampleParts {
    fn build(self, locations: &[Location]) -> Sample {
        let stack = self.stack.iter().map(|at| locations[at.index(locations.len())].id).collect();
        // The first unit is empty where there are more: the wire has no sign of it, only of the last one.
        let units = |count: usize| {
            (0..count).map(move |at| if at + 1 == count { b"bytes".to_vec() } else { Text::new() })
        };
        let with_units = |(values, units_too): (Vec<i64>, bool)| {
            let units = if units_too { units(values.len()).collect() } else { Vec::new() };
            (values, units)
        };
        let numbers = self.numbers.into_iter().map(|(key, parts)| (key, with_units(parts))).collect();
        Sample { stack, values: self.values, texts: self.texts, numbers }
    }
}
