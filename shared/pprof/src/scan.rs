//! Walks over a profile without decoding it, in constant memory. The shortest walk tells whether it has samples: it
//! stops at the first, which writers put near the start.

use std::io::{BufRead, BufReader};

use flate2::bufread::MultiGzDecoder;

use crate::error::{Error, Fault};
use crate::gzip;
use crate::limits::Limits;

/// `repeated Sample sample = 2` of `profile.proto`, as a tag.
pub(crate) const SAMPLE: u64 = 2 << 3 | 2;

/// Whether a profile, gzip or not, has a sample. Inflates only up to the first one, in constant memory.
///
/// # Errors
/// `Malformed` for what is no pprof protobuf up to there, `Limit` past `limits.raw_bytes`.
pub fn has_samples(bytes: &[u8], limits: &Limits) -> Result<bool, Error> {
    if gzip::is_gzip(bytes) {
        first_sample(Scan::new(BufReader::new(MultiGzDecoder::new(bytes)), limits)?)
    } else {
        first_sample(Scan::new(bytes, limits)?)
    }
}

fn first_sample<R: BufRead>(mut scan: Scan<R>) -> Result<bool, Error> {
    while !scan.ended()? {
        let at = scan.position();
        let tag = scan.varint()?;
        if tag == SAMPLE {
            return Ok(true);
        }
        scan.pass(tag, at)?;
    }
    Ok(false)
}

/// A walk over inflated bytes, up to a limit.
pub(crate) struct Scan<R> {
    input: R,
    at: u64,
    limit: u64,
}

impl<R: BufRead> Scan<R> {
    /// # Errors
    /// `Malformed` if there is nothing at all.
    pub(crate) fn new(input: R, limits: &Limits) -> Result<Self, Error> {
        let mut scan = Self { input, at: 0, limit: limits.raw_bytes };
        if scan.ended()? { Err(Fault::Empty.into()) } else { Ok(scan) }
    }

    pub(crate) fn ended(&mut self) -> Result<bool, Error> {
        Ok(self.input.fill_buf().map_err(gzip::fault)?.is_empty())
    }

    /// Skips what belongs to `tag`, which stood at `at`.
    pub(crate) fn pass(&mut self, tag: u64, at: usize) -> Result<(), Error> {
        match tag & 7 {
            0 => self.varint().map(drop),
            1 => self.skip(8, at),
            2 => {
                let length = self.varint()?;
                self.skip(length, at)
            }
            5 => self.skip(4, at),
            wire => Err(Fault::WireType { at, wire: wire as u8 }.into()),
        }
    }

    /// The next `length` bytes, which belong to the tag at `at`. For what is known to be short.
    pub(crate) fn bytes(&mut self, length: usize, at: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let here = self.input.fill_buf().map_err(gzip::fault)?;
            if here.is_empty() {
                return Err(Fault::Short { at, needs: length as u64, left: bytes.len() }.into());
            }
            let step = here.len().min(length - bytes.len());
            bytes.extend_from_slice(&here[..step]);
            self.consume(step)?;
        }
        Ok(bytes)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Error> {
        let at = self.position();
        let mut value = 0;
        for i in 0..10 {
            let Some(&byte) = self.input.fill_buf().map_err(gzip::fault)?.first() else {
                return Err(Fault::Varint { at, how: "cut short" }.into());
            };
            self.consume(1)?;
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Fault::Varint { at, how: "longer than 10 bytes" }.into())
    }

    pub(crate) fn skip(&mut self, needs: u64, at: usize) -> Result<(), Error> {
        let mut left = needs;
        while left > 0 {
            let here = self.input.fill_buf().map_err(gzip::fault)?.len();
            if here == 0 {
                let left = usize::try_from(needs - left).unwrap_or(usize::MAX);
                return Err(Fault::Short { at, needs, left }.into());
            }
            let step = usize::try_from(left).map_or(here, |left| left.min(here));
            self.consume(step)?;
            left -= step as u64;
        }
        Ok(())
    }

    fn consume(&mut self, bytes: usize) -> Result<(), Error> {
        self.input.consume(bytes);
        self.at += bytes as u64;
        if self.at > self.limit {
            return Err(Fault::TooLarge { limit: self.limit }.into());
        }
        Ok(())
    }

    pub(crate) fn position(&self) -> usize {
        usize::try_from(self.at).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, Profile};

    fn scan(bytes: &[u8]) -> Result<bool, String> {
        has_samples(bytes, &Limits::default()).map_err(|error| {
            assert_eq!(error.kind(), ErrorKind::Malformed);
            error.to_string()
        })
    }

    #[test]
    fn an_empty_profile_has_none() {
        let empty = Profile::empty_cpu();
        assert_eq!(scan(&empty.encode()), Ok(false));
        assert_eq!(scan(&empty.write()), Ok(false));
    }

    #[test]
    fn it_stops_at_the_first_sample() {
        // What follows the sample's tag is not looked at, and neither is the rest of the gzip data.
        assert_eq!(scan(&[8, 1, 9, 0, 0, 0, 0, 0, 0, 0, 0, 13, 0, 0, 0, 0, 0x12, 0xff]), Ok(true));
        let noise: Vec<u8> =
            (0..200_000_u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
        let zipped = gzip::deflate(&[&[0x12, 0][..], &noise].concat());
        assert_eq!(scan(&zipped[..zipped.len() / 2]), Ok(true));
    }

    #[test]
    fn errors_say_where() {
        for (bytes, expected) in [
            (&b""[..], "the profile is empty: it has no bytes"),
            (&[8], "not a pprof profile: the number at byte 1 is cut short"),
            (&[0xff; 10], "not a pprof profile: the number at byte 0 is longer than 10 bytes"),
            (&[0x0c], "not a pprof profile: unknown wire type 4 at byte 0"),
            (&[8, 0, 10, 5, 1], "not a pprof profile: the field at byte 2 needs 5 bytes, only 1 are left"),
        ] {
            assert_eq!(scan(bytes), Err(expected.to_owned()));
        }
    }
}
