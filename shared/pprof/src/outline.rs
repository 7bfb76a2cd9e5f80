//! A profile seen from outside: walked over once, from its first byte to its last, in constant memory. For profiles that
//! are moved rather than merged, and may be larger than the memory there is to hold them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read as _};

use flate2::bufread::MultiGzDecoder;

use crate::error::Error;
use crate::gzip;
use crate::limits::Limits;
use crate::scan::{SAMPLE, Scan};

/// `repeated ValueType sample_type = 1` of `profile.proto`, as a tag.
const SAMPLE_TYPE: u64 = 1 << 3 | 2;
/// `repeated string string_table = 6`.
const STRING: u64 = 6 << 3 | 2;
/// `int64 type = 1` and `int64 unit = 2` of `ValueType`.
const TYPE: u64 = 1 << 3;
const UNIT: u64 = 2 << 3;

/// How many sample types are looked at. No profile of Go's has more than four.
const TYPES: usize = 16;
/// How long a name of one can be, in bytes.
const NAME: u64 = 128;
/// How many of the first strings are kept, for writers that put the table before the types.
const FIRST: u64 = 64;
const BUFFER: usize = 64 << 10;
/// How many bytes tell gzip from all else.
const GZIP: u64 = 2;

/// What a profile shows from outside.
///
/// That it could be walked over says that it is whole: its gzip data is sound to the checksum and its fields end where it
/// does. What is within samples, locations and functions was not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    raw_bytes: u64,
    samples: u64,
    sample_types: Option<Vec<(String, String)>>,
}

impl Outline {
    /// Reads a profile, gzip or not, to its end. It holds less than a megabyte, however large the profile.
    ///
    /// # Errors
    /// `Malformed` for what is no pprof protobuf or is cut short, `Limit` past `limits.raw_bytes`, `Unreadable` when `input`
    /// fails.
    pub fn read(mut input: impl BufRead, limits: &Limits) -> Result<Self, Error> {
        let mut head = Vec::new();
        (&mut input).take(GZIP).read_to_end(&mut head).map_err(gzip::fault)?;
        let input = head.as_slice().chain(input);
        if gzip::is_gzip(&head) {
            let inflated = BufReader::with_capacity(BUFFER, MultiGzDecoder::new(input));
            Walk::over(Scan::new(inflated, limits)?)
        } else {
            Walk::over(Scan::new(input, limits)?)
        }
    }

    /// How many bytes it has when inflated.
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        self.raw_bytes
    }

    /// How many samples it has.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Its sample types, each with its unit. `None` if they cannot be told so cheaply: then
    /// [`Profile::parse`](crate::Profile::parse) tells.
    #[must_use]
    pub fn sample_types(&self) -> Option<&[(String, String)]> {
        self.sample_types.as_deref()
    }
}

#[derive(Default)]
struct Walk {
    samples: u64,
    /// The places of their names in the table of strings. `None` once one was not understood.
    types: Option<Vec<(u64, u64)>>,
    strings: u64,
    kept: BTreeMap<u64, Vec<u8>>,
}

impl Walk {
    fn over<R: BufRead>(mut scan: Scan<R>) -> Result<Outline, Error> {
        let mut walk = Self { types: Some(Vec::new()), ..Self::default() };
        while !scan.ended()? {
            let at = scan.position();
            match scan.varint()? {
                SAMPLE => {
                    walk.samples += 1;
                    scan.pass(SAMPLE, at)?;
                }
                SAMPLE_TYPE => walk.sample_type(&mut scan, at)?,
                STRING => walk.string(&mut scan, at)?,
                tag => scan.pass(tag, at)?,
            }
        }
        Ok(Outline {
            raw_bytes: scan.position() as u64,
            samples: walk.samples,
            sample_types: walk.sample_types(),
        })
    }

    fn sample_type<R: BufRead>(&mut self, scan: &mut Scan<R>, at: usize) -> Result<(), Error> {
        let length = scan.varint()?;
        let known = self.types.as_mut().filter(|types| length <= NAME && types.len() < TYPES);
        let Some(types) = known else {
            self.types = None;
            return scan.skip(length, at);
        };
        let bytes = scan.bytes(length as usize, at)?;
        match value_type(&bytes) {
            Some(pair) => types.push(pair),
            None => self.types = None,
        }
        Ok(())
    }

