//! Classes: `[...]`, the Perl ones `\d \s \w`, the POSIX ones `[:alpha:]`. Each is a set, kept as the items of a class
//! in Rust's syntax, every range spelled out.

use std::fmt::Write;

use super::escape::{self, Escape};
use super::item::{Item, NOTHING};
use super::{Refusal, unicode};

/// Go's code for ranges and names of classes.
pub(super) const INVALID_RANGE: &str = "invalid character class range";

/// A set of characters.
#[derive(Debug, Default)]
pub(super) struct Set {
    negated: bool,
    /// The items, as they stand between the brackets of a class in Rust's syntax.
    items: String,
    /// Whether anything is in it that is no round bracket.
    others: bool,
}

impl Set {
    /// Adds the characters from `low` to `high`. No text holds a surrogate, and Rust's syntax cannot name one.
    pub(super) fn add(&mut self, low: u32, high: u32) {
        let low = if (0xd800..0xe000).contains(&low) { 0xe000 } else { low };
        let high = if (0xd800..0xe000).contains(&high) { 0xd7ff } else { high };
        if low <= high {
            self.others |= low < u32::from('(') || high > u32::from(')');
            // Writing to a string cannot fail.
            let _ = write!(self.items, r"\x{{{low:X}}}-\x{{{high:X}}}");
        }
    }

    /// Adds what `class` is, a class complete in itself.
    pub(super) fn add_class(&mut self, class: &str) {
        self.others = true;
        self.items.push_str(class);
    }

    /// Adds `ranges`, or all but them.
    fn add_ranges(&mut self, ranges: &[(char, char)], negated: bool) {
        let mut group = Self { negated, ..Self::default() };
        for (low, high) in ranges {
            group.add(u32::from(*low), u32::from(*high));
        }
        self.add_class(&group.text());
    }

    fn text(&self) -> String {
        match (self.items.is_empty(), self.negated) {
            (true, true) => r"[\x00-\x{10FFFF}]".to_owned(),
            (true, false) => NOTHING.to_owned(),
            (false, true) => format!("[^{}]", self.items),
            (false, false) => format!("[{}]", self.items),
        }
    }

    /// The set as an item. With `fold` the other case of each character belongs to it, before any negation.
    pub(super) fn item(&self, fold: bool) -> Item {
        let text = if fold { format!("(?i:{})", self.text()) } else { self.text() };
        let mut item = Item::atom(text);
        item.needs_bracket = !self.negated && !self.others && !self.items.is_empty();
        item
    }
}

/// Reads the class that `text` begins with; also gives its length.
///
/// # Errors
/// What Go refuses in a class.
pub(super) fn parse(text: &str) -> Result<(Set, usize), Refusal> {
    let negated = text.starts_with("[^");
    let mut set = Set { negated, ..Set::default() };
    let mut at = if negated { 2 } else { 1 };
    // A bracket that comes first is an ordinary character.
    let mut first = true;
    while first || !text[at..].starts_with(']') {
        first = false;
        let rest = &text[at..];
        let group = match posix(rest, &mut set)? {
            Some(length) => Some(length),
            None => unicode::parse(rest, &mut set)?,
        };
        if let Some(length) = group.or_else(|| perl(rest, &mut set)) {
            at += length;
            continue;
        }
        let low = character(rest, text)?;
        at += low.length;
        let mut high = low.rune;
        // `[a-]` is an `a` and a `-`.
        let after = &text[at..];
        if after.len() >= 2 && after.starts_with('-') && !after.starts_with("-]") {
            let end = character(&after[1..], text)?;
            at += 1 + end.length;
            high = end.rune;
            if high < low.rune {
                return Err(Refusal::new(INVALID_RANGE, &rest[..low.length + 1 + end.length]));
            }
        }
        set.add(low.rune, high);
    }
    Ok((set, at + 1))
}

/// One character of a class, escaped or not.
fn character(text: &str, class: &str) -> Result<Escape, Refusal> {
    match text.chars().next() {
        None => Err(Refusal::new("missing closing ]", class)),
        Some('\\') => escape::parse(text),
        Some(c) => Ok(Escape { rune: c.into(), length: c.len_utf8() }),
    }
}

/// Adds the Perl class that `text` begins with, if it does, and gives its length. All of ASCII in Go.
pub(super) fn perl(text: &str, set: &mut Set) -> Option<usize> {
    let name = text.strip_prefix('\\')?.chars().next()?;
    let ranges: &[(char, char)] = match name.to_ascii_lowercase() {
        'd' => &[('0', '9')],
        's' => &[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')],
        'w' => &WORD,
        _ => return None,
    };
    set.add_ranges(ranges, name.is_ascii_uppercase());
    Some(2)
}

const WORD: [(char, char); 4] = [('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

/// Adds the POSIX class that `text` begins with, if it does, and gives its length.
fn posix(text: &str, set: &mut Set) -> Result<Option<usize>, Refusal> {
    let Some(end) = text.strip_prefix("[:").and_then(|rest| rest.find(":]")) else { return Ok(None) };
    let length = 2 + end + 2;
    let name = &text[2..2 + end];
    let (name, negated) = match name.strip_prefix('^') {
        Some(name) => (name, true),
        None => (name, false),
    };
    let ranges: &[(char, char)] = match name {
        "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        "alpha" => &[('A', 'Z'), ('a', 'z')],
        "ascii" => &[('\0', '\x7f')],
        "blank" => &[('\t', '\t'), (' ', ' ')],
        "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
        "digit" => &[('0', '9')],
        "graph" => &[('!', '~')],
        "lower" => &[('a', 'z')],
        "print" => &[(' ', '~')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "space" => &[('\t', '\r'), (' ', ' ')],
        "upper" => &[('A', 'Z')],
        "word" => &WORD,
        "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => return Err(Refusal::new(INVALID_RANGE, &text[..length])),
    };
    set.add_ranges(ranges, negated);
    Ok(Some(length))
}
