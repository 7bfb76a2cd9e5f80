//! The model onto the wire as google/pprof writes it, and in a careless way that means the same.

use super::{Model, Sample, Text};

#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn varint(&mut self, mut value: u64) {
        while value > 127 {
            self.0.push((value % 128 + 128) as u8);
            value /= 128;
        }
        self.0.push(value as u8);
    }

    pub(crate) fn number(&mut self, field: u64, value: u64) {
        self.varint(field * 8);
        self.varint(value);
    }

    pub(crate) fn some_number(&mut self, field: u64, value: u64) {
        if value != 0 {
            self.number(field, value);
        }
    }

    pub(crate) fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field * 8 + 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    pub(crate) fn message(&mut self, field: u64, write: impl FnOnce(&mut Writer)) {
        let mut inner = Writer::default();
        write(&mut inner);
        self.bytes(field, &inner.0);
    }

    pub(crate) fn numbers(&mut self, field: u64, values: &[u64]) {
        if values.len() > 2 {
            self.message(field, |inner| values.iter().for_each(|&value| inner.varint(value)));
        } else {
            values.iter().for_each(|&value| self.number(field, value));
        }
    }
}

/// The string table: in order of first use, or doubled and reversed.
struct Strings {
    table: Vec<Text>,
    careless: bool,
}

impl Strings {
    fn number(&mut self, text: &Text) -> u64 {
        if let Some(at) = self.table.iter().position(|known| known == text) {
            return at as u64;
        }
        if self.careless {
            self.table.push(b"nobody uses this".to_vec());
        }
        self.table.push(text.clone());
        self.table.len() as u64 - 1
    }
}

/// The bytes that google/pprof writes.
pub(crate) fn write(model: &Model) -> Vec<u8> {
    encode(model, false)
}

/// The same profile with its fields in another order, numbers not packed, unknown fields in between, and
/// strings and mapping ids that lead nowhere.
pub(crate) fn write_careless(model: &Model) -> Vec<u8> {
    encode(model, true)
}

fn encode(model: &Model, careless: bool) -> Vec<u8> {
    let mut strings = Strings { table: vec![Vec::new()], careless };
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let mut part = |write: &mut dyn FnMut(&mut Writer)| {
        let mut writer = Writer::default();
        write(&mut writer);
        parts.push(writer.0);
    };
    for (kind, unit) in &model.sample_types {
        let (kind, unit) = (strings.number(kind), strings.number(unit));
        part(&mut |w| {
            w.message(1, |w| {
                w.some_number(1, kind);
                w.some_number(2, unit);
            });
        });
    }
    for sample in &model.samples {
        let labels = labels(sample, &mut strings);
        part(&mut |w| w.message(2, |w| write_sample(sample, &labels, careless, w)));
    }
    for mapping in &model.mappings {
        let (file, build_id) = (strings.number(&mapping.file), strings.number(&mapping.build_id));
        part(&mut |w| {
            w.message(3, |w| {
                let numbers = [mapping.id, mapping.start, mapping.limit, mapping.offset, file, build_id];
                (1..).zip(numbers).for_each(|(field, number)| w.some_number(field, number));
                (7..).zip(mapping.has).for_each(|(field, has)| w.some_number(field, u64::from(has)));
            });
        });
    }
    for location in &model.locations {
        let nowhere = if careless { u64::MAX } else { 0 };
        let mapping = if location.mapping == 0 { nowhere } else { location.mapping };
        part(&mut |w| {
            w.message(4, |w| {
                w.some_number(1, location.id);
                w.some_number(2, mapping);
                w.some_number(3, location.address);
                for line in &location.lines {
                    w.message(4, |w| {
                        w.some_number(1, line.function);
                        w.some_number(2, line.line as u64);
                        w.some_number(3, line.column as u64);
                    });
                }
                w.some_number(5, u64::from(location.folded));
            });
        });
    }
    for function in &model.functions {
        let texts =
            [&function.name, &function.system_name, &function.filename].map(|text| strings.number(text));
        part(&mut |w| {
            w.message(5, |w| {
                w.some_number(1, function.id);
                (2..).zip(texts).for_each(|(field, number)| w.some_number(field, number));
                w.some_number(5, function.start_line as u64);
            });
        });
    }
    let (drop, keep) = (strings.number(&model.drop_frames), strings.number(&model.keep_frames));
    let (kind, unit) = (strings.number(&model.period_type.0), strings.number(&model.period_type.1));
    let comments: Vec<u64> = model.comments.iter().map(|comment| strings.number(comment)).collect();
    let (default, doc) = (strings.number(&model.default_sample_type), strings.number(&model.doc_url));
    for text in &strings.table {
        part(&mut |w| w.bytes(6, text));
    }
    part(&mut |w| {
        w.some_number(7, drop);
        w.some_number(8, keep);
        w.some_number(9, model.time_nanos as u64);
        w.some_number(10, model.duration_nanos as u64);
        if kind != 0 || unit != 0 {
            w.message(11, |w| {
                w.some_number(1, kind);
                w.some_number(2, unit);
            });
        }
        w.some_number(12, model.period as u64);
        w.numbers(13, &comments);
        w.number(14, default);
        w.some_number(15, doc);
    });
    if careless { shuffle(parts) } else { parts.concat() }
}

fn write_sample(sample: &Sample, labels: &[[u64; 4]], careless: bool, w: &mut Writer) {
    let values: Vec<u64> = sample.values.iter().map(|&value| value as u64).collect();
    if careless {
        values.iter().for_each(|&value| w.number(2, value));
        w.number(99, 1);
        sample.stack.iter().for_each(|&id| w.number(1, id));
    } else {
        w.numbers(1, &sample.stack);
        w.numbers(2, &values);
    }
    for label in labels {
        w.message(3, |w| (1..).zip(*label).for_each(|(field, number)| w.some_number(field, number)));
    }
}

/// Key, text, number and unit of each label.
fn labels(sample: &Sample, strings: &mut Strings) -> Vec<[u64; 4]> {
    let mut labels = Vec::new();
    for (key, values) in &sample.texts {
        for value in values {
            labels.push([strings.number(key), strings.number(value), 0, 0]);
        }
    }
    for (key, (values, units)) in &sample.numbers {
        let key = strings.number(key);
        for (at, &value) in values.iter().enumerate() {
            let unit = units.get(at).map_or(0, |unit| strings.number(unit));
            labels.push([key, 0, value as u64, unit]);
        }
    }
    labels
}

/// Every second part after the others, with unknown fields in between. Parts of one table keep their
/// order only within their half, so tables are moved as wholes: all that start with the same tag.
fn shuffle(parts: Vec<Vec<u8>>) -> Vec<u8> {
    let mut by_tag: Vec<(u8, Vec<u8>)> = Vec::new();
    for part in parts {
        let tag = part[0];
        match by_tag.iter_mut().find(|(known, _)| *known == tag) {
            Some((_, bytes)) => bytes.extend(part),
            None => by_tag.push((tag, part)),
        }
    }
    by_tag.reverse();
    let mut raw = Vec::new();
    for (_, bytes) in by_tag {
        let mut unknown = Writer::default();
        unknown.bytes(1000, b"ignored");
        unknown.varint(77 * 8 + 1);
        unknown.0.extend([1; 8]);
        unknown.varint(78 * 8 + 5);
        unknown.0.extend([1; 4]);
        raw.extend(unknown.0);
        raw.extend(bytes);
    }
    raw
}
