//! The protobuf wire format, the hot bytes: a cursor over fields, and [`output`]. Accepts exactly what google/pprof's
//! `profile/proto.go` accepts: varints of up to ten bytes (bits past the 64th fall away), wire types 0, 1, 2 and 5, repeated
//! numbers packed or not.

mod field;
mod output;

pub(crate) use self::field::Field;
use self::field::Value;
pub(crate) use self::output::{Codes, Message, NUMBER, Output, measure, varint_len, write};
use crate::error::{Error, Fault};

/// A varint's largest size in bytes.
const VARINT_MAX: usize = 10;

/// Eight bytes of a number that goes on after them.
const NEVER_ENDING: u64 = 0x8080_8080_8080_8080;

/// What is left to read of a message: a part of the profile. It knows what comes after, so that a number
/// can be taken as eight bytes at once.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    raw: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(raw: &'a [u8]) -> Self {
        Self { raw, at: 0, end: raw.len() }
    }

    /// A cursor over `raw[start..end]`, where both came from an earlier walk over `raw`.
    pub(crate) fn within(raw: &'a [u8], start: usize, end: usize) -> Self {
        Self { raw, at: start, end }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.end
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.raw.get(self.at..self.end).unwrap_or_default()
    }

    /// What is left, and so many bytes behind it. `None` if there are less.
    #[inline(always)]
    pub(crate) fn bytes_and(&self, more: usize) -> Option<&'a [u8]> {
        self.raw.get(self.at..self.end + more)
    }

    /// What is left, with so many bytes before it and behind it. `None` if there are less.
    #[inline(always)]
    pub(crate) fn around(&self, before: usize, behind: usize) -> Option<&'a [u8]> {
        self.raw.get(self.at.checked_sub(before)?..self.end + behind)
    }

    /// So many bytes of the profile from here on, of this message or behind it. `None` if it has less.
    #[inline(always)]
    fn ahead<const N: usize>(&self) -> Option<&'a [u8; N]> {
        self.raw.get(self.at..)?.first_chunk()
    }

    /// The next field, `None` at the end of the message.
    #[inline(always)]
    pub(crate) fn field(&mut self) -> Result<Option<Field<'a>>, Error> {
        if self.is_empty() {
            return Ok(None);
        }
        let at = self.at;
        let tag = self.varint()?;
        self.value(tag, at).map(Some)
    }

    /// The field whose tag stood at `at`.
    #[inline(always)]
    pub(crate) fn value(&mut self, tag: u64, at: usize) -> Result<Field<'a>, Error> {
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8, at).map(|_| Value::Fixed64)?,
            2 => Value::Bytes(self.content(at)?),
            5 => self.take(4, at).map(|_| Value::Fixed32)?,
            wire => return Err(unknown_wire_type(wire, at)),
        };
        Ok(Field { number: tag >> 3, at, value })
    }

    /// Reads a message whose fields 1 to N are numbers: one that is not there is 0. All other fields go to `other`.
    #[inline(always)]
    pub(crate) fn numbers<const N: usize>(
        mut self,
        names: &[&'static str; N],
        mut other: impl FnMut(&Field<'a>) -> Result<(), Error>,
    ) -> Result<[u64; N], Error> {
        let mut numbers = [0; N];
        while !self.is_empty() {
            let at = self.at;
            let tag = self.varint()?;
            let field = (tag >> 3).wrapping_sub(1) as usize;
            match numbers.get_mut(field) {
                Some(number) if tag & 7 == 0 => *number = self.number()?,
                Some(_) => return Err(self.value(tag, at)?.mismatch(names[field], "0 (a number)")),
                None => other(&self.value(tag, at)?)?,
            }
        }
        Ok(numbers)
    }

    /// The content of the string, message or packed numbers whose tag stood at `at`.
    #[inline(always)]
    pub(crate) fn content(&mut self, at: usize) -> Result<Self, Error> {
        let length = self.varint()?;
        self.take(length, at)
    }

    #[inline(always)]
    pub(crate) fn varint(&mut self) -> Result<u64, Error> {
        if self.at < self.end
            && let Some(&byte) = self.raw.get(self.at)
            && byte < 0x80
        {
            self.at += 1;
            return Ok(u64::from(byte));
        }
        self.longer_varint()
    }

    /// A number of up to eight bytes without a branch for each: their lengths mix, so they would be
    /// guessed wrong.
    #[inline(always)]
    fn longer_varint(&mut self) -> Result<u64, Error> {
        if let Some(word) = self.raw.get(self.at..).and_then(|rest| rest.first_chunk()) {
            let word = u64::from_le_bytes(*word);
            let last = !word & NEVER_ENDING;
            let length = last.trailing_zeros() as usize / 8 + 1;
            if last != 0 && self.at + length <= self.end {
                self.at += length;
                return Ok(join_sevens(word & (last ^ (last - 1))));
            }
        }
        let (value, at) = self.varint_by_bytes()?;
        self.at = at;
        Ok(value)
    }

    /// Any number, and where it ends. By value: a cursor that is lent to no one stays in registers.
    #[cold]
    #[inline(never)]
    fn varint_by_bytes(self) -> Result<(u64, usize), Error> {
        let rest = self.bytes();
        let mut value = 0;
        for (i, &byte) in rest.iter().take(VARINT_MAX).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                return Ok((value, self.at + i + 1));
            }
        }
        let how = if rest.len() < VARINT_MAX { "cut short" } else { "longer than 10 bytes" };
        Err(Fault::Varint { at: self.at, how }.into())
    }

    /// Every number that is left.
    #[inline(always)]
    pub(crate) fn each_varint(mut self, mut take: impl FnMut(u64) -> Result<(), Error>) -> Result<(), Error> {
        while !self.is_empty() {
            take(self.number()?)?;
        }
        Ok(())
    }

    /// The next number, which may well take two bytes or three.
    #[inline(always)]
    pub(crate) fn number(&mut self) -> Result<u64, Error> {
        match self.short_varint() {
            Some(number) => Ok(u64::from(number)),
            None => self.varint(),
        }
    }

    /// The next number, if it takes three bytes at most and four are left to look at.
    #[inline(always)]
    pub(crate) fn short_varint(&mut self) -> Option<u32> {
        let (number, length) = short(*self.ahead()?)?;
        if self.at + length > self.end {
            return None;
        }
        self.at += length;
        Some(number)
    }

    /// Passes over messages of this tag of one byte that follow one another, up to so many and as long as each has less than
    /// 16 KiB. How many there were, and the bytes in them.
    pub(crate) fn pass_short(&mut self, tag: u8, most: usize) -> (usize, usize) {
        let (mut count, mut bytes) = (0, 0);
        while count < most
            && let Some(message) = self.message(tag)
        {
            (count, bytes) = (count + 1, bytes + (message.end - message.at));
        }
        (count, bytes)
    }

    /// What is in the next field, if it is a message of this tag of one byte and has less than 16 KiB.
    #[inline(always)]
    pub(crate) fn message(&mut self, tag: u8) -> Option<Self> {
        let (found, content, rest) = self.short_message()?;
        (found == tag).then(|| {
            *self = rest;
            content
        })
    }

    /// The next field, if it is a message whose tag has one byte and which has less than 16 KiB: the tag, what is in it, and what
    /// follows it.
    #[inline(always)]
    pub(crate) fn short_message(self) -> Option<(u8, Self, Self)> {
        let &[tag, low, high] = self.ahead()?;
        // Without a branch between lengths of one byte and two: they mix.
        let two = usize::from(low >> 7);
        let length = usize::from(low & 0x7f) | (usize::from(high) * two) << 7;
        let start = self.at + 2 + two;
        let end = start + length;
        if tag & 0x87 != 2 || usize::from(high >> 7) & two != 0 || end > self.end {
            return None;
        }
        Some((tag, Self { at: start, end, ..self }, Self { at: end, ..self }))
    }

    /// Passes over this tag of one byte, if it is next.
    #[inline(always)]
    pub(crate) fn tag(&mut self, tag: u8) -> Option<()> {
        (self.at < self.end && *self.raw.get(self.at)? == tag).then(|| self.at += 1)
    }

    #[inline(always)]
    fn take(&mut self, needs: u64, at: usize) -> Result<Self, Error> {
        let left = self.end - self.at;
        if needs > left as u64 {
            return Err(too_short(needs, left, at));
        }
        let taken = Self { end: self.at + needs as usize, ..*self };
        self.at = taken.end;
        Ok(taken)
    }
}

