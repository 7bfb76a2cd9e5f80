//! The order of samples in a base profile: by their stacks from the root on, then by their labels.
//!
//! Neighbours then share most of their frames, which makes gzip both faster and better than the order of
//! first appearance does; and what is equal lies together, so that samples of an ordered base are found
//! without hashing any of them.

use std::cmp::Ordering;
use std::ops::Range;

use crate::cores::{are_lent, both};
use crate::profile::{Label, LabelValue, Samples, Span, index, permute};
use crate::strings::{Str, Strings};

/// Compares samples of one profile.
pub(super) struct Order {
    /// The places of the labels' texts in the order of their bytes: their numbers would be others when the
    /// profile is read again, and comparing the texts themselves takes as long as an uploader likes.
    ranks: Vec<u32>,
}

impl Order {
    /// For samples that have no other labels than these.
    pub(super) fn of(samples: &[&Samples], strings: &Strings) -> Self {
        let labels = || samples.iter().flat_map(|samples| &samples.labels);
        if labels().next().is_none() {
            return Self { ranks: Vec::new() };
        }
        let texts = labels().flat_map(|label| match label.value() {
            LabelValue::Text(text) => [label.key, text],
            LabelValue::Number(_, unit) => [label.key, unit.unwrap_or(Str::EMPTY)],
        });
        Self { ranks: strings.ranks(&strings.sorted(texts)) }
    }

    /// The order of two samples.
    pub(super) fn compare(&self, (a, at): (&Samples, usize), (b, bt): (&Samples, usize)) -> Ordering {
        let stacks = a.stack(at).iter().rev().cmp(b.stack(bt).iter().rev());
        stacks.then_with(|| self.compare_labels((a, at), (b, bt)))
    }

    fn compare_labels(&self, (a, at): (&Samples, usize), (b, bt): (&Samples, usize)) -> Ordering {
        let rank = |text: Str| self.ranks[text.at()];
        let key = |label: &Label| {
            let value = match label.value() {
                LabelValue::Text(text) => (Some(rank(text)), 0, None),
                LabelValue::Number(number, unit) => (None, number, unit.map(rank)),
            };
            (rank(label.key), value)
        };
        a.labels(at).iter().map(key).cmp(b.labels(bt).iter().map(key))
    }

    /// Whether every sample comes after the one before it.
    pub(super) fn holds(&self, samples: &Samples) -> bool {
        let in_order = |at| self.compare((samples, at - 1), (samples, at)).is_lt();
        // Of those that are not, the first few mostly tell.
        let (few, count) = (samples.len().min(FEW), samples.len());
        if !(1..few).all(in_order) {
            return false;
        }
        let middle = few.max(count / 2);
        let (first, second) =
            both(count >= LARGE, || (few..middle).all(in_order), || (middle..count).all(in_order));
        first && second
    }

    /// The samples in order. Equal ones are next to each other.
    ///
    /// From the root on, a few frames at a time, as many as a number holds: first all are sorted by these,
    /// then those that have them in common by the next, and so on. No recursion: an uploader picks how long
    /// stacks are.
    pub(super) fn sorted(&self, samples: &Samples, locations: usize) -> Sorted {
        let entry = |(at, stack): (usize, &Span)| Entry { key: 0, sample: index(at), end: stack.end };
        let mut entries: Vec<Entry> = samples.stacks.iter().enumerate().map(entry).collect();
        let mut sort = Sort { order: self, samples, window: Window::of(locations), equal: false };
        let all = 0..entries.len();
        sort.all(&mut entries, Vec::from([all]));
        Sorted { order: entries.into_iter().map(|entry| entry.sample).collect(), equal: sort.equal }
    }

    /// Puts `fresh` samples into ordered ones, each where it belongs; values of equal ones add up. `fresh`
    /// is read in the order of `places`.
    pub(super) fn insert(&self, fresh: &Samples, places: &[u32], into: Samples) -> Samples {
        let old = into.len();
        let mut all = into;
        let mut to = Samples::new(all.width);
        all.append(fresh);
        to.stacks.reserve_exact(all.len());
        to.values.reserve_exact(all.values.len());
        let mut done = 0;
        for &place in places {
            let new = old + place as usize;
            let next = gallop(done..old, |at| self.compare((&all, at), (&all, new)).is_lt());
            to.extend_from(&all, done..next);
            done = next;
            to.extend_from(&all, new..new + 1);
            if done < old && self.compare((&all, done), (&all, new)).is_eq() {
                let last = to.len() - 1;
                to.add_values(last, all.values(done));
                done += 1;
            }
        }
        to.extend_from(&all, done..old);
        Samples { frames: all.frames, labels: all.labels, ..to }
    }
}

/// From how many samples on two threads compare and move them.
const LARGE: usize = 8 << 10;
/// How many are looked at before that.
const FEW: usize = 64;