    fn string<R: BufRead>(&mut self, scan: &mut Scan<R>, at: usize) -> Result<(), Error> {
        let length = scan.varint()?;
        let index = self.strings;
        self.strings += 1;
        let named = || self.types.iter().flatten().any(|(kind, unit)| *kind == index || *unit == index);
        if length > NAME || !(index < FIRST || named()) {
            return scan.skip(length, at);
        }
        self.kept.insert(index, scan.bytes(length as usize, at)?);
        Ok(())
    }

    fn sample_types(&self) -> Option<Vec<(String, String)>> {
        let text = |index: &u64| String::from_utf8(self.kept.get(index)?.clone()).ok();
        self.types.as_ref()?.iter().map(|(kind, unit)| Some((text(kind)?, text(unit)?))).collect()
    }
}

/// The two numbers of a `ValueType`, if it holds nothing else.
fn value_type(bytes: &[u8]) -> Option<(u64, u64)> {
    let (mut kind, mut unit) = (0, 0);
    let mut scan = match bytes {
        [] => return Some((0, 0)),
        bytes => Scan::new(bytes, &Limits::default()).ok()?,
    };
    while !scan.ended().ok()? {
        match scan.varint().ok()? {
            TYPE => kind = scan.varint().ok()?,
            UNIT => unit = scan.varint().ok()?,
            _ => return None,
        }
    }
    Some((kind, unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::cpu;
    use crate::{ErrorKind, Profile, check};

    fn outline(bytes: &[u8]) -> Result<Outline, Error> {
        Outline::read(bytes, &Limits::default())
    }

    #[test]
    fn it_says_what_the_profile_says() {
        let profile = cpu(&["3: leaf;main", "2: main"]);
        let raw = profile.encode();
        for bytes in [raw.clone(), gzip::deflate(&raw)] {
            let outline = outline(&bytes).unwrap();
            assert_eq!((outline.samples(), outline.raw_bytes()), (2, raw.len() as u64));
            check::outline(&outline).unwrap();
            let types: Vec<_> =
                outline.sample_types().unwrap().iter().map(|(k, u)| format!("{k}/{u}")).collect();
            let expected: Vec<_> = profile.sample_types().map(|kind| kind.to_string()).collect();
            assert_eq!(types, expected);
        }
        assert_eq!(outline(&Profile::empty_cpu().write()).unwrap().samples(), 0);
    }

    #[test]
    fn cut_or_changed_gzip_is_noticed_to_the_last_byte() {
        let zipped = cpu(&["3: leaf;main"]).write();
        for cut in 1..zipped.len() {
            assert_eq!(outline(&zipped[..cut]).unwrap_err().kind(), ErrorKind::Malformed, "{cut}");
        }
        for at in zipped.len() - 8..zipped.len() {
            let mut changed = zipped.clone();
            changed[at] ^= 1;
            assert_eq!(outline(&changed).unwrap_err().kind(), ErrorKind::Malformed, "{at}");
        }
        assert_eq!(outline(b"").unwrap_err().to_string(), "the profile is empty: it has no bytes");
        assert_eq!(outline(b"<!doctype html>").unwrap_err().kind(), ErrorKind::Malformed);
    }

    #[test]
    fn an_input_that_comes_in_drops_is_the_same() {
        let zipped = cpu(&["3: leaf;main"]).write();
        let drops = BufReader::with_capacity(1, &zipped[..]);
        assert_eq!(Outline::read(drops, &Limits::default()).unwrap(), outline(&zipped).unwrap());
    }

    #[test]
    fn it_ends_at_the_limit() {
        let raw = cpu(&["3: leaf;main"]).encode();
        let limits = |raw_bytes| Limits { raw_bytes, ..Limits::default() };
        let size = raw.len() as u64;
        Outline::read(&gzip::deflate(&raw)[..], &limits(size)).unwrap();
        let error = Outline::read(&gzip::deflate(&raw)[..], &limits(size - 1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
    }

    #[test]
    fn types_that_take_looking_for_are_not_told() {
        // Seventeen types; one with a field of its own; one whose name is not there.
        for bytes in [[&[0x0a_u8, 0][..]; 17].concat(), vec![0x0a, 2, 0x18, 1], vec![0x0a, 2, 8, 5]] {
            assert_eq!(outline(&bytes).unwrap().sample_types(), None, "{bytes:?}");
        }
        // A table of strings before the types will do.
        let early = [&b"\x32\x00\x32\x03cpu"[..], &[0x0a, 2, 8, 1]].concat();
        assert_eq!(outline(&early).unwrap().sample_types(), Some(&[("cpu".to_owned(), String::new())][..]));
    }
}
