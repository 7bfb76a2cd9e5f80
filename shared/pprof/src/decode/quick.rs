//! Samples as Go's writers have them: a stack and values, in the order that the first sample has them in, and then labels.

use super::ids::Ids;
use super::packed::Packed;
use super::samples::{Counts, FRAME, FRAMES, Reader, VALUE, VALUES};
use super::survey::Survey;
use crate::profile::Samples;
use crate::wire::Cursor;

/// How many numbers are packed (google/pprof's profile/proto.go and runtime/pprof's protobuf.go: `if len(x) > 2`).
const PACKED: usize = 3;

/// What a first stack may take, in bytes: Go's runtime writes 128 frames at the most.
const LONG: usize = 4 * 128;

/// Reads those that are as expected.
pub(super) struct Quick {
    locations: Packed,
    /// As runtime/pprof has them (proto.go: `pbSample`); google/pprof has stacks first (profile/encode.go).
    values_first: bool,
}

impl Quick {
    /// `None` if ids do not count, or the first sample is not as expected, and so most may not be.
    pub(super) fn of(survey: &Survey<'_>, locations: &Ids) -> Option<Self> {
        let locations = Packed::up_to(locations.counted()?);
        let mut first = survey.first_sample()?;
        let values_first = [VALUE, VALUES].contains(&{ first }.varint().ok()?);
        let quick = Self { locations, values_first };
        let mut one = Samples::new(survey.sample_types.len());
        quick.head::<true>(&mut first, LONG, &mut one).map(|_| quick)
    }

    /// Reads a sample behind others, all of it or what the compiler looks at. What was in it; `None` if it is not as expected, right
    /// or wrong: then nothing is added.
    #[inline(always)]
    pub(super) fn read<const ALL: bool>(
        &self,
        sample: Cursor<'_>,
        reader: &Reader<'_>,
        samples: &mut Samples,
    ) -> Option<Counts> {
        let (frames, values, labels) = (samples.frames.len(), samples.values.len(), samples.labels.len());
        let read = self.parts::<ALL>(sample, reader, samples);
        if read.is_some() {
            samples.close(frames, labels);
        } else {
            samples.frames.truncate(frames);
            samples.values.truncate(values);
            samples.labels.truncate(labels);
        }
        read
    }

    #[inline(always)]
    fn parts<const ALL: bool>(
        &self,
        mut sample: Cursor<'_>,
        reader: &Reader<'_>,
        samples: &mut Samples,
    ) -> Option<Counts> {
        let frames = self.head::<ALL>(&mut sample, reader.left().frames, samples)?;
        let labels = if sample.is_empty() { 0 } else { reader.labels(sample, samples)? };
        Some(Counts { frames, labels })
    }

    /// Reads stack and values. How many frames there are.
    #[inline(always)]
    fn head<const ALL: bool>(
        &self,
        sample: &mut Cursor<'_>,
        most: usize,
        samples: &mut Samples,
    ) -> Option<usize> {
        if self.values_first {
            values(sample, samples)?;
        }
        let frames = self.stack::<ALL>(sample, most, samples)?;
        if !self.values_first {
            values(sample, samples)?;
        }
        Some(frames)
    }

    #[inline(always)]
    fn stack<const ALL: bool>(
        &self,
        sample: &mut Cursor<'_>,
        most: usize,
        samples: &mut Samples,
    ) -> Option<usize> {
        let Some(stack) = sample.message(FRAMES as u8).or_else(|| long_stack(sample)) else {
            return self.short_stack(sample, most, samples);
        };
        // Each takes a byte at least.
        (stack.bytes().len() <= most).then_some(())?;
        if ALL {
            return self.locations.read(stack, &mut samples.frames);
        }
        let (count, top) = self.locations.top(stack)?;
        match count {
            1 => samples.frames.push(top[0]),
            _ => samples.frames.extend_from_slice(&top),
        }
        Some(count)
    }

    /// One that is not packed.
    #[inline(never)]
    fn short_stack(&self, sample: &mut Cursor<'_>, most: usize, samples: &mut Samples) -> Option<usize> {
        let mut count = 0;
        while count < PACKED - 1 && sample.tag(FRAME as u8).is_some() {
            samples.frames.push(self.locations.position(sample.number().ok()?)?);
            count += 1;
        }
        (count <= most).then_some(count)
    }
}

