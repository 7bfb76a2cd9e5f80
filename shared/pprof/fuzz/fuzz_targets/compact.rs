//! What the compiler takes from a profile survives compaction, which can be repeated, and is all there when only that is read.
#![no_main]

use autopgo_pprof::{Edges, ErrorKind, Profile, check, compact};
use autopgo_pprof_fuzz::{decode, encode, limits, mutate, parse};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| {
    let top = Profile::parse_top(data, &limits());
    let Some(profile) = parse(data) else { return assert!(top.is_err(), "what is refused whole is refused") };
    let small_top = compact(&top.expect("what is read whole can be read"));
    let (edges, small, usable) = (Edges::of(&profile), compact(&profile), check::upload(&profile).is_ok());
    let edges = match edges {
        Ok(edges) => edges,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unusable);
            assert_eq!(small.expect_err("no edges").kind(), ErrorKind::Unusable);
            assert_eq!(small_top.expect_err("no edges").kind(), ErrorKind::Unusable);
            assert!(!usable, "an upload has edges");
            return;
        }
    };
    let small = small.expect("what has edges can be compacted");
    let small_edges = Edges::of(&small).expect("what was compacted has edges");
    assert_eq!(small_edges.identity(), edges.identity());
    assert_eq!((small_edges.len(), small_edges.total_weight()), (edges.len(), edges.total_weight()));
    assert!(edges.hot(Edges::HOT_PERCENT) <= edges.len());

    let raw = encode(&small);
    assert!(small_top.expect("edges").encode() == raw, "the compiler looks at no more");
    assert!(encode(&compact(&small).expect("compact once, compact twice")) == raw, "twice is once");
    let read = decode(&raw);
    assert_eq!(Edges::of(&read).expect("edges").identity(), edges.identity());
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::mutate(data, size, max_size, seed, mutate::profile)
});
