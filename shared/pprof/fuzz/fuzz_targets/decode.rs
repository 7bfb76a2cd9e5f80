//! Any bytes are refused, or read as a profile that can be written and read again.
#![no_main]

use autopgo_pprof::{ErrorKind, Limits, Outline, Profile, Sound, check, gzip, has_samples};
use autopgo_pprof_fuzz::{decode, encode, is_read_alike, limits, message, mutate, parse, says_all};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| {
    let limits = limits();
    let scanned = has_samples(data, &limits);
    let sound = Sound::look(data, &limits, |_| true);
    let outline = Outline::read(data, &limits);
    let Some(profile) = parse(data) else {
        assert!(sound.is_none(), "what cannot be read is not sound");
        return;
    };
    is_sound_alike(sound.as_ref(), &profile);
    let outline = outline.expect("what can be read has an outline");
    assert_eq!(outline.samples(), profile.sample_count() as u64, "the outline counts samples");
    if check::upload(&profile).is_ok() {
        check::outline(&outline).expect("the outline of a good upload is good");
    }
    let scanned = scanned.expect("what can be read can be scanned");
    assert_eq!(scanned, profile.sample_count() > 0, "the scan finds samples");

    let raw = encode(&profile);
    // What is written may be longer than what was read: strings are numbered anew.
    let any_length = Limits { raw_bytes: u64::MAX, ..limits.clone() };
    profile.fits(&any_length).expect("what was read is within the limits");
    let fits = profile.fits(&limits).is_ok();
    assert_eq!(fits, Profile::decode(&raw, &limits).is_ok(), "what fits can be read");
    has_its_size(&raw);

    if !gzip::is_gzip(data) {
        return is_read_alike(data, &profile);
    }
    is_read_alike(&gzip::inflate(data, limits.raw_bytes).expect("gzip"), &profile);
    let zipped = profile.write();
    assert!(gzip::inflate(&zipped, u64::MAX).expect("gzip") == raw, "what was zipped can be unzipped");
});

/// The quick look says the same as the whole one, but of sums that may be too large.
fn is_sound_alike(sound: Option<&Sound>, profile: &Profile) {
    let fine = check::upload(profile).is_ok();
    match sound {
        Some(sound) => {
            assert!(fine, "what is sound is fine");
            assert_eq!(sound.totals().to_vec(), profile.totals());
            assert_eq!(sound.comments(), profile.comments().count());
        }
        None if fine => {
            assert!(profile.totals().iter().any(|total| *total > 1 << 40), "what is fine is sound")
        }
        None => {}
    }
}

/// Limits that are just large enough are, and one less of anything is too little.
fn has_its_size(raw: &[u8]) {
    let (profile, message) = (decode(raw), message(raw));
    if !says_all(&message) {
        // Labels are counted before those of nothing are dropped, and with them their keys.
        return;
    }
    let locations = || message.location.iter().map(|location| location.line.len());
    let labels = || message.sample.iter().map(|sample| sample.label.len());
    let exact = Limits {
        raw_bytes: raw.len() as u64,
        samples: message.sample.len(),
        locations: message.location.len(),
        functions: message.function.len(),
        mappings: message.mapping.len(),
        strings: message.string_table.len(),
        labels_per_sample: labels().max().unwrap_or(0),
        comments: message.comment.len(),
        sample_types: message.sample_type.len(),
        frames: message.sample.iter().map(|sample| sample.location_id.len()).sum(),
        labels: labels().sum(),
        lines: locations().sum(),
        lines_per_location: locations().max().unwrap_or(0),
    };
    profile.fits(&exact).expect("it is as large as it is");
    Profile::decode(raw, &exact).map(drop).expect("it is as large as it is");
    let mut less = exact;
    let counts = [
        &mut less.samples,
        &mut less.locations,
        &mut less.functions,
        &mut less.mappings,
        &mut less.strings,
        &mut less.labels_per_sample,
        &mut less.comments,
        &mut less.sample_types,
        &mut less.frames,
        &mut less.labels,
        &mut less.lines,
        &mut less.lines_per_location,
    ];
    let which = raw.len() % counts.len();
    let count = counts.into_iter().nth(which).expect("one of them");
    if *count == 0 {
        return;
    }
    *count -= 1;
    for refused in [profile.fits(&less), Profile::decode(raw, &less).map(drop)] {
        assert_eq!(refused.expect_err("one too many").kind(), ErrorKind::Limit);
    }
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::mutate(data, size, max_size, seed, mutate::profile)
});
