//! The engine beside a decoder that shares no code with it: `prost`, by the structs of `proto`. Texts and ids
//! are resolved here and compared as what they stand for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "proto/book.rs"]
mod book;
#[path = "proto/every_byte.rs"]
mod every_byte;
#[allow(dead_code, reason = "what only the properties use")]
mod naive;
mod recorded;

use std::io::Read;

use autopgo_pprof::proto::{self, Message};
use autopgo_pprof::{Accumulator, ErrorKind, Limits, Profile, compatible, merge};
use book::{adds_up, difference, same, totals};
use flate2::read::MultiGzDecoder;
use naive::random::{Kind, model};
use naive::wire;
use proptest::collection::vec;
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

fn merged<'a>(profiles: impl IntoIterator<Item = &'a Profile>) -> Profile {
    merge(&profiles.into_iter().collect::<Vec<_>>()).unwrap()
}

/// Every real profile that is a protobuf, inflated.
fn fixtures() -> Vec<(String, Vec<u8>)> {
    let inflated = |file: Vec<u8>| {
        let mut raw = Vec::new();
        MultiGzDecoder::new(&file[..]).read_to_end(&mut raw).unwrap();
        raw
    };
    recorded::protobufs().into_iter().map(|(name, file)| (name, inflated(file))).collect()
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
    fn what_is_accumulated_is_what_is_merged(models in vec(model(Kind::Any), 1..4)) {
        let profiles: Vec<Profile> = models.iter().map(|model| decode(&wire::write(model))).collect();
        let (base, uploads) = profiles.split_first().unwrap();
        let mut sum = Accumulator::new(base.clone());
        uploads.iter().for_each(|upload| sum.add(upload).unwrap());
        prop_assert_eq!(difference(&merged(&profiles).encode(), &sum.finish().encode()), None);

        // Step by step, written and read in between.
        let mut step = Accumulator::new(base.clone()).finish();
        for upload in uploads {
            let mut sum = Accumulator::new(step);
            sum.add(upload).unwrap();
            step = decode(&sum.finish().encode());
        }
        let steps = uploads.iter().fold(merged([base]), |base, upload| merged([&base, upload]));
        prop_assert_eq!(difference(&steps.encode(), &step.encode()), None);
    }

    #[test]
    fn random_profiles_accumulate_to_the_sums_of_their_messages(a in model(Kind::Any), b in model(Kind::Any)) {
        accumulates_the_sums(&wire::write(&a), &wire::write(&b));
        accumulates_the_sums(&wire::write_careless(&a), &wire::write(&b));
    }
}
