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
        let first = quick.read(survey.first_sample()?, USUAL, &mut one);
        first.map(|_| quick)
    }

    /// Reads a sample behind others. How many frames it has, of which there may be so many. `None` if it is not as expected,
    /// right or wrong: then nothing is added.
    #[inline(always)]
    pub(super) fn read(&self, cursor: Cursor<'_>, most: usize, samples: &mut Samples) -> Option<usize> {
        let (frames, values) = (samples.frames.len(), samples.values.len());
        let read = self.parts(cursor, most, samples);
        if read.is_some() {
            samples.close(frames, 0);
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
    use crate::decode::decode;
    use crate::{Limits, Profile};

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

    /// What the compiler looks at, of all that is there.
    fn cut(raw: &[u8], limits: &Limits) -> Result<Vec<u8>, String> {
        let mut whole = decode(raw, limits, Keep::All).map_err(|error| error.to_string())?;
        for stack in &mut whole.samples.stacks {
            stack.end = stack.end.min(stack.start + 2);
        }
        whole.samples.label_spans.clear();
        Ok(whole.encode())
    }

    fn top(raw: &[u8], limits: &Limits) -> Result<Vec<u8>, String> {
        decode(raw, limits, Keep::Top).map(|top: Profile| top.encode()).map_err(|error| error.to_string())
    }

    #[test]
    fn whatever_a_sample_looks_like_its_top_is_the_same() {
        const LOCATIONS: u64 = 17_000;
        let mut seed = 1_u64;
        let mut below = |most: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % most
        };
        let limits = Limits::default();
        let (mut refused, mut quick) = (0, 0);
        for width in [1, 2, 3, 4] {
            for round in 0..80 {
                let most = if round % 10 == 0 { LOCATIONS + 3 } else { LOCATIONS };
                let ids: Vec<u64> = (0..below(90)).map(|_| below(most) + u64::from(round % 7 > 0)).collect();
                let values: Vec<u64> = (0..width).map(|_| u64::MAX >> below(64)).collect();
                let (stack, values) =
                    (numbers(1, below(8) > 0, &ids), numbers(2, (width > 2) ^ (below(8) == 0), &values));
                let label = if below(8) == 0 { message(26, &[8, 1, 24, 7]) } else { Vec::new() };
                let parts = if below(8) == 0 { [&values, &stack, &label] } else { [&stack, &values, &label] };
                let mut sample = parts.map(Vec::as_slice).concat();
                sample.truncate(sample.len() - if below(4) == 0 { below(3) as usize } else { 0 });
                let raw = profile(LOCATIONS, width, &[sample.clone(), sample]);
                let (found, expected) = (top(&raw, &limits), cut(&raw, &limits));
                assert_eq!(found, expected, "{width} {round}");
                refused += u32::from(found.is_err());
                let survey = Survey::of(&raw, &limits).unwrap();
                let ids = Ids::counting("location", LOCATIONS as usize);
                quick += u32::from(Quick::of(&survey, &ids, Keep::Top).is_some());
            }
        }
        assert!(refused > 20 && quick > 100 && refused + quick < 300, "{refused} refused, {quick} quick");
    }
}
