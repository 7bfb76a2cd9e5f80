//! Any bytes are refused, or read as a profile that can be written and read again.
#![no_main]

use autopgo_pprof::{Limits, Profile, gzip, has_samples};
use autopgo_pprof_fuzz::{encode, is_read_alike, limits, mutate, parse};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| {
    let limits = limits();
    let scanned = has_samples(data, &limits);
    let Some(profile) = parse(data) else { return };
    let scanned = scanned.expect("what can be read can be scanned");
    assert_eq!(scanned, profile.sample_count() > 0, "the scan finds samples");

    let raw = encode(&profile);
    // What is written may be longer than what was read: strings are numbered anew.
    let any_length = Limits { raw_bytes: u64::MAX, ..limits.clone() };
    profile.fits(&any_length).expect("what was read is within the limits");
    let fits = profile.fits(&limits).is_ok();
    assert_eq!(fits, Profile::decode(&raw, &limits).is_ok(), "what fits can be read");

    if !gzip::is_gzip(data) {
        return is_read_alike(data, &profile);
    }
    is_read_alike(&gzip::inflate(data, limits.raw_bytes).expect("gzip"), &profile);
    let zipped = profile.write();
    assert!(gzip::inflate(&zipped, u64::MAX).expect("gzip") == raw, "what was zipped can be unzipped");
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::mutate(data, size, max_size, seed, mutate::profile)
});
