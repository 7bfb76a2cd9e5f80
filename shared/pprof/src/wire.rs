//! The protobuf wire format, the hot bytes: a cursor over fields and an output that either writes or
//! only measures. Accepts exactly what google/pprof's `profile/proto.go` accepts: varints of up to ten
//! bytes (bits past the 64th fall away), wire types 0, 1, 2 and 5, repeated numbers packed or not.

use crate::error::{Error, Fault};

/// A varint's largest size in bytes.
const VARINT_MAX: usize = 10;

/// What is left to read of a message, and where in the profile it ends.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    end: usize,
}

/// One field of a message.
pub(crate) struct Field<'a> {
    pub(crate) number: u64,
    /// Where its tag stands.
    pub(crate) at: usize,
    value: Value<'a>,
}

enum Value<'a> {
    Varint(u64),
    Fixed64,
    Bytes(Cursor<'a>),
    Fixed32,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(raw: &'a [u8]) -> Self {
        Self { rest: raw, end: raw.len() }
    }

    /// A cursor over `raw[start..end]`, where both came from an earlier walk over `raw`.
    pub(crate) fn within(raw: &'a [u8], start: usize, end: usize) -> Self {
        Self { rest: raw.get(start..end).unwrap_or_default(), end }
    }

    pub(crate) fn at(&self) -> usize {
        self.end - self.rest.len()
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.rest
    }

    /// The next field, `None` at the end of the message.
    #[inline]
    pub(crate) fn field(&mut self) -> Result<Option<Field<'a>>, Error> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let at = self.at();
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8, at).map(|_| Value::Fixed64)?,
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length, at)?)
            }
            5 => self.take(4, at).map(|_| Value::Fixed32)?,
            wire => return Err(Fault::WireType { at, wire: wire as u8 }.into()),
        };
        Ok(Some(Field { number: tag >> 3, at, value }))
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Error> {
        let mut value = 0;
        for (i, &byte) in self.rest.iter().take(VARINT_MAX).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        let how = if self.rest.len() < VARINT_MAX { "cut short" } else { "longer than 10 bytes" };
        Err(Fault::Varint { at: self.at(), how }.into())
    }

    fn take(&mut self, needs: u64, at: usize) -> Result<Self, Error> {
        let taken = usize::try_from(needs).ok().and_then(|n| self.rest.split_at_checked(n));
        let Some((taken, rest)) = taken else {
            return Err(Fault::Short { at, needs, left: self.rest.len() }.into());
        };
        self.rest = rest;
        Ok(Self { rest: taken, end: self.at() })
    }
}

impl<'a> Field<'a> {
    #[inline]
    pub(crate) fn uint(&self, name: &'static str) -> Result<u64, Error> {
        match self.value {
            Value::Varint(value) => Ok(value),
            _ => Err(self.mismatch(name, "0 (a number)")),
        }
    }

    #[inline]
    pub(crate) fn int(&self, name: &'static str) -> Result<i64, Error> {
        self.uint(name).map(u64::cast_signed)
    }

    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, Error> {
        self.uint(name).map(|value| value != 0)
    }

