//! The curve by which library and levels of `src/gzip.rs` were chosen: what each makes of a base profile as it is
//! written, and how long it takes, alone and one after another on one core. Prints a table.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::hint::black_box;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use autopgo_pprof::{Accumulator, Limits, Profile, compact};
use flate2::Compression;
use flate2::write::GzEncoder;
use libdeflater::{CompressionLvl, Compressor};

const ROUNDS: usize = 15;

fn main() {
    println!("| profile | library | level | bytes | ms |\n|---|---|---|---|---|");
    for name in ["rclone-full.pprof", "go-compile.pgo"] {
        let base = Accumulator::new(read(name)).finish();
        curve(name, &base.encode());
        curve(&format!("{name}, compacted"), &compact(&base).unwrap().encode());
    }
}

fn read(name: &str) -> Profile {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/profiles").join(name);
    Profile::parse(&std::fs::read(path).unwrap(), &Limits::default()).unwrap()
}

fn curve(name: &str, raw: &[u8]) {
    for level in [1, 2, 3, 4, 5, 6, 7, 9] {
        let mut compressor = Compressor::new(CompressionLvl::new(level).unwrap());
        let mut zipped = vec![0; compressor.gzip_compress_bound(raw.len())];
        row(name, "libdeflate", level, || compressor.gzip_compress(raw, &mut zipped).unwrap());
    }
    for level in [1, 2, 3, 4, 6] {
        row(name, "zlib-rs", level, || {
            let mut encoder =
                GzEncoder::new(Vec::with_capacity(raw.len()), Compression::new(level.unsigned_abs()));
            encoder.write_all(raw).unwrap();
            encoder.finish().unwrap().len()
        });
    }
}

/// The size, and the shortest of all rounds: what else the machine does only adds.
fn row(name: &str, library: &str, level: i32, mut deflate: impl FnMut() -> usize) {
    let (mut size, mut best) = (0, Duration::MAX);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        size = black_box(deflate());
        best = best.min(start.elapsed());
    }
    println!("| {name} | {library} | {level} | {size} | {:.2} |", best.as_secs_f64() * 1e3);
}
