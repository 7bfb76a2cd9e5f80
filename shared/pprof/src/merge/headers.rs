//! The headers of all profiles into one, and whether that can be done.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::error::{Error, Fault};
use crate::profile::{Header, Kind, Profile};
use crate::strings::{Str, Strings};

/// Whether [`merge`](crate::merge()) takes both: they have the same period type and the same sample types
/// in the same order.
///
/// # Errors
/// `Incompatible`, naming both.
pub fn compatible(first: &Profile, other: &Profile) -> Result<(), Error> {
    let same = |a: Kind, b: Kind| {
        let pairs = [(a.kind, b.kind), (a.unit, b.unit)];
        pairs.iter().all(|&(a, b)| first.strings.bytes(a) == other.strings.bytes(b))
    };
    if !same(first.header.period_type, other.header.period_type) {
        let [first, other] = [first, other].map(|profile| profile.period_type().to_string());
        return Err(Fault::PeriodTypes { first, other }.into());
    }
    let (a, b) = (&first.header.sample_types, &other.header.sample_types);
    if a.len() != b.len() || !a.iter().zip(b).all(|(&a, &b)| same(a, b)) {
        let [first, other] = [first, other].map(Profile::types_text);
        return Err(Fault::SampleTypes { first, other }.into());
    }
    Ok(())
}

/// A profile with the combined header and nothing else.
pub(super) fn combine(profiles: &[&Profile]) -> Result<Profile, Error> {
    let Some((&first, others)) = profiles.split_first() else {
        return Err(Fault::Nothing.into());
    };
    others.iter().try_for_each(|other| compatible(first, other))?;
    countable(profiles)?;

    let mut strings = Strings::new();
    let mut take = |from: &Profile, string: Str| strings.intern(from.strings.bytes(string));
    let mut kind = |kind: Kind| Kind { kind: take(first, kind.kind), unit: take(first, kind.unit) };
    let mut header = Header {
        sample_types: first.header.sample_types.iter().map(|&it| kind(it)).collect(),
        period_type: kind(first.header.period_type),
        drop_frames: take(first, first.header.drop_frames),
        keep_frames: take(first, first.header.keep_frames),
        ..Header::default()
    };
    let mut seen: HashSet<Str, RandomState> = HashSet::default();
    for &source in profiles {
        let from = &source.header;
        // Go's rule, for all that its documentation says "the earliest nonzero": a later 0 wins.
        if header.time_nanos == 0 || from.time_nanos < header.time_nanos {
            header.time_nanos = from.time_nanos;
        }
        header.duration_nanos = header.duration_nanos.wrapping_add(from.duration_nanos);
        if header.period == 0 || header.period < from.period {
            header.period = from.period;
        }
        for &comment in &from.comments {
            let comment = take(source, comment);
            if seen.insert(comment) {
                header.comments.push(comment);
            }
        }
        for (into, text) in
            [(&mut header.default_sample_type, from.default_sample_type), (&mut header.doc_url, from.doc_url)]
        {
            if *into == Str::EMPTY {
                *into = take(source, text);
            }
        }
    }
    Ok(Profile::with_header(strings, header))
}

/// Refuses more than the 32-bit positions of one profile can count, were nothing equal.
fn countable(profiles: &[&Profile]) -> Result<(), Error> {
    type Count = fn(&Profile) -> usize;
    let counts: [(&'static str, Count); 8] = [
        ("samples", |p| p.samples.len()),
        ("stack frames", |p| p.samples.frames.len()),
        ("labels", |p| p.samples.labels.len()),
        ("mappings", |p| p.mappings.len()),
        ("locations", |p| p.locations.len()),
        ("lines", |p| p.lines.len()),
        ("functions", |p| p.functions.len()),
        ("strings", |p| p.strings.len()),
    ];
    for (what, count) in counts {
        let found = profiles.iter().map(|profile| count(profile) as u64).sum();
        let limit = u64::from(u32::MAX);
        if found > limit {
            return Err(Fault::TooManyTogether { what, found, limit }.into());
        }
    }
    Ok(())
}
