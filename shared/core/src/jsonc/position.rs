//! Where a value stands in its file: kept beside the value, for errors about what the value means.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};

/// A place in a text. Lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    /// The first character.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// `line:column`, as compilers and editors have it.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A value and where it begins. Only [`super::parse`] can make one: no other deserializer knows the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it begins.
    pub at: Position,
}

impl<T> Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// By this name a [`Located`] asks for line, column and value in place of the value alone.
pub(super) const LOCATED: &str = "$autopgo::jsonc::Located";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(LOCATED, LocatedVisitor(PhantomData))
    }
}

struct LocatedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for LocatedVisitor<T> {
    type Value = Located<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with its place")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Located<T>, A::Error> {
        let short = || A::Error::invalid_length(0, &"line, column and value");
        let line = seq.next_element()?.ok_or_else(short)?;
        let column = seq.next_element()?.ok_or_else(short)?;
        let value = seq.next_element()?.ok_or_else(short)?;
        Ok(Located { value, at: Position { line, column } })
    }
}

/// The lines of a text, to tell the place of an offset without reading the text again.
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
    /// The last answer, as offset and column: the next question is mostly further on in the same line, and a file
    /// may be one long line.
    last: Cell<(usize, usize)>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts, last: Cell::new((0, 1)) }
    }

    /// The place of byte `offset`.
    pub(super) fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        let (from, column) =
            Some(self.last.get()).filter(|(from, _)| (start..=offset).contains(from)).unwrap_or((start, 1));
        let between = self.text.get(from..offset).unwrap_or_default();
        let column = column + between.chars().count();
        self.last.set((offset, column));
        Position { line, column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jsonc::parse;

    #[test]
    fn positions() {
        let lines = Lines::of("ab\n\né\u{1F600}x\n");
        for (offset, place) in [
            (0, "1:1"),
            (2, "1:3"),
            (3, "2:1"),
            (4, "3:1"),
            (6, "3:2"),
            (10, "3:3"),
            (11, "3:4"),
            (12, "4:1"),
        ] {
            assert_eq!(lines.position(offset).to_string(), place, "{offset}");
        }
    }

    #[test]
    fn located_values() {
        let values: Vec<Located<Vec<Option<Located<String>>>>> =
            parse("[\n  [\"a\", null, // c\n \"b\"]\n]", "f").expect("good");
        let outer = &values[0];
        assert_eq!(outer.at.to_string(), "2:3");
        let inner: Vec<_> = outer.iter().flatten().map(|item| (item.as_str(), item.at.to_string())).collect();
        assert_eq!(inner, [("a", "2:4".to_owned()), ("b", "3:2".to_owned())]);
        let error = parse::<Located<Vec<Located<String>>>>("[\"a\",\n 5]", "f").expect_err("a number");
        assert_eq!(error.what(), "f:2:2: invalid type: integer `5`, expected a string");
    }
}
