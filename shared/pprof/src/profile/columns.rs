//! What a profile is made of: interned columns. Mappings, functions, locations and samples refer to each
//! other by position and to texts by number; stacks, values, labels and lines lie in flat arenas.

use crate::strings::Str;

/// What a profile says of itself as a whole.
#[derive(Clone, Default)]
pub(crate) struct Header {
    pub(crate) sample_types: Vec<Kind>,
    pub(crate) default_sample_type: Str,
    pub(crate) drop_frames: Str,
    pub(crate) keep_frames: Str,
    pub(crate) doc_url: Str,
    pub(crate) comments: Vec<Str>,
    pub(crate) period_type: Kind,
    pub(crate) period: i64,
    pub(crate) time_nanos: i64,
    pub(crate) duration_nanos: i64,
}

/// `ValueType` in `profile.proto`.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) kind: Str,
    pub(crate) unit: Str,
}

#[derive(Clone)]
pub(crate) struct Mapping {
    pub(crate) id: u64,
    pub(crate) start: u64,
    pub(crate) limit: u64,
    pub(crate) offset: u64,
    pub(crate) file: Str,
    pub(crate) build_id: Str,
    /// Fields 7 to 10: has_functions, has_filenames, has_line_numbers, has_inline_frames.
    pub(crate) has: [bool; 4],
}

#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) id: u64,
    pub(crate) name: Str,
    pub(crate) system_name: Str,
    pub(crate) filename: Str,
    pub(crate) start_line: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Location {
    pub(crate) id: u64,
    /// A position in `mappings`.
    pub(crate) mapping: Option<u32>,
    pub(crate) address: u64,
    /// In `lines`, the innermost inlined call first.
    pub(crate) lines: Span,
    pub(crate) folded: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// A position in `functions`.
    pub(crate) function: u32,
    pub(crate) line: i64,
    pub(crate) column: i64,
}

/// A part of an arena. Two ends, so that pruning can cut a part without moving what follows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// From `start` to where an arena ends now.
    pub(crate) fn since(start: usize, end: usize) -> Self {
        Self { start: index(start), end: index(end) }
    }

    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(crate) fn len(self) -> usize {
        self.range().len()
    }
}

/// All samples: stacks, values and labels in one arena each.
#[derive(Clone)]
pub(crate) struct Samples {
    /// Values per sample: the number of sample types.
    pub(crate) width: usize,
    /// In `frames`.
    pub(crate) stacks: Vec<Span>,
    /// Positions in `locations`, the leaf of each stack first. All of them are, also those of no stack.
    pub(crate) frames: Vec<u32>,
    pub(crate) values: Vec<i64>,
    /// In `labels`. Empty as long as no sample has a label.
    pub(crate) label_spans: Vec<Span>,
    pub(crate) labels: Vec<Label>,
}

/// A label of a sample. Within a sample: texts before numbers, each by the bytes of its key, values of
/// one key in their first order. That is how google/pprof compares and writes them.
///
/// Sixteen bytes: an uploader may send millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Label {
    pub(crate) key: Str,
    /// The unit of a number, or one of two marks that no table has as a string.
    unit: Str,
    /// A number, or that of a text.
    value: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LabelValue {
    Text(Str),
    /// The unit is `None` when no value of this key has one in this sample, which google/pprof tells from
    /// an empty unit.
    Number(i64, Option<Str>),
}

impl Label {
    const IS_TEXT: Str = Str::new(u32::MAX);
    const NO_UNIT: Str = Str::new(u32::MAX - 1);

    pub(crate) fn new(key: Str, value: LabelValue) -> Self {
        match value {
            LabelValue::Text(text) => Self { key, unit: Self::IS_TEXT, value: text.at() as i64 },
            LabelValue::Number(value, unit) => Self { key, unit: unit.unwrap_or(Self::NO_UNIT), value },
        }
    }

    pub(crate) fn value(&self) -> LabelValue {
        match self.unit {
            Self::IS_TEXT => LabelValue::Text(Str::new(self.value as u32)),
            Self::NO_UNIT => LabelValue::Number(self.value, None),
            unit => LabelValue::Number(self.value, Some(unit)),
        }
    }
}