/// Sorts samples.
#[derive(Clone)]
struct Sort<'a> {
    order: &'a Order,
    samples: &'a Samples,
    window: Window,
    /// Whether equal ones were met: they must have been compared with each other.
    equal: bool,
}

impl Sort<'_> {
    /// Sorts what is in each of these ranges, which ascend.
    fn all(&mut self, entries: &mut [Entry], mut open: Vec<Range<usize>>) {
        while !open.is_empty() {
            if let Some((middle, behind)) = part(&mut open) {
                let (before, after) = entries.split_at_mut(middle);
                let mut other = self.clone();
                both(true, || self.all(before, open), || other.all(after, behind));
                self.equal |= other.equal;
                return;
            }
            open = self.by_next_frames(entries, open);
        }
    }

    /// Sorts each of these ranges by the next few frames. What these do not tell apart is left.
    fn by_next_frames(&mut self, entries: &mut [Entry], open: Vec<Range<usize>>) -> Vec<Range<usize>> {
        let Self { order, samples, window, .. } = *self;
        // First all of them are read, which lie about in memory: waiting for many takes as long as for one.
        for range in &open {
            for entry in &mut entries[range.clone()] {
                let mut left = entry.left(samples);
                entry.key = window.take(&samples.frames, &mut left);
                entry.end = left.end;
            }
        }
        let mut next = Vec::new();
        for range in open {
            let part = &mut entries[range.clone()];
            if !part.is_sorted_by_key(|entry| entry.key) {
                part.sort_unstable_by_key(|entry| entry.key);
            }
            let mut start = range.start;
            for same in part.chunk_by_mut(|a, b| a.key == b.key) {
                let end = start + same.len();
                if same.len() > 1 && window.is_whole(same[0].key) {
                    same.sort_unstable_by(|a, b| {
                        let labels = order.compare_labels((samples, a.at()), (samples, b.at()));
                        self.equal |= labels.is_eq();
                        labels
                    });
                } else if same.len() > 1 {
                    next.push(start..end);
                }
                start = end;
            }
        }
        next
    }
}

/// Takes from ascending ranges those from about the middle on, if they are worth a thread. Also where no core is free, for
/// one may be when the first are sorted.
/// Where they start, and the ranges counted from there.
fn part(open: &mut Vec<Range<usize>>) -> Option<(usize, Vec<Range<usize>>)> {
    let all: usize = open.iter().map(Range::len).sum();
    if all < LARGE || !are_lent() {
        return None;
    }
    let mut before = 0;
    let first = open.iter().position(|range| {
        before += range.len();
        before >= all / 2
    })?;
    let rest = open.split_off(first + 1);
    let middle = open.last().map_or(0, |range| range.end);
    if all - before < all / 4 {
        // One is most of them.
        open.extend(rest);
        return None;
    }
    Some((middle, rest.into_iter().map(|range| range.start - middle..range.end - middle).collect()))
}

/// Samples in order.
pub(super) struct Sorted {
    pub(super) order: Vec<u32>,
    /// Whether some may be equal.
    equal: bool,
}

/// Puts samples into this order. Equal ones, which then are next to each other, become one.
pub(super) fn arrange(samples: &mut Samples, Sorted { order, equal }: &Sorted) {
    let width = samples.width;
    if !samples.label_spans.is_empty() {
        samples.label_spans.resize(samples.stacks.len(), Span::default());
        permute(&mut samples.label_spans, order, 1);
    }
    let Samples { values, stacks, .. } = samples;
    both(stacks.len() >= LARGE, || permute(values, order, width), || permute(stacks, order, 1));
    if !equal {
        return;
    }
    samples.compress(|samples, last, at| {
        let same = last.filter(|&last| samples.same(last, at));
        if let Some(last) = same {
            let (before, values) = samples.values.split_at_mut(at * width);
            let sums = &mut before[last * width..(last + 1) * width];
            sums.iter_mut().zip(&*values).for_each(|(sum, &value)| *sum = sum.wrapping_add(value));
        }
        same.is_none()
    });
}