/// The number that these bytes begin with, and how many it takes, if they are three at the most: without a branch between one
/// and two, which would be guessed wrong.
#[inline(always)]
pub(crate) fn short(bytes: [u8; 4]) -> Option<(u32, usize)> {
    let word = u32::from_le_bytes(bytes);
    let two = word >> 7 & 1;
    match word & 0x80_8080 {
        0x80_8080 => None,
        0x8080 => Some((word & 0x7f | word >> 1 & 0x3f80 | word >> 2 & 0x1f_c000, 3)),
        _ => Some((word & 0x7f | word >> 1 & 0x3f80 & 0_u32.wrapping_sub(two), 1 + two as usize)),
    }
}

/// The low seven bits of each byte, put together.
#[inline(always)]
fn join_sevens(word: u64) -> u64 {
    let pairs = word & 0x007f_007f_007f_007f | (word >> 1) & 0x3f80_3f80_3f80_3f80;
    let fours = pairs & 0x0000_3fff_0000_3fff | (pairs >> 2) & 0x0fff_c000_0fff_c000;
    fours & 0x0fff_ffff | (fours >> 4) & 0x00ff_ffff_f000_0000
}

#[cold]
#[inline(never)]
fn unknown_wire_type(wire: u64, at: usize) -> Error {
    Fault::WireType { at, wire: wire as u8 }.into()
}

