//! The samples: by far the most of a profile. Stacks, values and labels go straight into flat arenas.

use super::ids::Ids;
use super::quick::Quick;
use super::survey::{Survey, Table};
use super::tables::Texts;
use crate::error::{Error, Fault};
use crate::limits::{self, Limits};
use crate::profile::{Label, LabelValue, Samples, Span};
use crate::strings::Str;
use crate::wire::{Cursor, Field};

/// The tags of a sample's fields. Numbers come one by one or packed.
pub(super) const FRAME: u64 = 1 << 3;
pub(super) const FRAMES: u64 = 1 << 3 | 2;
pub(super) const VALUE: u64 = 2 << 3;
pub(super) const VALUES: u64 = 2 << 3 | 2;
const LABEL: u64 = 3 << 3 | 2;

const LABEL_FIELDS: [&str; 4] = ["label.key", "label.str", "label.num", "label.num_unit"];

/// What is kept of samples.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    All,
    /// What the compiler looks at: of a stack the leaf and its caller, and values.
    Top,
}

/// How many frames the compiler looks at.
pub(super) const TOP: usize = 2;

/// From how many bytes of samples on another thread reads some of them, and up to how many: what is kept of those, nearly all
/// perhaps, is there twice for a while.
const LARGE: usize = 128 << 10;
const HUGE: usize = 32 << 20;

/// Whether samples may be read in parts.
pub(super) fn can_be_parted(survey: &Survey<'_>, limits: &Limits, keep: Keep) -> bool {
    let (table, width) = (survey.samples, survey.sample_types.len());
    let (kept, most) = match keep {
        // Together they pass no limit that one alone does not, for each frame and label takes a byte.
        Keep::All => (table.bytes, HUGE.min(limits.frames).min(limits.labels)),
        // Of what is not kept there may be more: `Counts::are_within` is asked then.
        Keep::Top => {
            let each = width * size_of::<i64>() + TOP * size_of::<u32>() + size_of::<Span>();
            (table.count.saturating_mul(each), HUGE.max(2 * table.bytes))
        }
    };
    table.bytes >= LARGE && kept <= most
}

/// How much of samples was read, kept or not.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) frames: usize,
    pub(super) labels: usize,
}

impl Counts {
    pub(super) fn and(self, more: Self) -> Self {
        Self { frames: self.frames + more.frames, labels: self.labels + more.labels }
    }

    pub(super) fn less(self, part: Self) -> Self {
        let less = usize::saturating_sub;
        Self { frames: less(self.frames, part.frames), labels: less(self.labels, part.labels) }
    }

    /// Whether they pass no limit.
    pub(super) fn are_within(self, limits: &Limits) -> bool {
        self.frames <= limits.frames && self.labels <= limits.labels
    }
}

/// Reads samples behind others: all, or a part of them, which are then numbered as if they were all.
pub(super) fn read(
    survey: &Survey<'_>,
    part: Table,
    (limits, keep): (&Limits, Keep),
    texts: &Texts,
    locations: &Ids,
    samples: &mut Samples,
) -> Result<Counts, Error> {
    let reader = Reader { sample: 0, before: Counts::default(), limits, keep, texts, locations };
    match (Quick::of(survey, locations), keep) {
        (None, _) => read_each(survey, part, reader, samples, |_, _, _| None),
        (Some(quick), Keep::All) => read_each(survey, part, reader, samples, |entry, reader, samples| {
            quick.read::<true>(entry, reader, samples)
        }),
        (Some(quick), Keep::Top) => read_each(survey, part, reader, samples, |entry, reader, samples| {
            quick.read::<false>(entry, reader, samples)
        }),
    }
}

/// Reads them `quick`ly, and those that are not as expected by looking at all that may be in one.
#[inline(never)]
fn read_each(
    survey: &Survey<'_>,
    part: Table,
    mut reader: Reader<'_>,
    samples: &mut Samples,
    quick: impl Fn(Cursor<'_>, &Reader<'_>, &mut Samples) -> Option<Counts>,
) -> Result<Counts, Error> {
    survey.each_entry(part, |entry| {
        let read = match quick(entry, &reader, samples) {
            Some(read) => read,
            None => reader.read(entry, samples)?,
        };
        reader.sample += 1;
        reader.before = reader.before.and(read);
        Ok(())
    })?;
    Ok(reader.before)
}

/// Room for samples: all, or a part of them.
pub(super) fn with_room(survey: &Survey<'_>, table: Table, limits: &Limits, keep: Keep) -> Samples {
    let width = survey.sample_types.len();
    let mut samples = Samples::new(width);
    // With room for what a merge adds, which costs no memory until it is used.
    samples.stacks.reserve_exact(table.count + table.count / 8);
    // A sample of any frames or values has four bytes beside them.
    let frames = table.bytes.saturating_sub(table.count.saturating_mul(4));
    let most = match keep {
        Keep::All => limits.frames,
        Keep::Top => table.count.saturating_mul(TOP),
    };
    samples.frames.reserve_exact(frames.min(most));
    // Every value takes a byte of the table: what it claims beyond that cannot be true.
    let values = table.count.saturating_mul(width).min(table.bytes);
    samples.values.reserve_exact(values + values / 8);
    samples
}

