//! What is refused, or not kept, takes no room. A process of its own and one test only: it reads the process's own peak, which
//! Linux keeps.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod peak;

use autopgo_pprof::{ErrorKind, Limits, Profile, on_cores};
use peak::peak;

const MB: usize = 1 << 20;

/// A message with so many bytes in it, of up to 256 MiB.
fn message(tag: u8, bytes: usize) -> [u8; 5] {
    let part = |at: u32| (bytes >> (7 * at)) as u8 & 0x7f;
    [tag, part(0) | 0x80, part(1) | 0x80, part(2) | 0x80, part(3)]
}

/// One sample type, location and string besides the empty one.
const START: [u8; 15] = [10, 4, 8, 1, 16, 1, 34, 2, 8, 1, 50, 0, 50, 1, b'a'];

#[test]
fn what_is_refused_or_not_kept_takes_no_room() {
    // A sample of far too many labels; each would be kept in sixteen bytes.
    const LABELS: usize = 8 << 20;
    let mut labelled = Vec::with_capacity(64 * MB);
    labelled.extend(START);
    labelled.extend(message(18, 4 + 4 * LABELS));
    labelled.extend([8, 1, 16, 1]);
    labelled.extend([26, 2, 24, 1].repeat(LABELS));
    // Many samples, and among each few of them one of a deep stack, of which two frames are kept.
    const DEPTH: usize = MB + MB / 2;
    let mut deep = Vec::with_capacity(64 * MB);
    deep.extend(START);
    for _ in 0..32 {
        deep.extend([18, 2, 16, 1].repeat(1100));
        deep.extend(message(18, 5 + DEPTH + 2));
        deep.extend(message(10, DEPTH));
        deep.extend([1].repeat(DEPTH));
        deep.extend([16, 1]);
    }

    let before = peak();
    for cores in [1, 2] {
        for read in [Profile::parse, Profile::parse_top] {
            let refused = on_cores(cores, || read(&labelled, &Limits::default())).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Limit, "{refused}");
        }
        let top = on_cores(cores, || Profile::parse_top(&deep, &Limits::default())).unwrap();
        assert_eq!(top.sample_count(), 32 * 1101);
        let grown = peak() - before;
        assert!(grown < 16 * MB as u64, "on {cores} cores {grown} bytes");
    }
}
