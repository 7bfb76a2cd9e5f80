//! Samples as Go's writers have them: a stack of several frames, its values, and nothing else.

use super::ids::Ids;
use super::samples::{FRAMES, Keep, TOP, USUAL, VALUE, VALUES, next};
use super::survey::Survey;
use crate::profile::Samples;
use crate::wire::Cursor;

/// How many numbers are packed (google/pprof's profile/proto.go and runtime/pprof's protobuf.go: `if len(x) > 2`).
const PACKED: usize = 3;

/// Reads those that are as expected.
pub(super) struct Quick {
    /// How many locations there are, whose ids count from 1.
    locations: u64,
    /// How many frames of a stack are kept.
    kept: usize,
}

impl Quick {
    /// `None` if ids do not count, or the first sample is not as expected, and so most may not be.
    pub(super) fn of(survey: &Survey<'_>, locations: &Ids, keep: Keep) -> Option<Self> {
        let kept = match keep {
            Keep::All => usize::MAX,
            Keep::Top => TOP,
        };
        let quick = Self { locations: locations.counted()?, kept };
        let mut one = Samples::new(survey.sample_types.len());
        // A frame takes up to four bytes, mostly.
        let first = quick.read(survey.first_sample()?, 4 * USUAL, &mut one);
        first.map(|_| quick)
    }

    /// Reads a sample behind others. How many frames it has, of which there may be so many. `None` if it is not as expected,
    /// right or wrong: then nothing is added.
    #[inline(always)]
    pub(super) fn read(&self, cursor: Cursor<'_>, most: usize, samples: &mut Samples) -> Option<usize> {
        let (frames, values) = (samples.frames.len(), samples.values.len());
        let read = self.parts(cursor, most, samples);
        if read.is_some() {
            samples.close(frames, samples.labels.len());
        } else {
            samples.frames.truncate(frames);
            samples.values.truncate(values);
        }
        read
    }

    #[inline(always)]
    fn parts(&self, mut cursor: Cursor<'_>, most: usize, samples: &mut Samples) -> Option<usize> {
        let mut stack = part(&mut cursor, FRAMES)?;
        // Each takes a byte at least.
        (stack.bytes().len() <= most).then_some(())?;
        let mut frames = 0;
        while !stack.is_empty() {
            let frame = next(&mut stack).ok()?.wrapping_sub(1);
            (frame < self.locations).then_some(())?;
            if frames < self.kept {
                samples.frames.push(frame as u32);
            }
            frames += 1;
        }
        let alone = samples.width < PACKED;
        if !alone {
            let values = part(&mut cursor, VALUES)?;
            cursor = cursor.is_empty().then_some(values)?;
        }
        for _ in 0..samples.width {
            if alone {
                (cursor.varint().ok()? == VALUE).then_some(())?;
            }
            samples.values.push(cursor.varint().ok()?.cast_signed());
        }
        cursor.is_empty().then_some(frames)
    }
}

/// The content of a field that has to be the next one.
#[inline(always)]
fn part<'a>(cursor: &mut Cursor<'a>, tag: u64) -> Option<Cursor<'a>> {
    let at = cursor.at();
    (cursor.varint().ok()? == tag).then_some(())?;
    cursor.content(at).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::decode::samples::{self, Reader};
    use crate::decode::tables::Texts;

    fn varint(mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value > 0x7f {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

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

    /// A profile of so many locations and sample types, and these samples.
    fn profile(locations: u64, width: usize, samples: &[Vec<u8>]) -> Vec<u8> {
        let mut raw: Vec<u8> = (0..width).flat_map(|_| message(10, &[8, 1, 16, 1])).collect();
        raw.extend(samples.iter().flat_map(|sample| message(18, sample)));
        raw.extend((1..=locations).flat_map(|id| message(34, &[&[8][..], &varint(id)].concat())));
        raw.extend([50, 0, 50, 1, b'a']);
        raw
    }

    /// All samples, or what is wrong: each read by looking at all that may be in one, or the way that all are read.
    fn samples(raw: &[u8], keep: Keep, quickly: bool) -> Result<Vec<String>, String> {
        let limits = Limits::default();
        let survey = Survey::of(raw, &limits).unwrap();
        let (texts, locations) = (Texts::read(&survey).unwrap(), ids(&survey));
        let mut samples = Samples::new(survey.sample_types.len());
        let read = if quickly {
            let all = (survey.samples, 0);
            samples::read(&survey, all, (&limits, keep), &texts, &locations, &mut samples).map(drop)
        } else {
            let mut sample = 0;
            survey.each_entry(survey.samples, |entry| {
                let reader = Reader { sample, limits: &limits, keep, texts: &texts, locations: &locations };
                sample += 1;
                reader.read(entry, &mut samples).map(drop)
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

    #[test]
    fn whatever_a_sample_looks_like_it_is_read_the_same() {
        const LOCATIONS: u64 = 17_000;
        let mut seed = 1_u64;
        let mut below = |most: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % most
        };
        let (mut refused, mut quick) = (0, 0);
        for (width, round) in (1..=4).flat_map(|width| (0..60).map(move |round| (width, round))) {
            // The first is as it should be, mostly, and few are wrong.
            let mut sample = |is_usual: bool| {
                let mut rarely = |often: u64| !is_usual && below(often) == 0;
                let [packed, other_values, labels, swapped, cut, beyond, zero] =
                    [8, 8, 3, 8, 40, 40, 40].map(&mut rarely);
                let mut stack: Vec<u64> = (0..1 + below(90)).map(|_| 1 + below(LOCATIONS)).collect();
                stack.extend(beyond.then_some(LOCATIONS + 1));
                stack.extend(zero.then_some(0));
                let values: Vec<u64> = (0..width).map(|_| u64::MAX >> below(64)).collect();
                let (stack, values) =
                    (numbers(1, !packed, &stack), numbers(2, (width > 2) ^ other_values, &values));
                let label = if labels { message(26, &[8, 1, 24, below(9) as u8]) } else { Vec::new() };
                let parts = if swapped { [&values, &stack, &label] } else { [&stack, &values, &label] };
                let mut sample = parts.map(Vec::as_slice).concat();
                sample.truncate(sample.len() - usize::from(cut));
                sample
            };
            let all: Vec<Vec<u8>> = (0..6).map(|at| sample(at == 0 && round % 8 > 0)).collect();
            let raw = profile(LOCATIONS, width, &all);
            for keep in [Keep::All, Keep::Top] {
                let found = samples(&raw, keep, true);
                assert_eq!(found, samples(&raw, keep, false), "{width} {round}");
                refused += u32::from(found.is_err());
                let survey = Survey::of(&raw, &Limits::default()).unwrap();
                quick += u32::from(Quick::of(&survey, &ids(&survey), keep).is_some());
            }
        }
        assert!((50..400).contains(&refused) && quick > 400, "{refused} refused, {quick} quick");
    }
}
