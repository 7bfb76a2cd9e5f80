//! The engine beside a decoder that shares no code with it: `prost`, by the structs of `proto`. Texts and ids
//! are resolved here and compared as what they stand for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "proto/book.rs"]
mod book;
#[allow(dead_code, reason = "what only the properties use")]
mod naive;

use std::io::Read;
use std::path::PathBuf;

use autopgo_pprof::proto::{self, Message};
use autopgo_pprof::{Accumulator, ErrorKind, Limits, Profile, compatible};
use book::{adds_up, same, totals};
use flate2::read::MultiGzDecoder;
use naive::random::{Kind, model};
use naive::wire;
use proptest::prelude::*;

fn message(raw: &[u8]) -> proto::Profile {
    proto::Profile::decode(raw).unwrap()
}

fn decode(raw: &[u8]) -> Profile {
    Profile::decode(raw, &Limits::default()).unwrap()
}

/// What was written says what was read, and so do the bytes that the other encoder makes of what was read.
fn reads_and_writes_the_same(raw: &[u8]) {
    let read = message(raw);
    let written = decode(raw).encode();
    same(&message(&written), &read);
    assert_eq!(decode(&read.encode_to_vec()).encode(), written);
    // And the other way round: of our bytes it makes what we read as these again.
    assert_eq!(decode(&message(&written).encode_to_vec()).encode(), written);
}

/// The accumulator beside sums over the messages.
fn accumulates_the_sums(base: &[u8], upload: &[u8]) {
    let mut sum = Accumulator::new(decode(base));
    sum.add(&decode(upload)).unwrap();
    let sum = sum.finish();

    let (inputs, found) = ([message(base), message(upload)], message(&sum.encode()));
    let [a, b] = inputs.each_ref().map(totals);
    let both: Vec<i128> = a.iter().zip(b).map(|(a, b)| a + b).collect();
    assert_eq!((sum.totals(), totals(&found)), (both.clone(), both));
    assert_eq!(sum.sample_count(), found.sample.len());
    adds_up(&inputs, &found);
}

/// Every real profile that is a protobuf, inflated.
fn fixtures() -> Vec<(String, Vec<u8>)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/profiles");
    let mut paths: Vec<PathBuf> = [root.clone(), root.join("hello-app")]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "pgo" || it == "pprof"))
        .collect();
    paths.sort();
    assert_eq!(paths.len(), 21, "{paths:?}");
    let inflated = |path: PathBuf| {
        let mut raw = Vec::new();
        MultiGzDecoder::new(&std::fs::read(&path).unwrap()[..]).read_to_end(&mut raw).unwrap();
        (path.file_name().unwrap().to_string_lossy().into_owned(), raw)
    };
    paths.into_iter().map(inflated).collect()
}

#[test]
fn real_profiles_are_read_and_written_as_prost_does() {
    for (name, raw) in fixtures() {
        println!("{name}");
        reads_and_writes_the_same(&raw);
    }
}

#[test]
fn real_profiles_accumulate_to_the_sums_of_their_messages() {
    let fixtures = fixtures();
    let upload = &fixtures.iter().find(|(name, _)| name == "a-1.pprof").unwrap().1;
    let mut taken = 0;
    for (name, base) in &fixtures {
        println!("{name}");
        match compatible(&decode(base), &decode(upload)) {
            Ok(()) => {
                accumulates_the_sums(base, upload);
                accumulates_the_sums(upload, base);
                taken += 1;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Incompatible),
        }
    }
    // All but the heap and the goroutine profile.
    assert_eq!(taken, 19);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_profiles_are_read_and_written_as_prost_does(model in model(Kind::Any)) {
        reads_and_writes_the_same(&wire::write(&model));
        reads_and_writes_the_same(&wire::write_careless(&model));
        // The two ways of writing say the same.
        same(&message(&wire::write(&model)), &message(&wire::write_careless(&model)));
    }

    #[test]
    fn random_profiles_accumulate_to_the_sums_of_their_messages(a in model(Kind::Any), b in model(Kind::Any)) {
        accumulates_the_sums(&wire::write(&a), &wire::write(&b));
        accumulates_the_sums(&wire::write_careless(&a), &wire::write(&b));
    }
}
