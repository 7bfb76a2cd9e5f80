//! What a merge would leave out: entries without use, entries twice, samples of zeroes only. A base that
//! we wrote has none of it, one that Go wrote hardly ever.

use std::ops::Range;

use super::headers::{self, Seen};
use super::remap::Remap;
use super::samples::renumber_label;
use crate::cores::{Core, at_once};
use crate::profile::{Profile, Samples, Span};
use crate::shares::Shares;

/// What a merge would leave of a profile. Its tables are made anew, its samples stay where they are: they
/// are by far the most.
pub(super) fn tidied(mut profile: Profile) -> Profile {
    let mut merged = headers::start(&profile);
    headers::add(&profile, &mut Seen::default(), &mut merged);
    let mut remap = Remap::default();
    let mut memo = remap.source(&profile, &mut merged);
    remap.used(&profile, &mut memo, &mut merged);

    let none = Samples::new(profile.samples.width);
    let mut samples = std::mem::replace(&mut profile.samples, none);
    samples.compress(|samples, _, at| !samples.is_zero(at));
    for label in &mut samples.labels {
        *label = renumber_label(label, &profile, &mut memo, &mut merged.strings);
    }
    // Frames that no sample holds any more stand for nothing.
    samples.frames.iter_mut().for_each(|frame| *frame = memo.location(*frame).unwrap_or(0));
    if merged.locations.is_empty() {
        samples.frames = Vec::new();
        samples.stacks.fill(Span::default());
    }
    merged.samples = samples;
    merged
}

/// Go's runtime lists every mapping of the process, most without a sample.
pub(super) fn drop_unused_mappings(profile: &mut Profile) {
    let Profile { mappings, locations, .. } = profile;
    let mut used = vec![false; mappings.len()];
    locations.iter().filter_map(|location| location.mapping).for_each(|at| used[at as usize] = true);
    // The first mapping stands for the main binary: it stays, used or not.
    used.first_mut().into_iter().for_each(|first| *first = true);
    if used.iter().all(|&used| used) {
        return;
    }
    let mut places = Vec::with_capacity(used.len());
    let mut kept = 0;
    for &used in &used {
        places.push(kept);
        kept += u32::from(used);
    }
    let mut keep = used.iter();
    mappings.retain(|_| keep.next().is_some_and(|&used| used));
    for (id, mapping) in (1..).zip(mappings) {
        mapping.id = id;
    }
    for mapping in locations.iter_mut().filter_map(|location| location.mapping.as_mut()) {
        *mapping = places[*mapping as usize];
    }
}

/// From how many frames on two threads look at them.
pub(super) const LARGE: usize = 128 << 10;

/// How many frames name each location.
pub(super) fn uses(profile: &Profile) -> Vec<u32> {
    let Profile { locations, samples, .. } = profile;
    let count = |next: &dyn Fn() -> Option<Range<usize>>| {
        let mut uses = vec![0; locations.len()];
        while let Some(next) = next() {
            for stack in &samples.stacks[next] {
                samples.frames[stack.range()].iter().for_each(|&frame| uses[frame as usize] += 1);
            }
        }
        uses
    };
    let shares = Shares::of(samples.len());
    // There should be few locations: both have all of them.
    let large = samples.frames.len() >= LARGE.max(4 * locations.len());
    let Some(core) = large.then(Core::take).flatten() else {
        return count(&|| shares.first());
    };
    let (mut uses, more) = at_once(Some(core), || count(&|| shares.first()), || count(&|| shares.last()));
    uses.iter_mut().zip(more).for_each(|(uses, more)| *uses += more);
    uses
}

/// Whether a merge would leave out nothing of it, whose mappings are all used: all other entries are, too,
/// samples have values, and numbers have no gaps.
pub(super) fn is_tidy(profile: &Profile, uses: &[u32]) -> bool {
    let Profile { mappings, functions, locations, samples, .. } = profile;
    let mut used_functions = vec![false; functions.len()];
    for location in locations {
        profile.lines_of(location).iter().for_each(|line| used_functions[line.function as usize] = true);
    }
    let all_used = uses.iter().all(|&uses| uses > 0) && used_functions.iter().all(|&used| used);
    let dense = |id: u64, count: usize| id <= count as u64;
    all_used
        && !samples.any_zero()
        && locations.iter().all(|location| dense(location.id, locations.len()))
        && functions.iter().all(|function| dense(function.id, functions.len()))
        && mappings.iter().all(|mapping| dense(mapping.id, mappings.len()))
}