/// The first of `range` for which `before` no longer holds, if it holds up to there: found near the start
/// at least cost.
fn gallop(range: Range<usize>, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut step) = (range.start, 1);
    while low + step <= range.end && before(low + step - 1) {
        low += step;
        step *= 2;
    }
    let mut high = range.end.min(low + step - 1);
    while low < high {
        let middle = low.midpoint(high);
        if before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// A sample with the part of its stack that is looked at.
#[derive(Clone, Copy)]
struct Entry {
    /// As [`Window::take`] makes it.
    key: u64,
    sample: u32,
    /// Where that which is left of its stack ends.
    end: u32,
}

impl Entry {
    fn at(self) -> usize {
        self.sample as usize
    }

    #[inline(always)]
    fn left(self, samples: &Samples) -> Span {
        Span { end: self.end, ..samples.stacks[self.at()] }
    }
}

/// A few neighbouring frames as one number: as many as fit, each counted from 1.
#[derive(Clone, Copy)]
enum Window {
    /// Four of 16 bits.
    Four,
    /// Two of 32 bits.
    Two,
}

impl Window {
    /// For frames that are positions below `locations`.
    fn of(locations: usize) -> Self {
        if locations <= usize::from(u16::MAX) { Self::Four } else { Self::Two }
    }

    /// The last frames of a stack, which are taken from it: the one nearest to the root first; 0 where there is none.
    #[inline(always)]
    fn take(self, frames: &[u32], stack: &mut Span) -> u64 {
        match self {
            Self::Four => take::<4>(frames, stack),
            Self::Two => take::<2>(frames, stack),
        }
    }

    /// Whether stacks with this key end within it.
    fn is_whole(self, key: u64) -> bool {
        match self {
            Self::Four => key & u64::from(u16::MAX) == 0,
            Self::Two => key & u64::from(u32::MAX) == 0,
        }
    }
}

#[inline(always)]
fn take<const N: usize>(frames: &[u32], stack: &mut Span) -> u64 {
    let bits = u64::BITS / N as u32;
    let join = |key: u64, &frame: &u32| key << bits | (u64::from(frame) + 1);
    let taken = stack.len().min(N);
    let before = &frames[..stack.end as usize];
    stack.end -= taken as u32;
    let key = match before.last_chunk::<N>() {
        // Of a shorter stack they are another's.
        Some(last) => last.iter().rev().fold(0, join),
        None => before.iter().rev().fold(0, join).checked_shl(bits * (N - before.len()) as u32).unwrap_or(0),
    };
    key & !(u64::MAX.checked_shr(bits * taken as u32).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn galloping_finds_what_a_walk_finds() {
        for end in 0..40 {
            for first in 3..=end.max(3) {
                assert_eq!(gallop(3..end.max(3), |at| at < first), first.min(end.max(3)), "{first} of {end}");
            }
        }
    }

    #[test]
    fn samples_are_sorted_as_they_compare() {
        for locations in [3, usize::from(u16::MAX), usize::from(u16::MAX) + 1, 70_000] {
            // A few frames, the first and the last among them, so that stacks share long parts; and what an earlier
            // sample left in the arena.
            let frames = [0, 1, locations / 2, locations - 1].map(index);
            let mut state = 7_usize;
            let mut random = |below: usize| {
                state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                (state >> 33) % below
            };
            let mut samples = Samples::new(1);
            for _ in 0..600 {
                let start = samples.frames.len();
                let depth = random(14);
                samples.frames.extend(std::iter::repeat_with(|| frames[random(4)]).take(depth));
                let root = samples.frames.len();
                samples.frames.extend(std::iter::repeat_n(frames[3], random(3) * 4));
                samples.close(if depth == 13 { root } else { start }, 0);
                samples.values.push(1);
            }
            let order = Order::of(&[&samples], &Strings::new());
            let Sorted { order: sorted, equal } = order.sorted(&samples, locations);
            let pair = |at: &[u32]| order.compare((&samples, at[0] as usize), (&samples, at[1] as usize));
            assert!(sorted.windows(2).all(|at| pair(at).is_le()), "{locations}");
            assert!(equal && sorted.windows(2).any(|at| pair(at).is_eq()));
            let mut all = sorted;
            all.sort_unstable();
            assert!(all.into_iter().eq(0..600));
        }
    }

    #[test]
    fn a_key_orders_as_the_frames_do() {
        for (locations, count) in [(10, 4), (usize::from(u16::MAX), 4), (1 << 16, 2), (1 << 31, 2)] {
            let window = Window::of(locations);
            let bits = 64 / count as u32;
            let stack: Vec<u32> = (0..2 * count as u32 + 1).rev().map(|at| at % 10).collect();
            let frames = |key: u64| -> Vec<u64> {
                (0..count as u32).rev().map(|at| key >> (at * bits) & (u64::MAX >> (64 - bits))).collect()
            };
            let expected = |depth: usize| -> Vec<u64> {
                let found = stack.iter().rev().skip(depth).map(|&frame| u64::from(frame) + 1);
                found.chain(std::iter::repeat(0)).take(count).collect()
            };
            // Alone, and behind another's.
            for before in [0, 1, 9] {
                let arena = [&vec![7; before], &stack[..]].concat();
                let mut left = Span::since(before, arena.len());
                for depth in [0, count, 2 * count, 3 * count] {
                    let key = window.take(&arena, &mut left);
                    assert_eq!(frames(key), expected(depth), "{depth} of {locations}");
                    assert_eq!(window.is_whole(key), depth + count > stack.len());
                }
            }
        }
    }
}
