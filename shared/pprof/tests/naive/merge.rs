//! Merging, entry by entry: is there an equal one already?

use super::{Function, Line, Location, Mapping, Model, Sample, Text};

pub(crate) fn merge(sources: &[Model]) -> Model {
    let mut merged = header(sources);
    for source in sources {
        if merged.mappings.is_empty() && !source.mappings.is_empty() {
            map_mapping(source.mappings[0].id, source, &mut merged);
        }
        for sample in source.samples.iter().filter(|sample| !is_zero(sample)) {
            add(sample, source, &mut merged);
        }
    }
    if merged.samples.iter().any(is_zero) { merge(&[merged]) } else { merged }
}

fn is_zero(sample: &Sample) -> bool {
    sample.values.iter().all(|&value| value == 0)
}

fn header(sources: &[Model]) -> Model {
    let first = &sources[0];
    let mut header = Model {
        sample_types: first.sample_types.clone(),
        period_type: first.period_type.clone(),
        drop_frames: first.drop_frames.clone(),
        keep_frames: first.keep_frames.clone(),
        ..Model::default()
    };
    for source in sources {
        if header.time_nanos == 0 || source.time_nanos < header.time_nanos {
            header.time_nanos = source.time_nanos;
        }
        header.duration_nanos += source.duration_nanos;
        if header.period == 0 || source.period > header.period {
            header.period = source.period;
        }
        for comment in &source.comments {
            if !header.comments.contains(comment) {
                header.comments.push(comment.clone());
            }
        }
        if header.default_sample_type.is_empty() {
            header.default_sample_type = source.default_sample_type.clone();
        }
        if header.doc_url.is_empty() {
            header.doc_url = source.doc_url.clone();
        }
    }
    header
}

fn add(sample: &Sample, source: &Model, merged: &mut Model) {
    let stack: Vec<u64> = sample.stack.iter().map(|&id| map_location(id, source, merged)).collect();
    let key = |sample: &Sample| (sample.stack.clone(), sample.texts.clone(), sample.numbers.clone());
    let new = Sample { stack, ..sample.clone() };
    match merged.samples.iter_mut().find(|known| key(known) == key(&new)) {
        Some(known) => (0..new.values.len()).for_each(|i| known.values[i] += new.values[i]),
        None => merged.samples.push(new),
    }
}

fn map_location(id: u64, source: &Model, merged: &mut Model) -> u64 {
    let from = source.location(id);
    let mut new = Location { lines: Vec::new(), ..from.clone() };
    if let Some(old) = source.mappings.iter().find(|mapping| mapping.id == from.mapping) {
        new.mapping = map_mapping(old.id, source, merged);
        let start = merged.mappings[new.mapping as usize - 1].start;
        new.address = from.address.wrapping_sub(old.start).wrapping_add(start);
    }
    for line in &from.lines {
        new.lines.push(Line { function: map_function(line.function, source, merged), ..*line });
    }
    new.id = merged.locations.len() as u64 + 1;
    match merged.locations.iter().find(|known| location_key(known) == location_key(&new)) {
        Some(known) => known.id,
        None => {
            merged.locations.push(new);
            merged.locations.len() as u64
        }
    }
}

type LocationKey = (u64, u64, bool, Vec<(u64, i64)>, Option<i64>);

/// Of the columns only the last counts.
fn location_key(location: &Location) -> LocationKey {
    let lines = location.lines.iter().map(|line| (line.function, line.line)).collect();
    let column = location.lines.last().map(|line| line.column);
    (location.address, location.mapping, location.folded, lines, column)
}

fn map_mapping(id: u64, source: &Model, merged: &mut Model) -> u64 {
    let from = source.mappings.iter().find(|mapping| mapping.id == id).unwrap();
    match merged.mappings.iter().find(|known| mapping_key(known) == mapping_key(from)) {
        Some(known) => known.id,
        None => {
            merged.mappings.push(Mapping { id: merged.mappings.len() as u64 + 1, ..from.clone() });
            merged.mappings.len() as u64
        }
    }
}

fn mapping_key(mapping: &Mapping) -> (u64, u64, Text) {
    let pages = mapping.limit.wrapping_sub(mapping.start).wrapping_add(0xfff) / 0x1000;
    let name = if mapping.build_id.is_empty() { &mapping.file } else { &mapping.build_id };
    (pages, mapping.offset, name.clone())
}

fn map_function(id: u64, source: &Model, merged: &mut Model) -> u64 {
    let mut new = Function { id: 0, ..source.function(id).clone() };
    match merged.functions.iter().find(|known| new == Function { id: 0, ..(*known).clone() }) {
        Some(known) => known.id,
        None => {
            new.id = merged.functions.len() as u64 + 1;
            merged.functions.push(new);
            merged.functions.len() as u64
        }
    }
}