#[cold]
#[inline(never)]
fn too_short(needs: u64, left: usize, at: usize) -> Error {
    Fault::Short { at, needs, left }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field_error(bytes: &[u8]) -> String {
        Cursor::new(bytes).field().map(|_| ()).unwrap_err().to_string()
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
    fn short_messages_are_passed_up_to_what_is_none() {
        let long = [&[18, 0x80, 1][..], &[7; 128]].concat();
        let run = [&[18, 0, 18, 2, 8, 1][..], &long].concat();
        let passed = |after: &[u8], tag, most| {
            let bytes = [&run[..], after].concat();
            let mut cursor = Cursor::new(&bytes);
            let (count, content) = cursor.pass_short(tag, most);
            (count, content, cursor.at())
        };
        for after in [
            &[26, 0, 0][..],
            &[18, 3, 0, 0],
            &[18],
            &[],
            // Longer than a message of two bytes' length, or its length has no end.
            &[[18, 0x80, 0x80, 1].to_vec(), vec![0; 1 << 14]].concat(),
            &[18, 0x80],
            &[18, 0xff, 0xff, 0xff],
        ] {
            assert_eq!(passed(after, 18, 9), (3, 130, run.len()), "{after:?}");
        }
        assert_eq!(passed(&[], 18, 2), (2, 2, 6));
        assert_eq!(passed(&[], 18, 0), (0, 0, 0));
        assert_eq!(passed(&[], 26, 9), (0, 0, 0));
        // The end is not that of the bytes.
        let mut within = Cursor::within(&run, 0, 5);
        assert_eq!((within.pass_short(18, 9), within.at()), ((1, 0), 2));
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
}