    /// The content of a string or of a message.
    #[inline]
    pub(crate) fn content(&self, name: &'static str) -> Result<Cursor<'a>, Error> {
        match self.value {
            Value::Bytes(content) => Ok(content),
            _ => Err(self.mismatch(name, "2 (a string or message)")),
        }
    }

    /// Every number of a repeated field, packed or alone.
    #[inline]
    pub(crate) fn each(
        &self,
        name: &'static str,
        mut take: impl FnMut(u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match self.value {
            Value::Varint(value) => take(value),
            Value::Bytes(mut packed) => {
                while !packed.rest.is_empty() {
                    take(packed.varint()?)?;
                }
                Ok(())
            }
            _ => Err(self.mismatch(name, "0 or 2 (numbers)")),
        }
    }

    fn mismatch(&self, field: &'static str, wanted: &'static str) -> Error {
        let found = match self.value {
            Value::Varint(_) => 0,
            Value::Fixed64 => 1,
            Value::Bytes(_) => 2,
            Value::Fixed32 => 5,
        };
        Fault::FieldType { field, at: self.at, found, wanted }.into()
    }
}

/// A message that can be written, and thereby also measured.
pub(crate) trait Message {
    fn write(&self, out: &mut impl Output);
}

/// Where a message goes: into bytes, or nowhere, but counted.
pub(crate) trait Output: Sized {
    fn varint(&mut self, value: u64);
    fn raw(&mut self, bytes: &[u8]);

    /// A message inside this one, its length in front.
    fn message(&mut self, number: u32, message: &impl Message) {
        self.length(number, measure(message));
        message.write(self);
    }

    fn uint(&mut self, number: u32, value: u64) {
        self.varint(u64::from(number) << 3);
        self.varint(value);
    }

    /// Writes nothing for 0, protobuf's default.
    fn uint_or_nothing(&mut self, number: u32, value: u64) {
        if value != 0 {
            self.uint(number, value);
        }
    }

    /// google/pprof packs repeated numbers only when there are more than two.
    fn uints(&mut self, number: u32, values: impl ExactSizeIterator<Item = u64> + Clone) {
        if values.len() > 2 {
            let mut size = Size(0);
            values.clone().for_each(|value| size.varint(value));
            self.length(number, size.0);
            values.for_each(|value| self.varint(value));
        } else {
            values.for_each(|value| self.uint(number, value));
        }
    }

    fn bytes(&mut self, number: u32, bytes: &[u8]) {
        self.length(number, bytes.len());
        self.raw(bytes);
    }

    fn length(&mut self, number: u32, length: usize) {
        self.varint(u64::from(number) << 3 | 2);
        self.varint(length as u64);
    }
}

/// How many bytes a message takes.
pub(crate) fn measure(message: &impl Message) -> usize {
    let mut size = Size(0);
    message.write(&mut size);
    size.0
}

impl Output for Vec<u8> {
    #[inline]
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

struct Size(usize);

impl Output for Size {
    #[inline]
    fn varint(&mut self, value: u64) {
        self.0 += (70 - (value | 1).leading_zeros() as usize) / 7;
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }

    fn message(&mut self, number: u32, message: &impl Message) {
        let size = measure(message);
        self.length(number, size);
        self.0 += size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field_error(bytes: &[u8]) -> String {
        Cursor::new(bytes).field().map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn varints_of_every_length_come_back() {
        for bits in 0..64 {
            for value in [1 << bits, (1 << bits) - 1, u64::MAX >> bits] {
                let mut out = Vec::new();
                out.varint(value);
                let mut size = Size(0);
                size.varint(value);
                assert_eq!(size.0, out.len(), "{value}");
                assert_eq!(Cursor::new(&out).varint().unwrap(), value);
            }
        }
    }

    #[test]
    fn bits_past_the_64th_fall_away() {
        let mut bytes = [0xff; 10];
        bytes[9] = 0x7f;
        assert_eq!(Cursor::new(&bytes).varint().unwrap(), u64::MAX);
    }

    #[test]
    fn errors_say_where() {
        assert_eq!(field_error(&[0x80]), "not a pprof profile: the number at byte 0 is cut short");
        assert_eq!(field_error(&[8, 0xff]), "not a pprof profile: the number at byte 1 is cut short");
        assert_eq!(
            field_error(&[0xff; 11]),
            "not a pprof profile: the number at byte 0 is longer than 10 bytes"
        );
        assert_eq!(field_error(&[0x0b]), "not a pprof profile: unknown wire type 3 at byte 0");
        assert_eq!(
            field_error(&[9, 0]),
            "not a pprof profile: the field at byte 0 needs 8 bytes, only 1 are left"
        );
        assert_eq!(
            field_error(&[10, 5, 1]),
            "not a pprof profile: the field at byte 0 needs 5 bytes, only 1 are left"
        );
    }

    #[test]
    fn a_nested_cursor_knows_its_place() {
        let bytes = [10, 2, 8, 1, 16, 7];
        let mut cursor = Cursor::new(&bytes);
        let mut inner = cursor.field().unwrap().unwrap().content("message").unwrap();
        assert_eq!((inner.at(), inner.bytes(), cursor.at()), (2, &[8, 1][..], 4));
        let field = inner.field().unwrap().unwrap();
        assert_eq!((field.at, field.number, field.uint("n").unwrap()), (2, 1, 1));
        let error = field.content("n").map(|_| ()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "not a pprof profile: n at byte 2 has wire type 0, not 2 (a string or message)"
        );
    }

    #[test]
    fn numbers_are_packed_from_the_third_on() {
        let mut out = Vec::new();
        out.uints(1, [1, 2].into_iter());
        out.uints(1, [1, 2, 300].into_iter());
        assert_eq!(out, [8, 1, 8, 2, 10, 4, 1, 2, 0xac, 2]);
    }
}
