//! Samples as Go's writers have them, of which the compiler looks at little: a stack of several frames, its values, and
//! nothing else.

use super::ids::Ids;
use super::samples::{FRAMES, TOP, VALUE, VALUES, next};
use crate::profile::Samples;
use crate::wire::{Cursor, UpTo};

/// How many numbers are packed (google/pprof's profile/proto.go and runtime/pprof's protobuf.go: `if len(x) > 2`).
const PACKED: usize = 3;

/// Reads those that are as expected.
pub(super) struct Quick {
    /// How many locations there are.
    locations: u64,
    up_to: UpTo,
}

impl Quick {
    /// `None` if the ids of locations take more than a glance.
    pub(super) fn of(locations: &Ids) -> Option<Self> {
        let locations = locations.counted()?;
        Some(Self { locations, up_to: UpTo::new(locations)? })
    }

    /// Reads a sample behind others: of its stack the leaf and its caller. How many frames it has, if that is no more than
    /// `most`. `None` if it is not as expected, right or wrong: then nothing is added.
    #[inline(always)]
    pub(super) fn read(&self, cursor: Cursor<'_>, most: usize, samples: &mut Samples) -> Option<usize> {
        let (frames, values) = (samples.frames.len(), samples.values.len());
        let read = self.parts(cursor, samples).filter(|&read| read <= most);
        match read {
            Some(_) => samples.close(frames, 0),
            None => {
                samples.frames.truncate(frames);
                samples.values.truncate(values);
            }
        }
        read
    }

    #[inline(always)]
    fn parts(&self, mut cursor: Cursor<'_>, samples: &mut Samples) -> Option<usize> {
        let mut stack = part(&mut cursor, FRAMES)?;
        let mut kept = 0;
        while kept < TOP && !stack.is_empty() {
            let frame = next(&mut stack).ok()?.wrapping_sub(1);
            if frame >= self.locations {
                return None;
            }
            samples.frames.push(frame as u32);
            kept += 1;
        }
        let passed = self.up_to.count(stack)?;
        let alone = samples.width < PACKED;
        if !alone {
            let values = part(&mut cursor, VALUES)?;
            if !cursor.is_empty() {
                return None;
            }
            cursor = values;
        }
        for _ in 0..samples.width {
            if alone && cursor.varint().ok()? != VALUE {
                return None;
            }
            samples.values.push(cursor.varint().ok()?.cast_signed());
        }
        cursor.is_empty().then_some(kept + passed)
    }
}

/// The content of a field that has to be the next one.
#[inline(always)]
fn part<'a>(cursor: &mut Cursor<'a>, tag: u64) -> Option<Cursor<'a>> {
    let at = cursor.at();
    (cursor.varint().ok()? == tag).then_some(())?;
    cursor.content(at).ok()
}
