//! What is read of a profile for the compiler alone says to it what the whole profile does, to the byte and to the word of an
//! error.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod recorded;

use autopgo_pprof::{Edges, Error, Limits, Profile, check, compact, gzip, on_cores};

/// What a profile is to the compiler, or why it is none.
fn to_the_compiler(profile: Result<Profile, Error>) -> Result<(Vec<u8>, String), String> {
    let text = |error: Error| error.to_string();
    let profile = profile.map_err(text)?;
    check::upload(&profile).map_err(text)?;
    let small = compact(&profile).map_err(text)?;
    let edges = Edges::of(&profile).map_err(text)?;
    Ok((small.encode(), edges.identity().to_string()))
}

/// Reads it both ways, on one core and on two. Whether it is one.
fn same(bytes: &[u8], limits: &Limits, what: &str) -> bool {
    let whole = to_the_compiler(Profile::parse(bytes, limits));
    for cores in [1, 2] {
        let top = on_cores(cores, || to_the_compiler(Profile::parse_top(bytes, limits)));
        assert!(top == whole, "{what} on {cores} cores: {:?}, {:?}", top.err(), whole.err());
    }
    whole.is_ok()
}

fn raw(name: &str) -> Vec<u8> {
    let bytes = recorded::protobufs().into_iter().find(|(it, _)| it == name).unwrap().1;
    gzip::inflate(&bytes, Limits::default().raw_bytes).unwrap()
}

#[test]
fn every_recorded_profile_is_the_same_to_the_compiler() {
    let all = recorded::protobufs();
    let good = all
        .iter()
        .filter(|(name, bytes)| same(bytes, &Limits::default(), name))
        .map(|(_, bytes)| Profile::parse(bytes, &Limits::default()).unwrap());
    let (mut deep, mut smaller) = (0, 0);
    for whole in good {
        let top = Profile::parse_top(&whole.write(), &Limits::default()).unwrap();
        assert_eq!((top.sample_count(), top.totals()), (whole.sample_count(), whole.totals()));
        assert!(top.samples().all(|sample| sample.stack().filter(|frame| !frame.is_inlined()).count() <= 2
            && sample.labels().len() == 0));
        deep += 1;
        smaller += usize::from(top.heap_bytes() < whole.heap_bytes());
    }
    assert!(deep > 5 && smaller == deep, "{smaller} of {deep}");
}

#[test]
fn what_is_wrong_has_the_same_words() {
    for name in ["rclone-full.pprof", "datadog-grpc-anon.pprof", "mtg.pgo"] {
        let raw = raw(name);
        let refused = recorded::broken(&raw, 40)
            .iter()
            .filter(|broken| !same(broken, &Limits::default(), name))
            .count();
        assert!(refused > 5, "{refused} of {name}");
    }
}

/// Whether exactly those limits refuse it that are below one between 0 and `enough`.
fn has_the_same_edge(raw: &[u8], enough: usize, limits: impl Fn(usize) -> Limits) {
    let (mut few, mut enough) = (0, enough);
    assert!(same(raw, &limits(enough), "all of it"));
    while enough - few > 1 {
        let middle = few.midpoint(enough);
        if Profile::decode(raw, &limits(middle)).is_ok() { enough = middle } else { few = middle }
    }
    for limit in [few.saturating_sub(1), few, enough, enough + 1] {
        assert_eq!(same(raw, &limits(limit), "a limit"), limit >= enough, "{limit}");
    }
}

#[test]
fn what_is_not_kept_counts_against_the_limits() {
    let raw = raw("datadog-grpc-anon.pprof");
    has_the_same_edge(&raw, raw.len(), |frames| Limits { frames, ..Limits::default() });
    has_the_same_edge(&raw, raw.len(), |labels| Limits { labels, ..Limits::default() });
    has_the_same_edge(&raw, 1_000, |most| Limits { labels_per_sample: most, ..Limits::default() });
}

#[test]
fn locations_that_are_not_counted_are_found() {
    let raw = raw("rclone-full.pprof");
    let found = recorded::locations(&raw);
    let [first, second, last] = [0, 1, found.len() - 1].map(|at| found[at].clone());
    let swapped = [&raw[..first.start], &raw[second.clone()], &raw[first], &raw[second.end..]].concat();
    assert!(same(&swapped, &Limits::default(), "a swapped one"));
    let without = [&raw[..last.start], &raw[last.end..]].concat();
    assert!(!same(&without, &Limits::default(), "one without a location"));
}
