//! Two profiles, merged in google/pprof's order and by the accumulator: the same content.
//! Input: the length of the first profile in two bytes, the first, the second.
#![no_main]

use autopgo_pprof::{Accumulator, ErrorKind, Profile, compatible, merge};
use autopgo_pprof_fuzz::{added_up, decode, encode, mutate, parse, same_content};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| {
    let Some((first, second)) = split(data) else { return };
    let (Some(first), Some(second)) = (parse(first), parse(second)) else { return };
    let mut sum = Accumulator::new(first.clone());
    if let Err(error) = compatible(&first, &second) {
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        for refused in [merge(&[&first, &second]).map(drop), sum.add(&second)] {
            assert_eq!(refused.expect_err("not compatible").kind(), ErrorKind::Incompatible);
        }
        // The sum is as it was.
        return same_content(&sum.finish(), &merged(&first, None));
    }
    sum.add(&second).expect("compatible profiles can be added");
    let (sum, merged) = (sum.finish(), merged(&first, Some(&second)));
    same_content(&merged, &sum);

    // Values wrap, and so may their sums here: alike in their lowest 64 bits.
    let lowest = |total: i128| total as u64;
    for ((found, also), (a, b)) in
        merged.totals().into_iter().zip(sum.totals()).zip(first.totals().into_iter().zip(second.totals()))
    {
        assert_eq!([found, also].map(lowest), [lowest(a + b); 2], "values are conserved");
    }
    let _ = encode(&merged);

    let again = |raw: &[u8]| encode(&Accumulator::new(decode(raw)).finish());
    let settled = encode(&added_up(&encode(&first), &encode(&second)));
    assert!(again(&settled) == settled, "a sum is a fixed point");
    // An empty unit is not written. Where an input has one, samples that differed by it are in another order, or
    // equal, when they are read again; but only once.
    let once = again(&encode(&sum));
    assert!(again(&once) == once, "a sum that was read is a fixed point");
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::mutate(data, size, max_size, seed, |data, dice| {
        let (first, second) = split(data)?;
        let (first, second) = match dice.below(6) {
            0 => (second.to_vec(), first.to_vec()),
            // Two that have much in common.
            1 => (first.to_vec(), mutate::profile(first, dice)?),
            2 | 3 => (mutate::profile(first, dice)?, second.to_vec()),
            _ => (first.to_vec(), mutate::profile(second, dice)?),
        };
        let length = u16::try_from(first.len()).ok()?;
        Some([&length.to_le_bytes(), &first[..], &second].concat())
    })
});

fn split(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = data.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))
}

fn merged(first: &Profile, second: Option<&Profile>) -> Profile {
    let profiles: Vec<&Profile> = [first].into_iter().chain(second).collect();
    merge(&profiles).expect("compatible profiles can be merged")
}
