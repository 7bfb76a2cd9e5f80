//! That the comparison of contents sees all there is to see, and nothing else.

use std::collections::BTreeMap;

use autopgo_pprof::proto::{Function, Label, Line, Location, Mapping, Message, Profile, Sample, ValueType};

use crate::book::difference;

const TEXTS: [&str; 22] = [
    "",
    "samples",
    "count",
    "cpu",
    "nanoseconds",
    "/bin/app",
    "id of app",
    "/lib/c",
    "id of c",
    "main.main",
    "_main",
    "main.go",
    "main.f",
    "_f",
    "f.go",
    "route",
    "/",
    "bytes",
    "KiB",
    "first",
    "second",
    "B",
];

/// One of everything at least, and no field that is 0.
fn example() -> Profile {
    let kind = |r#type, unit| ValueType { r#type, unit };
    let mapping = |id, filename, build_id| Mapping {
        id,
        memory_start: id << 20,
        memory_limit: (id << 20) + 0x5000,
        file_offset: id << 12,
        filename,
        build_id,
        has_functions: true,
        has_filenames: true,
        has_line_numbers: true,
        has_inline_frames: true,
    };
    let line = |function_id, line, column| Line { function_id, line, column };
    let location = |id, mapping_id, line| {
        let address = (mapping_id << 20) + 0x10 * id;
        Location { id, mapping_id, address, line, is_folded: true }
    };
    let function =
        |id, name, start_line| Function { id, name, system_name: name + 1, filename: name + 2, start_line };
    let text = |key, str| Label { key, str, num: 0, num_unit: 0 };
    let number = |num, num_unit| Label { key: 17, str: 0, num, num_unit };
    Profile {
        sample_type: vec![kind(1, 2), kind(3, 4)],
        sample: vec![
            Sample { location_id: vec![2, 1], value: vec![1, 10], label: vec![] },
            Sample {
                location_id: vec![3, 2, 1],
                value: vec![2, 20],
                label: vec![text(15, 16), number(7, 21)],
            },
            Sample { location_id: vec![1], value: vec![4, 40], label: vec![number(8, 18), number(9, 18)] },
        ],
        mapping: vec![mapping(1, 5, 6), mapping(2, 7, 8), mapping(3, 7, 6)],
        location: vec![
            location(1, 1, vec![line(1, 11, 5)]),
            location(2, 1, vec![line(2, 22, 6), line(1, 12, 7)]),
            location(3, 2, vec![line(2, 23, 8)]),
        ],
        function: vec![function(1, 9, 10), function(2, 12, 20)],
        string_table: TEXTS.map(|text| text.as_bytes().to_vec()).to_vec(),
        drop_frames: 9,
        keep_frames: 12,
        time_nanos: 5,
        duration_nanos: 6,
        period_type: Some(kind(3, 4)),
        period: 7,
        comment: vec![19, 20],
        default_sample_type: 3,
        doc_url: 16,
    }
}

/// So that no field is forgotten, the changes are those of bytes.
#[test]
fn every_byte_of_a_profile_is_compared() {
    let message = example();
    let raw = message.encode_to_vec();
    assert_eq!(difference(&raw, &raw), None);
    let mut changed = BTreeMap::new();
    for at in 0..raw.len() {
        for flip in [1, 2, 4, 8, 16, 32, 64] {
            let mut other = raw.clone();
            other[at] ^= flip;
            let Ok(read) = Profile::decode(&other[..]) else { continue };
            // A tag that nobody knows, or a flag that is 2.
            if read != message {
                let found = difference(&raw, &other);
                let found = found.unwrap_or_else(|| panic!("byte {at}, {flip}: {read:?}"));
                *changed.entry(found.split(':').next().unwrap().to_owned()).or_insert(0) += 1;
            }
        }
    }
    let parts = ["first mapping", "function", "header", "id", "location", "mapping", "sample", "text"];
    assert_eq!(changed.keys().collect::<Vec<_>>(), parts, "{changed:?}");
}

#[test]
fn the_order_of_samples_and_tables_is_not_compared() {
    let message = example();
    let raw = message.encode_to_vec();
    let check = |what: &str, change: fn(&mut Profile), expected: Option<&str>| {
        let mut other = message.clone();
        change(&mut other);
        assert_ne!(other, message, "{what}");
        let found = difference(&raw, &other.encode_to_vec());
        assert_eq!(found.as_deref().and_then(|it| it.split(':').next()), expected, "{what}");
    };
    check("samples", |it| it.sample.reverse(), None);
    check("labels of two keys", |it| it.sample[1].label.reverse(), None);
    check("functions", |it| it.function.reverse(), None);
    check("locations", |it| it.location.reverse(), None);
    check("mappings but the first", |it| it.mapping[1..].reverse(), None);
    let renumbered = |it: &mut Profile| {
        it.location.iter_mut().for_each(|location| location.id = 4 - location.id);
        it.sample.iter_mut().flat_map(|it| &mut it.location_id).for_each(|id| *id = 4 - *id);
    };
    check("ids of locations", renumbered, None);
    let texts = |it: &mut Profile| {
        it.string_table.swap(9, 12);
        std::mem::swap(&mut it.drop_frames, &mut it.keep_frames);
        it.function[0].name = 12;
        it.function[1].name = 9;
    };
    check("texts", texts, None);

    check("the first mapping", |it| it.mapping.reverse(), Some("first mapping"));
    check("types", |it| it.sample_type.reverse(), Some("header"));
    check("comments", |it| it.comment.reverse(), Some("header"));
    check("lines", |it| it.location[1].line.reverse(), Some("location"));
    check("frames", |it| it.sample[0].location_id.reverse(), Some("sample"));
    check("labels of one key", |it| it.sample[2].label.reverse(), Some("sample"));
}
