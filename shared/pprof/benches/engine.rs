//! What each part of the engine takes on real profiles.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark")]

use std::hint::black_box;
use std::path::PathBuf;

use autopgo_pprof::{Accumulator, Edges, Limits, Profile, compact, gzip, merge, prune};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// A base, and the upload that is folded into it.
const PAIRS: [(&str, &str); 3] = [
    ("rclone-full.pprof", "rclone.pgo"),
    ("avalanchego.pgo", "avalanchego.pgo"),
    ("autopgo-testdata.pgo", "autopgo-testdata.pgo"),
];

fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/profiles").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn parts(criterion: &mut Criterion) {
    let limits = Limits::default();
    for (base, upload) in PAIRS {
        let zipped = [upload, base].map(fixture);
        let raw = gzip::inflate(&zipped[1], limits.raw_bytes).unwrap();
        let [upload, profile] = zipped.each_ref().map(|bytes| Profile::parse(bytes, &limits).unwrap());

        let mut group = criterion.benchmark_group(base);
        group.throughput(Throughput::Bytes(raw.len() as u64));
        group
            .bench_function("inflate", |b| b.iter(|| gzip::inflate(black_box(&zipped[1]), limits.raw_bytes)));
        group.bench_function("decode", |b| b.iter(|| Profile::decode(black_box(&raw), &limits)));
        group.bench_function("merge", |b| b.iter(|| merge(black_box(&[&upload, &profile]))));
        let fold = |base: Profile| {
            let mut sum = Accumulator::new(base);
            sum.add(&upload).unwrap();
            sum.finish()
        };
        let ordered = fold(profile.clone());
        for (name, base) in [("fold", &profile), ("fold in order", &ordered)] {
            group.bench_function(name, |b| {
                b.iter_batched(|| base.clone(), fold, criterion::BatchSize::LargeInput);
            });
        }
        group.bench_function("prune", |b| {
            let pruned = |mut profile| {
                let drop = |name: &str| name.starts_with("runtime.gc");
                prune::prune(&mut profile, prune::Names::Simplified, &drop, None);
                profile
            };
            b.iter_batched(|| profile.clone(), pruned, criterion::BatchSize::LargeInput);
        });
        group.bench_function("edges", |b| b.iter(|| Edges::of(black_box(&profile))));
        group.bench_function("compact", |b| b.iter(|| compact(black_box(&profile))));
        group.bench_function("encode", |b| b.iter(|| black_box(&profile).encode()));
        group.bench_function("deflate", |b| b.iter(|| gzip::deflate(black_box(&raw))));
        group.bench_function("all", |b| {
            b.iter(|| {
                let [upload, base] = zipped.each_ref().map(|bytes| Profile::parse(bytes, &limits).unwrap());
                let mut sum = Accumulator::new(base);
                sum.add(&upload).unwrap();
                sum.finish().write()
            });
        });
        group.finish();
    }
}

criterion_group!(benches, parts);
criterion_main!(benches);
