//! What the targets share. A law that does not hold panics, which libFuzzer takes for a crash.

#[allow(dead_code, reason = "what only the tests use")]
#[path = "../../tests/proto/book.rs"]
mod book;
pub mod mutate;

use autopgo_pprof::proto::{self, Message};
use autopgo_pprof::{Accumulator, Limits, Profile};

/// Small enough that no input takes long, not even one that inflates to a thousand times its size.
#[must_use]
pub fn limits() -> Limits {
    Limits {
        raw_bytes: 1 << 20,
        samples: 10_000,
        locations: 10_000,
        functions: 10_000,
        mappings: 1_000,
        strings: 20_000,
        frames: 100_000,
        labels: 20_000,
        lines: 20_000,
        ..Limits::default()
    }
}

/// A profile, if these are the bytes of one.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Profile> {
    Profile::parse(bytes, &limits()).ok()
}

/// Reads what the engine wrote.
#[must_use]
pub fn decode(raw: &[u8]) -> Profile {
    Profile::decode(raw, &Limits::default()).expect("what was written can be read")
}

/// Reads what the engine wrote, by the other decoder.
#[must_use]
pub fn message(raw: &[u8]) -> proto::Profile {
    proto::Profile::decode(raw).expect("what was written is a protobuf")
}

/// Encodes, and checks that it can be read again and then says the same.
#[must_use]
pub fn encode(profile: &Profile) -> Vec<u8> {
    let raw = profile.encode();
    assert_eq!(profile.encoded_len(), raw.len() as u64, "the length is foreseen");
    let read = decode(&raw);
    let message = message(&raw);
    assert_eq!(message.string_table.len(), profile.string_count());
    for (counted, there) in [
        (profile.sample_count(), message.sample.len()),
        (profile.location_count(), message.location.len()),
        (profile.function_count(), message.function.len()),
        (profile.mapping_count(), message.mapping.len()),
    ] {
        assert_eq!(counted, there);
    }
    let again = read.encode();
    if says_all(&message) {
        assert_eq!(again, raw, "what was read is written as it was");
    } else {
        assert_eq!(decode(&again).encode(), again, "what was read twice is written as it was");
    }
    raw
}

/// That the other decoder reads in `raw` what the engine read: where it reads it, it is stricter in some things.
pub fn is_read_alike(raw: &[u8], profile: &Profile) {
    let Ok(read) = proto::Profile::decode(raw) else { return };
    let other = decode(&read.encode_to_vec());
    // Of a period type that stands there twice, google/pprof takes the last one, and prost what both have.
    if other.period_type() == profile.period_type() {
        assert!(other.encode() == profile.encode(), "the way of writing does not matter");
    }
    let is_empty = |at: i64| usize::try_from(at).is_ok_and(|at| at > 0 && read.string_table[at].is_empty());
    let nothing = |label: &proto::Label| match label {
        proto::Label { str: 0, num: 0, num_unit, .. } => is_empty(*num_unit),
        proto::Label { str, .. } => is_empty(*str),
    };
    if !read.sample.iter().flat_map(|sample| &sample.label).any(nothing) {
        book::same(&read, &message(&other.encode()));
    }
}

/// Adds up what was written, and checks it by the messages.
#[must_use]
pub fn added_up(base: &[u8], upload: &[u8]) -> Profile {
    let mut sum = Accumulator::new(decode(base));
    sum.add(&decode(upload)).expect("compatible profiles can be added");
    let sum = sum.finish();
    book::adds_up(&[message(base), message(upload)], &message(&encode(&sum)));
    sum
}

/// That both have the same header, tables and samples, in whatever order.
pub fn same_content(one: &Profile, other: &Profile) {
    assert_eq!(book::difference(&encode(one), &encode(other)), None);
}

/// Whether no label is without a value. A text or unit that is empty is one to google/pprof when it reads it,
/// but is not written, so that the label is dropped the next time.
#[must_use]
pub fn says_all(message: &proto::Profile) -> bool {
    let nothing = |label: &proto::Label| matches!(label, proto::Label { str: 0, num: 0, num_unit: 0, .. });
    !message.sample.iter().flat_map(|sample| &sample.label).any(nothing)
}