/// One of more bytes than a short message has.
#[cold]
#[inline(never)]
fn long_stack<'a>(sample: &mut Cursor<'a>) -> Option<Cursor<'a>> {
    let mut rest = *sample;
    rest.tag(FRAMES as u8)?;
    let stack = rest.content(sample.at()).ok()?;
    *sample = rest;
    Some(stack)
}

#[inline(always)]
fn values(sample: &mut Cursor<'_>, samples: &mut Samples) -> Option<()> {
    if samples.width < PACKED {
        for _ in 0..samples.width {
            sample.tag(VALUE as u8)?;
            samples.values.push(sample.varint().ok()?.cast_signed());
        }
        return Some(());
    }
    let mut packed = sample.message(VALUES as u8)?;
    for _ in 0..samples.width {
        samples.values.push(packed.varint().ok()?.cast_signed());
    }
    packed.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::decode::samples::{self, Keep, Reader};
    use crate::decode::tables::Texts;
    use crate::example::{Random, varint};

    fn message(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag][..], &varint(content.len() as u64), content].concat()
    }

    /// Numbers in one field, or one by one.
    fn numbers(field: u8, packed: bool, numbers: &[u64]) -> Vec<u8> {
        let each = numbers.iter().map(|&number| varint(number));
        if packed {
            message(field << 3 | 2, &each.flatten().collect::<Vec<_>>())
        } else {
            each.flat_map(|number| [&[field << 3][..], &number].concat()).collect()
        }
    }

    /// A profile of so many locations and sample types, and these samples, with a location behind each.
    fn profile(locations: u64, width: usize, samples: &[Vec<u8>]) -> Vec<u8> {
        let location = |id| message(34, &[&[8][..], &varint(id)].concat());
        let mut raw: Vec<u8> = (0..width).flat_map(|_| message(10, &[8, 1, 16, 1])).collect();
        for (id, sample) in (1..).zip(samples) {
            raw.extend(message(18, sample));
            raw.extend(location(id));
        }
        raw.extend((1 + samples.len() as u64..=locations).flat_map(location));
        raw.extend([50, 0, 50, 1, b'a']);
        raw
    }

    /// All samples, or what is wrong: each read by looking at all that may be in one, or the way that all are read.
    fn samples(raw: &[u8], limits: &Limits, keep: Keep, quickly: bool) -> Result<Vec<String>, String> {
        let survey = Survey::of(raw, &Limits::default()).unwrap();
        let (texts, locations) = (&Texts::read(&survey).unwrap(), &ids(&survey));
        let mut samples = Samples::new(survey.sample_types.len());
        let read = if quickly {
            let all = survey.samples;
            samples::read(&survey, all, (limits, keep), texts, locations, &mut samples).map(drop)
        } else {
            let mut reader = Reader { sample: 0, before: Counts::default(), limits, keep, texts, locations };
            survey.each_entry(survey.samples, |entry| {
                let read = reader.read(entry, &mut samples)?;
                (reader.sample, reader.before) = (reader.sample + 1, reader.before.and(read));
                Ok(())
            })
        };
        read.map_err(|error| error.to_string())?;
        let sample =
            |at| format!("{:?} {:?} {:?}", samples.stack(at), samples.values(at), samples.labels(at));
        Ok((0..samples.len()).map(sample).collect())
    }

    fn ids(survey: &Survey<'_>) -> Ids {
        Ids::counting("location", survey.locations.count)
    }

    /// How many samples are as expected.
    fn quick(raw: &[u8]) -> usize {
        let limits = &Limits::default();
        let survey = Survey::of(raw, limits).unwrap();
        let (texts, locations) = (&Texts::read(&survey).unwrap(), &ids(&survey));
        let Some(quick) = Quick::of(&survey, locations) else { return 0 };
        let reader =
            Reader { sample: 0, before: Counts::default(), limits, keep: Keep::All, texts, locations };
        let (mut samples, mut count) = (Samples::new(survey.sample_types.len()), 0);
        survey
            .each_entry(survey.samples, |entry| {
                count += usize::from(quick.read::<true>(entry, &reader, &mut samples).is_some());
                Ok(())
            })
            .unwrap();
        count
    }

    const LOCATIONS: u64 = 17_000;

    /// One of so many values, perhaps not as expected.
    fn sample(width: usize, values_first: bool, is_usual: bool, random: &mut Random) -> Vec<u8> {
        let [other_stack, other_values, swapped, strange, cut, beyond, zero, long] =
            [8, 8, 8, 8, 40, 40, 40, 40].map(|often| !is_usual && random.below(often) == 0);
        let depth = if random.below(4) == 0 { random.below(4) } else { random.below(90) };
        let mut stack: Vec<u64> = (0..depth).map(|_| 1 + random.below(LOCATIONS)).collect();
        // It takes more bytes than a short message has.
        stack.extend(long.then(|| vec![LOCATIONS; 6000]).into_iter().flatten());
        stack.extend(beyond.then_some(LOCATIONS + 1));
        stack.extend(zero.then_some(0));
        let values: Vec<u64> = (0..width).map(|_| u64::MAX >> random.below(64)).collect();
        let stack = numbers(1, (stack.len() > 2) ^ other_stack, &stack);
        let values = numbers(2, (width > 2) ^ other_values, &values);
        // Without a number it is dropped.
        let labels = if random.below(3) == 0 { random.below(4) } else { 0 };
        let label = |_| match random.below(3) {
            0 => message(26, &[8, 1, 16, 1]),
            1 => message(26, &[8, 1, 24, random.below(9) as u8]),
            _ => message(26, &[8, 1, 24, 7, 32, 1]),
        };
        let labels = (0..labels).flat_map(label).collect();
        let parts = if swapped ^ values_first { [values, stack, labels] } else { [stack, values, labels] };
        let mut sample = parts.concat();
        if strange {
            // Field 0, one that nobody knows, an empty stack, a label whose key is nowhere, and a tag that is longer than need be.
            // Of a label, a number twice, and fields that are not in their order.
            let labels = [&[26, 6, 8, 1, 24, 5, 24, 6][..], &[26, 4, 24, 5, 8, 1]];
            let all = [&[2, 0][..], &[40, 1], &[10, 0], &[26, 2, 8, 9], &[0x90, 0, 1], labels[0], labels[1]];
            sample.extend(all[random.below(7) as usize]);
        }
        sample.truncate(sample.len() - usize::from(cut));
        sample
    }

    #[test]
    fn what_is_as_expected_is_read_quickly() {
        for (width, values_first) in (1..=4).flat_map(|width| [(width, false), (width, true)]) {
            let random = &mut Random(1);
            let all: Vec<Vec<u8>> = (0..60).map(|_| sample(width, values_first, true, random)).collect();
            assert_eq!(quick(&profile(LOCATIONS, width, &all)), all.len(), "{width} {values_first}");
        }
    }

    #[test]
    fn whatever_a_sample_looks_like_it_is_read_the_same() {
        let random = &mut Random(1);
        let (mut refused, mut is_quick) = (0, 0);
        for (width, round) in (1..=4).flat_map(|width| (0..120).map(move |round| (width, round))) {
            // The first is as it should be, mostly, and few are wrong.
            let one = |at| sample(width, round % 2 == 0, at == 0 && round % 8 > 0, random);
            let raw = profile(LOCATIONS, width, &(0..6).map(one).collect::<Vec<_>>());
            is_quick += usize::from(quick(&raw) > 0);
            let tight = Limits {
                frames: random.below(300) as usize,
                labels: random.below(12) as usize,
                labels_per_sample: 2,
                ..Limits::default()
            };
            let usual = Limits::default();
            for (keep, limits) in
                [Keep::All, Keep::Top].into_iter().flat_map(|keep| [(keep, &tight), (keep, &usual)])
            {
                let found = samples(&raw, limits, keep, true);
                assert_eq!(found, samples(&raw, limits, keep, false), "{width} {round} {limits:?}");
                refused += usize::from(found.is_err());
            }
        }
        assert!((400..1400).contains(&refused) && is_quick > 400, "{refused} refused, {is_quick} quick");
    }
}
