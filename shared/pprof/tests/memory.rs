//! A gzip bomb costs no more memory than the limit, however it is built. A process of its own and one
//! test only: it reads the process's own peak, which Linux keeps.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod peak;

use std::io::Write;

use autopgo_pprof::{ErrorKind, Limits, Outline, Profile, gzip, has_samples, on_cores};
use flate2::{Compression, GzBuilder, write::GzEncoder};
use peak::peak;

const MB: usize = 1 << 20;
const LIMIT: u64 = 32 * MB as u64;

/// A gzip member of so many megabytes of zeroes, made without holding them.
fn zeroes(megabytes: usize, header: GzBuilder) -> Vec<u8> {
    let mut encoder: GzEncoder<Vec<u8>> = header.write(Vec::new(), Compression::best());
    for _ in 0..megabytes {
        encoder.write_all(&vec![0; MB]).unwrap();
    }
    encoder.finish().unwrap()
}

#[test]
fn bombs_cost_no_more_than_the_limit() {
    let hundred = zeroes(100, GzBuilder::new());
    let before = peak();
    let outline = Outline::read(&hundred[..], &Limits { raw_bytes: u64::MAX, ..Limits::default() }).unwrap();
    assert_eq!(outline.raw_bytes(), 100 * MB as u64);
    let grown = peak() - before;
    assert!(grown < MB as u64, "an outline took {grown} bytes");

    // Two cores get memory for what is announced at once, but not for what no profile shrinks to.
    let mut little = gzip::deflate(&vec![0; MB]);
    little.truncate(20);
    little.extend([vec![0xff; 50_000], (LIMIT as u32).to_le_bytes().to_vec()].concat());
    let error = on_cores(2, || gzip::inflate(&little, LIMIT).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
    let grown = peak() - before;
    assert!(grown < 4 * MB as u64, "a little that announces much took {grown} bytes");

    let gigabyte = zeroes(1024, GzBuilder::new());
    let small = zeroes(1, GzBuilder::new());
    let mut lying = gigabyte.clone();
    let trailer = lying.len() - 4;
    lying[trailer..].copy_from_slice(&(LIMIT as u32).to_le_bytes());
    let header = || {
        GzBuilder::new().filename(vec![b'x'; 60_000]).comment(vec![b'y'; 60_000]).extra(vec![b'z'; 60_000])
    };
    let bombs = [
        ("10 MB over the limit", zeroes(LIMIT as usize / MB + 10, GzBuilder::new())),
        ("1 GB", gigabyte.clone()),
        ("10 GB in ten members", gigabyte.repeat(10)),
        ("many small members", small.repeat(100)),
        ("1 GB that announces the limit", lying),
        ("1 GB, then a small member", [&gigabyte[..], &small].concat()),
        ("many members with long headers", zeroes(1, header()).repeat(100)),
    ];
    let limits = Limits { raw_bytes: LIMIT, ..Limits::default() };
    let before = peak();
    for (name, bomb) in &bombs {
        let error = gzip::inflate(bomb, LIMIT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit, "{name}: {error}");
        assert_eq!(Profile::parse(bomb, &limits).unwrap_err().kind(), ErrorKind::Limit, "{name}");
        assert_eq!(has_samples(bomb, &limits).unwrap_err().kind(), ErrorKind::Limit, "{name}");
    }
    let grown = peak() - before;
    assert!(grown < LIMIT + 4 * MB as u64, "grew by {grown} bytes");

    // At the limit it is all there, in many members too, and still at the price of one copy.
    let all = small.repeat(LIMIT as usize / MB);
    assert_eq!(gzip::inflate(&all, LIMIT).unwrap().len() as u64, LIMIT);
    let grown = peak() - before;
    assert!(grown < LIMIT + 8 * MB as u64, "grew by {grown} bytes");
}