/// Reads one sample behind others.
pub(super) struct Reader<'a> {
    pub(super) sample: usize,
    /// What was in those before it, kept or not.
    pub(super) before: Counts,
    pub(super) limits: &'a Limits,
    pub(super) keep: Keep,
    pub(super) texts: &'a Texts,
    pub(super) locations: &'a Ids,
}

impl Reader<'_> {
    /// What may be in this one.
    pub(super) fn left(&self) -> Counts {
        Counts { frames: self.limits.frames, labels: self.limits.labels }.less(self.before)
    }

    #[inline(never)]
    pub(super) fn read(&self, mut cursor: Cursor<'_>, samples: &mut Samples) -> Result<Counts, Error> {
        let (frames, labels) = (samples.frames.len(), samples.labels.len());
        let all = self.keep == Keep::All;
        let (mut read_frames, mut read_labels, mut value_count, mut label_count) = (0, 0, 0, 0);
        // What is not kept takes no room at all: a stack may be as large as the profile.
        let mut add_frame = |id: u64, frames: &mut Vec<u32>| {
            let frame = self.frame(id)?;
            if all || read_frames < TOP {
                frames.push(frame);
            }
            read_frames += 1;
            limits::at_most("stack frames", self.before.frames + read_frames, self.limits.frames)
        };
        let mut add_value = |value: u64, values: &mut Vec<i64>| {
            // Those past the last sample type are counted for the message, but not kept.
            if value_count < samples.width {
                values.push(value.cast_signed());
            }
            value_count += 1;
        };
        while !cursor.is_empty() {
            let at = cursor.at();
            match cursor.varint()? {
                FRAME => add_frame(cursor.varint()?, &mut samples.frames)?,
                FRAMES => cursor.content(at)?.each_varint(|id| add_frame(id, &mut samples.frames))?,
                VALUE => add_value(cursor.varint()?, &mut samples.values),
                VALUES => cursor.content(at)?.each_varint(|value| {
                    add_value(value, &mut samples.values);
                    Ok(())
                })?,
                LABEL => {
                    label_count += 1;
                    limits::at_most("labels on one sample", label_count, self.limits.labels_per_sample)?;
                    if let Some(label) = self.label(cursor.content(at)?)? {
                        read_labels += 1;
                        samples.labels.extend(all.then_some(label));
                    }
                    limits::at_most("labels", self.before.labels + read_labels, self.limits.labels)?;
                }
                tag => other_field(&cursor.value(tag, at)?)?,
            }
        }
        if value_count != samples.width {
            let (sample, wanted) = (self.sample, samples.width);
            return Err(Fault::ValueCount { sample, found: value_count, wanted }.into());
        }
        samples.close(frames, labels);
        Ok(Counts { frames: read_frames, labels: read_labels })
    }

    /// Reads what is left of a sample, if that is labels as Go's writers have them and no more than may be. How many there were.
    #[inline(never)]
    pub(super) fn labels(&self, mut rest: Cursor<'_>, samples: &mut Samples) -> Option<usize> {
        let (mut count, mut read) = (0, 0);
        while !rest.is_empty() {
            count += 1;
            (count <= self.limits.labels_per_sample).then_some(())?;
            let fields = label_in_order(rest.message(LABEL as u8)?)?;
            if let Some(label) = self.label_of(fields).ok()? {
                read += 1;
                samples.labels.extend((self.keep == Keep::All).then_some(label));
            }
        }
        (read <= self.left().labels).then_some(read)
    }

    #[inline(always)]
    fn frame(&self, id: u64) -> Result<u32, Error> {
        match self.locations.position(id) {
            Some(frame) => Ok(frame),
            None => Err(self.unknown(id)),
        }
    }

    #[cold]
    #[inline(never)]
    fn unknown(&self, id: u64) -> Error {
        Fault::UnknownLocation { sample: self.sample, id }.into()
    }

    #[inline(never)]
    fn label(&self, entry: Cursor<'_>) -> Result<Option<Label>, Error> {
        self.label_of(entry.numbers(&LABEL_FIELDS, |_| Ok(()))?)
    }

    /// A text label has a text; a numeric one a number or a unit; one with neither is dropped.
    #[inline(always)]
    fn label_of(&self, fields: [u64; 4]) -> Result<Option<Label>, Error> {
        let [key, text, number, unit] = fields.map(u64::cast_signed);
        let key = self.texts.at(key, LABEL_FIELDS[0])?;
        let value = if text != 0 {
            LabelValue::Text(self.texts.at(text, LABEL_FIELDS[1])?)
        } else if unit != 0 {
            LabelValue::Number(number, Some(self.texts.at(unit, LABEL_FIELDS[3])?))
        } else if number != 0 {
            LabelValue::Number(number, None)
        } else {
            return Ok(None);
        };
        Ok(Some(Label::new(key, value)))
    }
}

