//! Pruning by any rule takes the leaf ends of stacks away, and nothing else.
//! Input: flags, the length of a part of names to drop and that part, the same for names to keep, a profile.
#![no_main]

use std::collections::HashMap;

use autopgo_pprof::proto::{Line, Location, Profile};
use autopgo_pprof::{merge, prune};
use autopgo_pprof_fuzz::{encode, message, mutate, parse};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| {
    let Some(Input { flags, drop, keep, profile }) = split(data) else { return };
    let Some(whole) = parse(profile) else { return };
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
    let matches = |name: &[u8]| {
        let text = String::from_utf8_lossy(name);
        let text = if flags & 1 == 0 { prune::simplify(&text) } else { &text };
        !name.is_empty() && text.contains(&*drop) && !(flags & 2 != 0 && text.starts_with(&*keep))
    };
    is_cut(&before, &after, &matches);
    let normal = merge(&[&pruned]).expect("one profile can be merged");
    assert!(normal.sample_count() <= whole.sample_count());
});

/// What a rule does to a location: nothing, it takes inner lines away, or the location is to go as a whole.
#[derive(Clone, Copy, PartialEq)]
enum Cut {
    Nothing,
    Beneath(usize),
    Whole,
}

/// The rule by the message: first the locations, then each stack from its root.
fn is_cut(before: &Profile, after: &Profile, matches: &dyn Fn(&[u8]) -> bool) {
    let names: HashMap<u64, i64> = before.function.iter().map(|it| (it.id, it.name)).collect();
    let cut = |location: &Location| {
        let name = |line: &Line| &before.string_table[names[&line.function_id] as usize];
        match location.line.iter().rposition(|line| matches(name(line))) {
            None => Cut::Nothing,
            Some(last) if last + 1 == location.line.len() => Cut::Whole,
            Some(line) => Cut::Beneath(line + 1),
        }
    };
    let cuts: HashMap<u64, Cut> = before.location.iter().map(|it| (it.id, cut(it))).collect();
    for (before, after) in before.location.iter().zip(&after.location) {
        let gone = if let Cut::Beneath(lines) = cuts[&before.id] { lines } else { 0 };
        assert_eq!(before.line[gone..], after.line, "the lines of a location");
    }
    for (before, after) in before.sample.iter().zip(&after.sample) {
        let stack = &before.location_id;
        let marked = |id: &u64| cuts[id] != Cut::Nothing;
        let user = stack.iter().rposition(|id| !marked(id)).unwrap_or(0);
        let gone = match stack[..user].iter().rposition(marked) {
            Some(at) if cuts[&stack[at]] == Cut::Whole => at + 1,
            at => at.unwrap_or(0),
        };
        assert_eq!(stack[gone..], after.location_id, "the root end of a stack");
        assert_eq!((&before.value, before.label.len()), (&after.value, after.label.len()));
    }
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::mutate(data, size, max_size, seed, |data, dice| {
        let Input { profile, .. } = split(data)?;
        let rules = &data[..data.len() - profile.len()];
        Some([rules, &mutate::profile(profile, dice)?].concat())
    })
});

struct Input<'a> {
    flags: u8,
    drop: &'a [u8],
    keep: &'a [u8],
    profile: &'a [u8],
}

fn split(data: &[u8]) -> Option<Input<'_>> {
    let (&flags, rest) = data.split_first()?;
    let (drop, rest) = split_short(rest)?;
    let (keep, profile) = split_short(rest)?;
    Some(Input { flags, drop, keep, profile })
}

/// As many bytes as the first one says, and what follows them.
fn split_short(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = data.split_first()?;
    rest.split_at_checked(usize::from(length))
}
