//! The formats from before the protobuf one are refused by name, whatever follows their headers.
//! Input: which header, and how; then any bytes.
#![no_main]

use autopgo_pprof::{ErrorKind, Profile, gzip, legacy};
use autopgo_pprof_fuzz::limits;
use libfuzzer_sys::fuzz_target;

/// Headers that no protobuf starts with.
const HEADERS: [&[u8]; 21] = [
    b"heap profile: 1: 2 [ 3: 4 ] @ heap/1048576\n",
    b"heap profile: 1: 2 [3: 4] @ heap_v2/524288\n",
    b"heap profile: 1: 2 [3: 4] @ growthz\n",
    b"heap profile: 1: 2 [3: 4] @ fragmentationz\n",
    b"goroutine profile: total 7\n",
    b"threadcreate profile: total 10\r\n",
    b"# a comment\n\ngoroutine profile: total 7\n",
    b"mine profile: total 10\n",
    b"goroutine 1 [running]:\n",
    b"--- contentionz 1 ---\n",
    b"--- contention:\n",
    b"--- mutex:\n",
    b"--- heapz 1 ---\n",
    b"--- threadz 1 ---\n",
    b"--- Thread 7f (name: main/12) stack: ---\n",
    b"GO PREPROFILE V1\n",
    b"go 1.22 trace\0\0\0",
    // profilez: 0, 3, 0 or 1 (Java), a period, 0, in words of 32 and of 64 bits.
    b"\0\0\0\0\x03\0\0\0\0\0\0\0\x10\x27\0\0\0\0\0\0",
    b"\0\0\0\0\x03\0\0\0\x01\0\0\0\x10\x27\0\0\0\0\0\0",
    b"\0\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\x27\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    b"\0\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x10\x27\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
];

/// profilez with the high byte first, which may also be fields of a protobuf, of number 0. google/pprof asks
/// for a protobuf first, and so do we.
const AMBIGUOUS: [&[u8]; 2] = [
    b"\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x01\0\0\0\0",
    b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0",
];

fuzz_target!(|data: &[u8]| {
    let Some((&[which, how], rest)) = data.split_first_chunk() else { return };
    let headers = HEADERS.iter().chain(&AMBIGUOUS);
    let header = headers.copied().nth(usize::from(which)).unwrap_or_default();
    let raw = [header, rest].concat();
    let parsed = if how == 0 {
        Profile::parse(&raw, &limits())
    } else {
        Profile::parse(&gzip::deflate(&raw), &limits())
    };
    let known = legacy::recognise(&raw).is_some();
    assert!(known || header.is_empty(), "every header is known");
    match parsed {
        // A protobuf, whatever else it is.
        Ok(profile) => {
            assert!(usize::from(which) >= HEADERS.len(), "no header starts a protobuf");
            let _ = autopgo_pprof_fuzz::encode(&profile);
        }
        Err(error) => match error.kind() {
            // Gzip is not looked into from here.
            ErrorKind::Legacy => assert!(known || gzip::is_gzip(&raw), "named, but not known: {error}"),
            ErrorKind::Malformed => assert!(!known || gzip::is_gzip(&raw), "known, but not named: {error}"),
            ErrorKind::Limit => assert!(header.is_empty() || AMBIGUOUS.contains(&header)),
            ErrorKind::Incompatible | ErrorKind::Unusable | ErrorKind::Unreadable => {
                panic!("nothing was merged, used or read from elsewhere: {error}")
            }
        },
    }
});
