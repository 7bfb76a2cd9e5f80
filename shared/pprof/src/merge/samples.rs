//! Adding up: samples of the same stack and the same labels become one, at the place of the first.
//!
//! google/pprof compares samples by one string of all of it (merge.go, `sampleKey`). That string leaves
//! no mark between text labels and numbers, so it can be forged to be equal for unequal labels; here they
//! are compared as what they are.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::remap::{Memo, Remap, string};
use crate::profile::{Label, LabelValue, Profile, index};

/// The merged samples, found by stack and labels.
#[derive(Default)]
pub(super) struct Adder {
    /// With each entry its hash: to compute it again means to walk over its stack.
    samples: HashTable<(u64, u32)>,
    hasher: RandomState,
}

impl Adder {
    /// Adds one sample of `source`.
    pub(super) fn add(
        &mut self,
        sample: usize,
        source: &Profile,
        remap: &mut Remap,
        memo: &mut Memo,
        merged: &mut Profile,
    ) {
        let (frames, labels) = (merged.samples.frames.len(), merged.samples.labels.len());
        for &frame in source.samples.stack(sample) {
            let frame = remap.location(frame, source, memo, merged);
            merged.samples.frames.push(frame);
        }
        for label in source.samples.labels(sample) {
            let value = match label.value {
                LabelValue::Text(text) => LabelValue::Text(string(text, source, memo, merged)),
                LabelValue::Number(number, unit) => {
                    LabelValue::Number(number, unit.map(|unit| string(unit, source, memo, merged)))
                }
            };
            let key = string(label.key, source, memo, merged);
            merged.samples.labels.push(Label { key, value });
        }
        self.place(frames, labels, source.samples.values(sample), merged);
    }

    /// Adds `values` to the sample equal to what the arenas hold past these lengths, or makes it one.
    fn place(&mut self, frames: usize, labels: usize, values: &[i64], merged: &mut Profile) {
        let samples = &mut merged.samples;
        let (stack, tags) = (&samples.frames[frames..], &samples.labels[labels..]);
        let mut hasher = self.hasher.build_hasher();
        stack.iter().for_each(|&frame| hasher.write_u32(frame));
        tags.hash(&mut hasher);
        let hash = hasher.finish();
        let same = |at: u32| samples.stack(at as usize) == stack && samples.labels(at as usize) == tags;
        if let Some(&(_, at)) = self.samples.find(hash, |&(h, at)| h == hash && same(at)) {
            samples.frames.truncate(frames);
            samples.labels.truncate(labels);
            for (sum, &value) in samples.values_mut(at as usize).iter_mut().zip(values) {
                *sum = sum.wrapping_add(value);
            }
            return;
        }
        self.samples.insert_unique(hash, (hash, index(samples.len())), |&(hash, _)| hash);
        samples.values.extend_from_slice(values);
        samples.close(frames, labels);
    }
}
