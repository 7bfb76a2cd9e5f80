//! Samples as Go's writers have them, of which the compiler looks at little: a stack of several frames, its values, and
//! nothing else.

use super::ids::Ids;
use super::samples::{FRAMES, TOP, VALUE, VALUES};
use crate::limits::Limits;
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
    /// For samples of so many bytes together. `None` if their frames may pass the limit, as they are not counted, or if the ids
    /// of locations take more than a glance.
    pub(super) fn of(locations: &Ids, bytes: usize, limits: &Limits) -> Option<Self> {
        let locations = locations.counted().filter(|_| bytes <= limits.frames)?;
        Some(Self { locations, up_to: UpTo::new(locations)? })
    }

    /// Reads a sample behind others: of its stack the leaf and its caller. Whether it is as expected: if not, right or wrong,
    /// nothing is added.
    #[inline(always)]
    pub(super) fn read(&self, cursor: Cursor<'_>, samples: &mut Samples) -> bool {
        let (frames, values) = (samples.frames.len(), samples.values.len());
        let read = self.parts(cursor, samples).is_some();
        if read {
            samples.close(frames, 0);
        } else {
            samples.frames.truncate(frames);
            samples.values.truncate(values);
        }
        read
    }

    #[inline(always)]
    fn parts(&self, mut cursor: Cursor<'_>, samples: &mut Samples) -> Option<()> {
        let mut stack = part(&mut cursor, FRAMES)?;
        for _ in 0..TOP {
            if !stack.is_empty() {
                samples.frames.push(self.frame(stack.varint().ok()?)?);
            }
        }
        self.up_to.holds(stack).then_some(())?;
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
        cursor.is_empty().then_some(())
    }

    #[inline(always)]
    fn frame(&self, id: u64) -> Option<u32> {
        (id.wrapping_sub(1) < self.locations).then(|| (id - 1) as u32)
    }
}

/// The content of a field that has to be the next one.
#[inline(always)]
fn part<'a>(cursor: &mut Cursor<'a>, tag: u64) -> Option<Cursor<'a>> {
    let at = cursor.at();
    (cursor.varint().ok()? == tag).then_some(())?;
    cursor.content(at).ok()
}
