//! A part of a pattern that was read, written for Rust's engine, with what Go's bounds need to know of it.

use std::fmt::Write;

/// The deepest tree that Go takes (`regexp/syntax`, `maxHeight`).
pub(super) const DEEPEST: u32 = 1000;

/// What matches nothing at all, such as a surrogate, which no text holds.
pub(super) const NOTHING: &str = r"[^\x00-\x{10FFFF}]";

/// A part of a pattern.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// In Rust's syntax.
    pub(super) text: String,
    /// Whether every match has a round bracket in it.
    pub(super) needs_bracket: bool,
    /// The height of Go's tree for this part.
    pub(super) height: u32,
    /// How many copies of its innermost part the counted repeats in it make: the most on any path.
    copies: u32,
    shape: Shape,
    level: Level,
}

/// What Go makes of a part: runs of literals become one, and what is of one kind with its parent melts into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Literal { fold: bool },
    Concat,
    Alternate,
    Other,
}

/// How tightly `text` holds together; a group goes around what holds less tightly than its place needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Alternation,
    Sequence,
    Atom,
}

impl Item {
    /// The empty match.
    pub(super) fn empty() -> Self {
        Self { level: Level::Sequence, ..Self::atom(String::new()) }
    }

    /// What is complete in itself: a class, a dot.
    pub(super) fn atom(text: String) -> Self {
        Self { text, needs_bracket: false, height: 1, copies: 1, shape: Shape::Other, level: Level::Atom }
    }

    /// An assertion. In a group when repeated: Rust's parser is particular about repeated assertions.
    pub(super) fn assertion(text: &str) -> Self {
        Self { level: Level::Sequence, ..Self::atom(text.to_owned()) }
    }

    /// One character, by its code point, which may be a surrogate.
    pub(super) fn literal(rune: u32, fold: bool) -> Self {
        let text = match char::from_u32(rune) {
            None => NOTHING.to_owned(),
            Some(c) if fold => format!("(?i:{})", regex::escape(c.encode_utf8(&mut [0; 4]))),
            Some(c) => regex::escape(c.encode_utf8(&mut [0; 4])),
        };
        Self {
            needs_bracket: rune == u32::from('(') || rune == u32::from(')'),
            shape: Shape::Literal { fold },
            ..Self::atom(text)
        }
    }

    /// `items`, one after the other.
    pub(super) fn concat(items: Vec<Self>) -> Self {
        let shape = match items.first() {
            None => return Self::empty(),
            Some(first @ Self { shape: Shape::Literal { .. }, .. })
                if items.iter().all(|item| item.shape == first.shape) =>
            {
                first.shape
            }
            Some(_) => Shape::Concat,
        };
        Self::joined(items, "", shape, Level::Sequence)
    }

    /// One of `items`.
    pub(super) fn alternate(items: Vec<Self>) -> Self {
        Self::joined(items, "|", Shape::Alternate, Level::Alternation)
    }

    fn joined(mut items: Vec<Self>, separator: &str, shape: Shape, level: Level) -> Self {
        if items.len() == 1 {
            return items.swap_remove(0);
        }
        let below = items.iter().map(|item| item.height - u32::from(item.shape == shape)).max().unwrap_or(0);
        let brackets = |item: &Self| item.needs_bracket;
        let mut text = String::new();
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                text.push_str(separator);
            }
            item.write(level, &mut text);
        }
        Self {
            text,
            needs_bracket: match level {
                Level::Alternation => items.iter().all(brackets),
                _ => items.iter().any(brackets),
            },
            height: below + 1,
            copies: items.iter().map(|item| item.copies).max().unwrap_or(1),
            shape,
            level,
        }
    }

    /// A group around this that captures: no difference to the match, but a level to Go.
    pub(super) fn captured(self) -> Self {
        Self { height: self.height + 1, shape: Shape::Other, ..self }
    }

    /// This, `min` to `max` times.
    pub(super) fn repeated(self, min: u32, max: Option<u32>, counted: bool) -> Self {
        let mut text = String::new();
        self.write(Level::Atom, &mut text);
        match (min, max) {
            (0, None) => text.push('*'),
            (1, None) => text.push('+'),
            (0, Some(1)) => text.push('?'),
            // Writing to a string cannot fail.
            (min, None) => drop(write!(text, "{{{min},}}")),
            (min, Some(max)) => drop(write!(text, "{{{min},{max}}}")),
        }
        let copies = match (counted, max) {
            (false, _) => self.copies,
            (true, Some(0)) => 1,
            (true, max) => self.copies.saturating_mul(max.unwrap_or(min).max(1)),
        };
        Self {
            text,
            needs_bracket: self.needs_bracket && min > 0,
            height: self.height + 1,
            copies,
            shape: Shape::Other,
            level: Level::Sequence,
        }
    }

    /// Whether Go takes the counted repeats in this: no more than a thousand copies of anything.
    pub(super) fn few_copies(&self) -> bool {
        self.copies <= 1000
    }

    /// Appends the text, in a group if it does not hold together at `level`.
    fn write(&self, level: Level, text: &mut String) {
        if self.level < level {
            text.push_str("(?:");
            text.push_str(&self.text);
            text.push(')');
        } else {
            text.push_str(&self.text);
        }
    }
}