impl Samples {
    pub(crate) fn new(width: usize) -> Self {
        Self {
            width,
            stacks: Vec::new(),
            frames: Vec::new(),
            values: Vec::new(),
            label_spans: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// Forgets all samples, and keeps their room.
    pub(crate) fn clear(&mut self) {
        self.stacks.clear();
        self.frames.clear();
        self.values.clear();
        self.label_spans.clear();
        self.labels.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.stacks.len()
    }

    pub(crate) fn stack(&self, sample: usize) -> &[u32] {
        &self.frames[self.stacks[sample].range()]
    }

    pub(crate) fn values(&self, sample: usize) -> &[i64] {
        &self.values[sample * self.width..(sample + 1) * self.width]
    }

    pub(crate) fn values_mut(&mut self, sample: usize) -> &mut [i64] {
        &mut self.values[sample * self.width..(sample + 1) * self.width]
    }

    pub(crate) fn labels(&self, sample: usize) -> &[Label] {
        self.label_spans.get(sample).map_or(&[], |span| &self.labels[span.range()])
    }

    /// Whether two samples have the same stack and labels.
    #[inline(always)]
    pub(crate) fn same(&self, a: usize, b: usize) -> bool {
        // Neighbours mostly differ in how many frames they have.
        let lengths = [a, b].map(|at| self.stacks[at].len());
        lengths[0] == lengths[1] && self.stack(a) == self.stack(b) && self.labels(a) == self.labels(b)
    }

    pub(crate) fn is_zero(&self, sample: usize) -> bool {
        self.values(sample).iter().all(|&value| value == 0)
    }

    pub(crate) fn any_zero(&self) -> bool {
        (0..self.len()).any(|sample| self.is_zero(sample))
    }

    /// Adds all samples of another, whose numbers are of the same profile.
    pub(crate) fn append(&mut self, other: &Self) {
        let before = self.len();
        let behind = |start: usize| {
            move |&Span { start: from, end }: &Span| Span {
                start: from + index(start),
                end: end + index(start),
            }
        };
        self.stacks.extend(other.stacks.iter().map(behind(self.frames.len())));
        if !(self.label_spans.is_empty() && other.label_spans.is_empty()) {
            self.label_spans.resize(before, Span::default());
            self.label_spans.extend(other.label_spans.iter().map(behind(self.labels.len())));
            self.label_spans.resize(self.stacks.len(), Span::default());
        }
        self.frames.extend_from_slice(&other.frames);
        self.values.extend_from_slice(&other.values);
        self.labels.extend_from_slice(&other.labels);
    }

    /// Adds some of the samples of another, of which these have the arenas of frames and labels.
    #[inline(always)]
    pub(crate) fn extend_from(&mut self, other: &Self, range: std::ops::Range<usize>) {
        if !other.label_spans.is_empty() {
            let spans = range.clone().map(|at| other.label_spans.get(at).copied().unwrap_or_default());
            self.label_spans.extend(spans);
        }
        self.stacks.extend_from_slice(&other.stacks[range.clone()]);
        self.values.extend_from_slice(&other.values[range.start * self.width..range.end * self.width]);
    }

    /// Adds to the values of a sample, wrapping.
    pub(crate) fn add_values(&mut self, sample: usize, values: &[i64]) {
        for (sum, &value) in self.values_mut(sample).iter_mut().zip(values) {
            *sum = sum.wrapping_add(value);
        }
    }

    /// Keeps the samples for which `keep` says so, given the one kept last and the one it is about.
    #[inline(always)]
    pub(crate) fn compress(&mut self, mut keep: impl FnMut(&mut Self, Option<usize>, usize) -> bool) {
        let width = self.width;
        let mut kept = 0_usize;
        for at in 0..self.len() {
            if !keep(self, kept.checked_sub(1), at) {
                continue;
            }
            if kept < at {
                self.stacks[kept] = self.stacks[at];
                self.values.copy_within(at * width..(at + 1) * width, kept * width);
                if let Some(&span) = self.label_spans.get(at) {
                    self.label_spans[kept] = span;
                }
            }
            kept += 1;
        }
        self.stacks.truncate(kept);
        self.values.truncate(kept * width);
        self.label_spans.truncate(kept);
    }

    /// Makes a sample of what was added to the arenas since they had these lengths. Its values must be in
    /// place, or follow at once.
    #[inline(always)]
    pub(crate) fn close(&mut self, frames: usize, labels: usize) {
        self.push(Span::since(frames, self.frames.len()), Span::since(labels, self.labels.len()));
    }

    /// Makes a sample of these parts of the arenas.
    #[inline(always)]
    pub(crate) fn push(&mut self, stack: Span, labels: Span) {
        if labels.len() > 0 || !self.label_spans.is_empty() {
            self.label_spans.resize(self.stacks.len(), Span::default());
            self.label_spans.push(labels);
        }
        self.stacks.push(stack);
    }
}

/// Entries up to this long are put in order by way of a second column. Longer ones, of many sample types, take more
/// memory than all else of a profile: they are put in order where they are.
const NARROW: usize = 4;

/// Puts the one from `order[0]` first, and so on; each is `width` long.
pub(crate) fn permute<T: Copy>(column: &mut Vec<T>, order: &[u32], width: usize) {
    match width {
        0 => column.clear(),
        1 => *column = gather::<T, 1>(column, order),
        2 => *column = gather::<T, 2>(column, order),
        3 => *column = gather::<T, 3>(column, order),
        NARROW => *column = gather::<T, NARROW>(column, order),
        _ => permute_in_place(column, order.to_vec(), width),
    }
}

fn gather<T: Copy, const WIDTH: usize>(column: &[T], order: &[u32]) -> Vec<T> {
    let (entries, _) = column.as_chunks::<WIDTH>();
    order.iter().map(|&from| entries[from as usize]).collect::<Vec<_>>().into_flattened()
}

/// The same with some of the entries only; the others go.
pub(crate) fn pick<T: Copy>(column: &mut Vec<T>, mut order: Vec<u32>, width: usize) {
    let picked = order.len();
    if width > NARROW {
        // They go last, and then away.
        let mut left_out = vec![true; column.len() / width];
        order.iter().for_each(|&at| left_out[at as usize] = false);
        order.extend((0..).zip(left_out).filter(|&(_, left_out)| left_out).map(|(at, _)| at));
    }
    permute(column, &order, width);
    column.truncate(picked * width);
}

/// The slow way: what is far apart is read one after another.
fn permute_in_place<T: Copy>(column: &mut [T], mut order: Vec<u32>, width: usize) {
    const DONE: u32 = u32::MAX;
    let mut first: Vec<T> = Vec::with_capacity(width);
    for start in 0..order.len() {
        if order[start] == DONE {
            continue;
        }
        // Around the circle of those that take each other's places.
        first.clear();
        first.extend(&column[start * width..(start + 1) * width]);
        let mut to = start;
        loop {
            let from = std::mem::replace(&mut order[to], DONE) as usize;
            if from == start {
                break column[to * width..(to + 1) * width].copy_from_slice(&first);
            }
            for part in 0..width {
                column[to * width + part] = column[from * width + part];
            }
            to = from;
        }
    }
}

/// A position in a column or arena.
///
/// Never past `u32::MAX`: a decoded profile has fewer bytes than that, and merging checks the sums.
#[expect(
    clippy::expect_used,
    reason = "decoding and merging refuse what would have more entries than a u32 counts"
)]
pub(crate) fn index(at: usize) -> u32 {
    u32::try_from(at).expect("columns have at most u32::MAX entries")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_picked_stays_in_its_order() {
        for width in [1, 2, 3, NARROW, NARROW + 1] {
            let mut column: Vec<usize> = (0..5 * width).map(|at| at / width).collect();
            pick(&mut column, vec![3, 0, 4], width);
            assert_eq!(column, [3, 0, 4].map(|at| vec![at; width]).concat());
        }
    }

    #[test]
    fn a_permutation_puts_each_in_its_place() {
        for order in [&[][..], &[0], &[1, 0], &[2, 0, 1, 3], &[4, 3, 2, 1, 0], &[1, 2, 0, 4, 3]] {
            for width in [1, 2, 3, NARROW, NARROW + 1, 9] {
                let entry = |at: u32| (0..width as u32).map(move |part| 10 * at + part);
                let mut column: Vec<u32> = (0..order.len() as u32).flat_map(entry).collect();
                permute(&mut column, order, width);
                let expected: Vec<u32> = order.iter().copied().flat_map(entry).collect();
                assert_eq!(column, expected, "{order:?}");
            }
        }
    }
}