/// The fields of a label, if each comes once at the most, and in their order.
#[inline(always)]
fn label_in_order(mut entry: Cursor<'_>) -> Option<[u64; 4]> {
    let mut field = |number: u8| match entry.tag(number << 3) {
        Some(()) => entry.number().ok(),
        None => Some(0),
    };
    let fields = [field(1)?, field(2)?, field(3)?, field(4)?];
    entry.is_empty().then_some(fields)
}

/// A field of another number is nobody's business; one of ours has the wrong type.
#[cold]
#[inline(never)]
fn other_field(field: &Field<'_>) -> Result<(), Error> {
    match field.number {
        1 => field.each("sample.location_id", |_| Ok(())),
        2 => field.each("sample.value", |_| Ok(())),
        3 => field.content("sample.label").map(drop),
        _ => Ok(()),
    }
}

/// Puts the labels of each sample into the order that [`Label`] promises.
pub(super) fn order_labels(samples: &mut Samples, texts: &Texts) {
    let keys = texts.strings.sorted(samples.labels.iter().map(|label| label.key));
    let ranks = texts.strings.ranks(&keys);
    for span in &samples.label_spans {
        let labels = &mut samples.labels[span.range()];
        labels.sort_by_key(|label| (matches!(label.value(), LabelValue::Number(..)), ranks[label.key.at()]));
        for group in labels.chunk_by_mut(|a, b| a.key == b.key) {
            fill_units(group);
        }
    }
}

/// Once one number of a key has a unit, all have one, if only an empty one.
fn fill_units(group: &mut [Label]) {
    let with_unit = |label: &Label| matches!(label.value(), LabelValue::Number(_, Some(_)));
    if !group.iter().any(with_unit) {
        return;
    }
    for label in group {
        if let LabelValue::Number(number, None) = label.value() {
            *label = Label::new(label.key, LabelValue::Number(number, Some(Str::EMPTY)));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Limits, Profile, merge};

    /// A profile of one sample with these labels: key, text, number and unit of each, all under 10.
    fn labelled(labels: &[[u8; 4]]) -> Profile {
        let mut sample = vec![16, 1];
        for &[key, text, number, unit] in labels {
            sample.extend([26, 8, 8, key, 16, text, 24, number, 32, unit]);
        }
        let mut raw = vec![10, 4, 8, 1, 16, 1, 18, sample.len() as u8];
        raw.extend(sample);
        // Strings 0 and 3 are empty.
        for text in ["", "b", "a", "", "bytes"] {
            raw.extend([50, text.len() as u8]);
            raw.extend(text.bytes());
        }
        Profile::decode(&raw, &Limits::default()).unwrap()
    }

    /// How many samples remain of two: whether their labels are the same.
    fn merged(a: &[[u8; 4]], b: &[[u8; 4]]) -> usize {
        merge(&[&labelled(a), &labelled(b)]).unwrap().sample_count()
    }

    #[test]
    fn labels_are_in_order_of_kind_and_key() {
        let [text_a, text_b, number_a, number_b] = [[2, 4, 0, 0], [1, 4, 0, 0], [2, 0, 5, 0], [1, 0, 5, 0]];
        assert_eq!(merged(&[text_a, text_b, number_a, number_b], &[number_b, text_b, number_a, text_a]), 1);
        assert_eq!(merged(&[text_a], &[text_b]), 2);
        assert_eq!(merged(&[text_a], &[number_a]), 2);
    }

    #[test]
    fn values_of_one_key_keep_their_order() {
        let (five, six) = ([1, 0, 5, 0], [1, 0, 6, 0]);
        assert_eq!(merged(&[five, six], &[five, six]), 1);
        assert_eq!(merged(&[five, six], &[six, five]), 2);
    }

    #[test]
    fn one_unit_gives_all_numbers_of_its_key_one() {
        let (none, empty, bytes) = ([1, 0, 5, 0], [1, 0, 5, 3], [1, 0, 6, 4]);
        assert_eq!(merged(&[none], &[empty]), 2);
        assert_eq!(merged(&[none, bytes], &[empty, bytes]), 1);
        assert_eq!(merged(&[bytes, none], &[bytes, empty]), 1);
    }

    #[test]
    fn a_label_of_nothing_is_dropped() {
        assert_eq!(merged(&[[1, 0, 0, 0]], &[]), 1);
        // An empty text is a text where the wire names one, and an empty unit a unit.
        assert_eq!(merged(&[[1, 3, 0, 0]], &[]), 2);
        assert_eq!(merged(&[[1, 0, 0, 3]], &[]), 2);
        // A text makes number and unit meaningless.
        assert_eq!(merged(&[[1, 4, 7, 99]], &[[1, 4, 0, 0]]), 1);
    }
}
