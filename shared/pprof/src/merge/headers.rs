//! The headers of all profiles into one, and whether that can be done.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::error::{Error, Fault};
use crate::profile::{Header, Kind, Profile, Samples};
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

/// A profile that has of `first` what a merge takes from the first profile alone, and nothing else.
pub(super) fn start(first: &Profile) -> Profile {
    let mut strings = Strings::new();
    let mut take = |string: Str| strings.intern(first.strings.bytes(string));
    let from = &first.header;
    let mut kind = |kind: Kind| Kind { kind: take(kind.kind), unit: take(kind.unit) };
    let header = Header {
        sample_types: from.sample_types.iter().map(|&it| kind(it)).collect(),
        period_type: kind(from.period_type),
        drop_frames: take(from.drop_frames),
        keep_frames: take(from.keep_frames),
        ..Header::default()
    };
    Profile::with_header(strings, header)
}

/// The header that a merge gives these, as a profile without anything else.
///
/// # Errors
/// Those of a merge.
pub(crate) fn of_all(profiles: &[&Profile]) -> Result<Profile, Error> {
    let Some((&first, others)) = profiles.split_first() else {
        return Err(Fault::Nothing.into());
    };
    others.iter().try_for_each(|other| compatible(first, other))?;
    countable(profiles, &[])?;
    let (mut merged, mut seen) = (start(first), Seen::default());
    profiles.iter().for_each(|source| add(source, &mut seen, &mut merged));
    Ok(merged)
}

/// The comments that a merged profile has already.
pub(super) type Seen = HashSet<Str, RandomState>;

/// Adds the header of `source` to that of `merged`.
pub(super) fn add(source: &Profile, seen: &mut Seen, merged: &mut Profile) {
    let Profile { strings, header, .. } = merged;
    let mut take = |string: Str| strings.intern(source.strings.bytes(string));
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
        let comment = take(comment);
        if seen.insert(comment) {
            header.comments.push(comment);
        }
    }
    for (into, text) in
        [(&mut header.default_sample_type, from.default_sample_type), (&mut header.doc_url, from.doc_url)]
    {
        if *into == Str::EMPTY {
            *into = take(text);
        }
    }
}

/// Refuses more than the 32-bit positions of one profile can count, were nothing equal in these and `more`
/// samples.
pub(super) fn countable(profiles: &[&Profile], more: &[&Samples]) -> Result<(), Error> {
    type Count = fn(&Profile) -> usize;
    type Part = fn(&Samples) -> usize;
    let tables: [(&'static str, Count); 5] = [
        ("mappings", |p| p.mappings.len()),
        ("locations", |p| p.locations.len()),
        ("lines", |p| p.lines.len()),
        ("functions", |p| p.functions.len()),
        ("strings", |p| p.strings.len()),
    ];
    let parts: [(&'static str, Part); 3] = [
        ("samples", Samples::len),
        ("stack frames", |samples| samples.frames.len()),
        ("labels", |samples| samples.labels.len()),
    ];
    let samples = || profiles.iter().map(|profile| &profile.samples).chain(more.iter().copied());
    let tables = tables.map(|(what, count)| (what, profiles.iter().map(|&it| count(it)).sum::<usize>()));
    let parts = parts.map(|(what, count)| (what, samples().map(count).sum::<usize>()));
    let limit = u64::from(u32::MAX);
    match tables.into_iter().chain(parts).find(|&(_, found)| found as u64 > limit) {
        Some((what, found)) => Err(Fault::TooManyTogether { what, found: found as u64, limit }.into()),
        None => Ok(()),
    }
}
