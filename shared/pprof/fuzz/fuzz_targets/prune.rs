//! Pruning by any rule takes the leaf ends of stacks away, and nothing else.
//! Input: flags, the length of a part of names to drop and that part, the same for names to keep, a profile.
#![no_main]

use autopgo_pprof::{merge, prune};
use autopgo_pprof_fuzz::{encode, message, mutate, parse};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| {
    let Some((flags, [drop, keep], rest)) = split(data) else { return };
    let Some(whole) = parse(rest) else { return };
    let [drop, keep] = [drop, keep].map(String::from_utf8_lossy);
    let names = if flags & 1 == 0 { prune::Names::Simplified } else { prune::Names::Full };
    let keeps = |name: &str| name.starts_with(&*keep);
    let keeps: Option<&dyn Fn(&str) -> bool> = if flags & 2 == 0 { None } else { Some(&keeps) };

    let mut pruned = whole.clone();
    prune::prune(&mut pruned, names, &|name| name.contains(&*drop), keeps);
    assert_eq!(pruned.sample_count(), whole.sample_count(), "no sample comes or goes");
    assert_eq!(pruned.totals(), whole.totals(), "values stay");
    assert!(pruned.encoded_len() <= whole.encoded_len(), "nothing is added");

    let [before, after] = [encode(&whole), encode(&pruned)].map(|raw| message(&raw));
    for (before, after) in before.sample.iter().zip(&after.sample) {
        assert!(before.location_id.ends_with(&after.location_id), "the root ends of stacks stay");
        assert_eq!(before.location_id.is_empty(), after.location_id.is_empty(), "no stack becomes empty");
        assert_eq!(before.value, after.value);
    }
    let normal = merge(&[&pruned]).expect("one profile can be merged");
    assert!(normal.sample_count() <= whole.sample_count());
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::mutate(data, size, max_size, seed, |data, dice| {
        let (.., rest) = split(data)?;
        let rules = &data[..data.len() - rest.len()];
        Some([rules, &mutate::profile(rest, dice)?].concat())
    })
});

fn split(data: &[u8]) -> Option<(u8, [&[u8]; 2], &[u8])> {
    let (&flags, rest) = data.split_first()?;
    let (drop, rest) = split_short(rest)?;
    let (keep, rest) = split_short(rest)?;
    Some((flags, [drop, keep], rest))
}

/// As many bytes as the first one says, and what follows them.
fn split_short(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = data.split_first()?;
    rest.split_at_checked(usize::from(length))
}
