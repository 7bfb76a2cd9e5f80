//! Adding up: samples of the same stack and the same labels become one, at the place of the first.
//!
//! google/pprof compares samples by one string of all of it (merge.go, `sampleKey`). That string leaves
//! no mark between text labels and numbers, so it can be forged to be equal for unequal labels; here they
//! are compared as what they are.

use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::Range;

use foldhash::fast::RandomState;

use super::remap::{Memo, string};
use crate::index::Index;
use crate::profile::{Label, LabelValue, Profile, Samples, Span, index};
use crate::strings::Strings;

/// How many samples are re-numbered before they are looked up. Looking up misses the cache, and the
/// processor waits for many at a time only if there is little else between one and the next.
const BLOCK: usize = 64;

/// The merged samples, found by stack and labels.
#[derive(Default)]
pub(super) struct Adder {
    known: Index,
    hasher: RandomState,
    block: Vec<Candidate>,
}

/// A sample in the numbers of the merged profile, perhaps equal to one that is there. Its frames and
/// labels already lie at the ends of the arenas, each candidate's up to these marks.
struct Candidate {
    /// In its source.
    sample: usize,
    hash: u64,
    frames: usize,
    labels: usize,
}

impl Adder {
    /// Makes room for the samples of all these profiles, where they are much alike.
    pub(super) fn reserve(&mut self, profiles: &[&Profile], merged: &mut Profile) {
        let room = |count: fn(&Samples) -> usize| {
            let counts = || profiles.iter().map(|profile| count(&profile.samples));
            let largest = counts().max().unwrap_or(0);
            counts().sum::<usize>().min(largest + largest / 8)
        };
        let samples = room(Samples::len);
        self.known.reserve(samples);
        merged.samples.stacks.reserve(samples);
        merged.samples.values.reserve(room(|samples| samples.values.len()));
        merged.samples.frames.reserve(room(|samples| samples.frames.len()));
    }

    /// Adds the samples of `source` to `merged`, but for those of zeroes only.
    pub(super) fn add(&mut self, source: &Profile, memo: &mut Memo, merged: &mut Profile) {
        let count = source.samples.len();
        for start in (0..count).step_by(BLOCK) {
            let ends = (merged.samples.frames.len(), merged.samples.labels.len());
            for sample in start..count.min(start + BLOCK) {
                if !source.samples.is_zero(sample) {
                    self.renumber(sample, source, memo, merged);
                }
            }
            self.settle(ends, &source.samples, &mut merged.samples);
        }
    }

    /// Puts a sample at the ends of the arenas.
    #[inline(always)]
    fn renumber(&mut self, sample: usize, source: &Profile, memo: &mut Memo, merged: &mut Profile) {
        let (first_frame, first_label) = (merged.samples.frames.len(), merged.samples.labels.len());
        let stack = source.samples.stack(sample);
        merged.samples.frames.extend(stack.iter().map(|&frame| memo.locations[frame as usize]));
        for label in source.samples.labels(sample) {
            let label = renumber_label(label, source, memo, &mut merged.strings);
            merged.samples.labels.push(label);
        }
        let Samples { frames, labels, .. } = &merged.samples;
        let hash = hash(&self.hasher, &frames[first_frame..], &labels[first_label..]);
        self.block.push(Candidate { sample, hash, frames: frames.len(), labels: labels.len() });
    }

    /// Makes each candidate a sample, or adds its values to the sample that it is equal to.
    #[inline(always)]
    fn settle(&mut self, ends: (usize, usize), source: &Samples, samples: &mut Samples) {
        // What is kept, and what is looked at: behind those that were not, the others move up.
        let (mut frames, mut labels) = ends;
        let (mut frames_read, mut labels_read) = ends;
        for candidate in &self.block {
            let stack = frames_read..candidate.frames;
            let tags = labels_read..candidate.labels;
            (frames_read, labels_read) = (candidate.frames, candidate.labels);
            let same = |at: u32| {
                samples.stack(at as usize) == &samples.frames[stack.clone()]
                    && samples.labels(at as usize) == &samples.labels[tags.clone()]
            };
            let place = self.known.find_or_add(candidate.hash, index(samples.len()), same) as usize;
            let values = source.values(candidate.sample);
            if place < samples.len() {
                samples.add_values(place, values);
                continue;
            }
            samples.values.extend_from_slice(values);
            let stack = move_up(&mut samples.frames, stack, &mut frames);
            let tags = move_up(&mut samples.labels, tags, &mut labels);
            samples.push(stack, tags);
        }
        samples.frames.truncate(frames);
        samples.labels.truncate(labels);
        self.block.clear();
    }
}

/// Moves a part of an arena to `to`, which then is behind it.
#[inline(always)]
fn move_up<T: Copy>(arena: &mut [T], part: Range<usize>, to: &mut usize) -> Span {
    let start = *to;
    *to += part.len();
    if start != part.start {
        arena.copy_within(part, start);
    }
    Span::since(start, *to)
}

/// A source's label with the texts of the merged profile's table.
pub(super) fn renumber_label(
    label: &Label,
    source: &Profile,
    memo: &mut Memo,
    strings: &mut Strings,
) -> Label {
    let mut text = |text| string(text, source, memo, strings);
    let value = match label.value() {
        LabelValue::Text(value) => LabelValue::Text(text(value)),
        LabelValue::Number(number, unit) => LabelValue::Number(number, unit.map(&mut text)),
    };
    Label::new(text(label.key), value)
}

#[inline(always)]
fn hash(hasher: &RandomState, stack: &[u32], labels: &[Label]) -> u64 {
    let mut hasher = hasher.build_hasher();
    // Four numbers cost this hasher as much as one.
    let (fours, rest) = stack.as_chunks();
    for four in fours {
        hasher.write_u128(join(four));
    }
    if !rest.is_empty() {
        let mut four = [0; 4];
        four[..rest.len()].copy_from_slice(rest);
        hasher.write_u128(join(&four));
    }
    if !labels.is_empty() {
        labels.hash(&mut hasher);
    }
    hasher.finish()
}

#[inline(always)]
fn join(four: &[u32; 4]) -> u128 {
    let [a, b, c, d] = four.map(u128::from);
    a | b << 32 | c << 64 | d << 96
}
