//! One field, and what it may be taken for.

use super::Cursor;
use crate::error::{Error, Fault};

/// One field of a message.
pub(crate) struct Field<'a> {
    pub(crate) number: u64,
    /// Where its tag stands.
    pub(crate) at: usize,
    pub(super) value: Value<'a>,
}

pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64,
    Bytes(Cursor<'a>),
    Fixed32,
}

impl<'a> Field<'a> {
    #[inline(always)]
    pub(crate) fn uint(&self, name: &'static str) -> Result<u64, Error> {
        match self.value {
            Value::Varint(value) => Ok(value),
            _ => Err(self.mismatch(name, "0 (a number)")),
        }
    }

    #[inline(always)]
    pub(crate) fn int(&self, name: &'static str) -> Result<i64, Error> {
        self.uint(name).map(u64::cast_signed)
    }

    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, Error> {
        self.uint(name).map(|value| value != 0)
    }

    /// The content of a string or of a message.
    #[inline(always)]
    pub(crate) fn content(&self, name: &'static str) -> Result<Cursor<'a>, Error> {
        match self.value {
            Value::Bytes(content) => Ok(content),
            _ => Err(self.mismatch(name, "2 (a string or message)")),
        }
    }

    /// Every number of a repeated field, packed or alone.
    #[inline(always)]
    pub(crate) fn each(
        &self,
        name: &'static str,
        mut take: impl FnMut(u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match self.value {
            Value::Varint(value) => take(value),
            Value::Bytes(packed) => packed.each_varint(take),
            _ => Err(self.mismatch(name, "0 or 2 (numbers)")),
        }
    }

    #[inline(always)]
    pub(super) fn mismatch(&self, field: &'static str, wanted: &'static str) -> Error {
        let found = match self.value {
            Value::Varint(_) => 0,
            Value::Fixed64 => 1,
            Value::Bytes(_) => 2,
            Value::Fixed32 => 5,
        };
        wrong_type(field, self.at, found, wanted)
    }
}

#[cold]
#[inline(never)]
fn wrong_type(field: &'static str, at: usize, found: u8, wanted: &'static str) -> Error {
    Fault::FieldType { field, at, found, wanted }.into()
}
