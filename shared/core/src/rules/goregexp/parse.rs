//! The parser: Go's `regexp/syntax` with the flags `Perl`, from the outside in, on a stack of its own so that deep
//! nesting costs no stack of ours.

use super::class::{self, Set};
use super::escape::{self, Escape};
use super::item::{DEEPEST, Item};
use super::{Refusal, unicode};

type Result<T, E = Refusal> = std::result::Result<T, E>;

/// Reads `pattern` and writes it for Rust's engine.
///
/// # Errors
/// What Go refuses, as Go says it.
pub(super) fn parse(pattern: &str) -> Result<Item> {
    let flags = Flags { fold: false, multi_line: false, dot_newline: false };
    let mut parser = Parser { pattern, at: 0, flags, groups: Vec::new(), top: Group::new(flags, false) };
    let mut repeated_at = None;
    while parser.at < pattern.len() {
        let start = parser.at;
        let repeats = parser.step(repeated_at)?;
        repeated_at = repeats.then_some(start);
    }
    let whole = parser.finish_group()?;
    if parser.groups.is_empty() { Ok(whole) } else { Err(Refusal::new("missing closing )", pattern)) }
}

struct Parser<'p> {
    pattern: &'p str,
    at: usize,
    flags: Flags,
    /// The groups around the innermost open one.
    groups: Vec<Group>,
    top: Group,
}

/// The flags that change what matches. `U`, greed, is read and does nothing.
#[derive(Clone, Copy)]
struct Flags {
    fold: bool,
    multi_line: bool,
    dot_newline: bool,
}

/// An open group: the alternatives before the last `|`, and the items since.
struct Group {
    /// The flags outside it, to be restored at its end.
    outside: Flags,
    captures: bool,
    alternatives: Vec<Item>,
    items: Vec<Item>,
}

impl Group {
    fn new(outside: Flags, captures: bool) -> Self {
        Self { outside, captures, alternatives: Vec::new(), items: Vec::new() }
    }
}

impl Parser<'_> {
    /// Reads one thing; says whether it was a repetition. `repeated_at` is where the one just before began.
    fn step(&mut self, repeated_at: Option<usize>) -> Result<bool> {
        let rest = &self.pattern[self.at..];
        let Some(c) = rest.chars().next() else { return Ok(false) };
        let start = self.at;
        self.at += c.len_utf8();
        match c {
            '(' if rest.starts_with("(?") => self.perl_group(start)?,
            '(' => self.open(true),
            '|' => self.alternative()?,
            ')' => self.close()?,
            '^' if self.flags.multi_line => self.push(Item::assertion("(?m:^)"))?,
            '^' => self.push(Item::assertion(r"\A"))?,
            '$' if self.flags.multi_line => self.push(Item::assertion("(?m:$)"))?,
            '$' => self.push(Item::assertion(r"\z"))?,
            '.' if self.flags.dot_newline => self.push(Item::atom("(?s:.)".to_owned()))?,
            '.' => self.push(Item::atom(r"[^\n]".to_owned()))?,
            '[' => {
                let (set, length) = class::parse(rest)?;
                self.at = start + length;
                self.push_set(&set)?;
            }
            '*' => return self.repeat(0, None, false, start, repeated_at),
            '+' => return self.repeat(1, None, false, start, repeated_at),
            '?' => return self.repeat(0, Some(1), false, start, repeated_at),
            '{' => match counts(rest) {
                None => self.literal('{'.into())?,
                Some(Counts { min, max, length }) => {
                    self.at = start + length;
                    if min.max(max.unwrap_or(0)) > 1000 || max.is_some_and(|max| min > max) {
                        return Err(Refusal::new("invalid repeat count", &rest[..length]));
                    }
                    return self.repeat(min, max, true, start, repeated_at);
                }
            },
            '\\' => self.backslash(start)?,
            c => self.literal(c.into())?,
        }
        Ok(false)
    }

    /// What a backslash begins outside a class.
    fn backslash(&mut self, start: usize) -> Result<()> {
        let rest = &self.pattern[start..];
        let assertion = match rest.as_bytes().get(1) {
            Some(b'A') => Some(r"\A"),
            Some(b'z') => Some(r"\z"),
            // Words are of ASCII in Go.
            Some(b'b') => Some(r"(?-u:\b)"),
            Some(b'B') => Some(r"(?-u:\B)"),
            Some(b'C') => return Err(Refusal::new(escape::INVALID, &rest[..2])),
            Some(b'Q') => return self.quoted(start),
            _ => None,
        };
        if let Some(assertion) = assertion {
            self.at = start + 2;
            return self.push(Item::assertion(assertion));
        }
        let mut set = Set::default();
        if let Some(length) = unicode::parse(rest, &mut set)?.or_else(|| class::perl(rest, &mut set)) {
            self.at = start + length;
            return self.push_set(&set);
        }
        let Escape { rune, length } = escape::parse(rest)?;
        self.at = start + length;
        self.literal(rune)
    }

    /// `\Q...\E`, which begins at `start` and may lack its end: literals all.
    fn quoted(&mut self, start: usize) -> Result<()> {
        let quoted = &self.pattern[start + 2..];
        let (quoted, length) = match quoted.find(r"\E") {
            Some(end) => (&quoted[..end], end + 4),
            None => (quoted, quoted.len() + 2),
        };
        self.at = start + length;
        quoted.chars().try_for_each(|c| self.literal(c.into()))
    }

    /// `(?flags)`, `(?flags:`, `(?P<name>` or `(?<name>`, which begins at `start`.
    fn perl_group(&mut self, start: usize) -> Result<()> {
        let rest = &self.pattern[start..];
        let name_at = match rest.as_bytes() {
            [_, _, b'P', b'<', _, ..] => Some(4),
            [_, _, b'<', _, ..] => Some(3),
            _ => None,
        };
        if let Some(name_at) = name_at {
            let Some(end) = rest.find('>') else {
                return Err(Refusal::new("invalid named capture", rest));
            };
            let name = rest.get(name_at..end).unwrap_or_default();
            if name.is_empty() || !name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) {
                return Err(Refusal::new("invalid named capture", &rest[..=end]));
            }
            self.at = start + end + 1;
            self.open(true);
            return Ok(());
        }

        self.at = start + 2;
        let mut flags = self.flags;
        let (mut on, mut any) = (true, false);
        for (at, c) in rest.char_indices().skip(2) {
            self.at = start + at + c.len_utf8();
            match c {
                'i' => flags.fold = on,
                'm' => flags.multi_line = on,
                's' => flags.dot_newline = on,
                'U' => {}
                '-' if on => {
                    (on, any) = (false, false);
                    continue;
                }
                ':' | ')' if on || any => {
                    if c == ':' {
                        self.open(false);
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => break,
            }
            any = true;
        }
        Err(Refusal::new("invalid or unsupported Perl syntax", &self.pattern[start..self.at]))
    }

    fn open(&mut self, captures: bool) {
        let inner = Group::new(self.flags, captures);
        self.groups.push(std::mem::replace(&mut self.top, inner));
    }

    fn alternative(&mut self) -> Result<()> {
        let items = std::mem::take(&mut self.top.items);
        let alternative = self.sized(Item::concat(items))?;
        self.top.alternatives.push(alternative);
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        let inner = self.finish_group()?;
        let Some(outer) = self.groups.pop() else {
            return Err(Refusal::new("unexpected )", self.pattern));
        };
        let group = std::mem::replace(&mut self.top, outer);
        self.flags = group.outside;
        self.push(if group.captures { inner.captured() } else { inner })
    }

    /// All of the innermost group as one item.
    fn finish_group(&mut self) -> Result<Item> {
        self.alternative()?;
        let alternatives = std::mem::take(&mut self.top.alternatives);
        self.sized(Item::alternate(alternatives))
    }

    fn literal(&mut self, rune: u32) -> Result<()> {
        self.push(Item::literal(rune, self.flags.fold))
    }

    fn push_set(&mut self, set: &Set) -> Result<()> {
        self.push(set.item(self.flags.fold))
    }

    fn push(&mut self, item: Item) -> Result<()> {
        let item = self.sized(item)?;
        self.top.items.push(item);
        Ok(())
    }

    fn sized(&self, item: Item) -> Result<Item> {
        if item.height > DEEPEST {
            return Err(Refusal::new("expression nests too deeply", self.pattern));
        }
        Ok(item)
    }

    /// Repeats the last item, by an operator that began at `start` and has been read but for its `?`.
    fn repeat(
        &mut self,
        min: u32,
        max: Option<u32>,
        counted: bool,
        start: usize,
        repeated_at: Option<usize>,
    ) -> Result<bool> {
        if self.pattern[self.at..].starts_with('?') {
            self.at += 1;
        }
        if let Some(before) = repeated_at {
            return Err(Refusal::new("invalid nested repetition operator", &self.pattern[before..self.at]));
        }
        let operator = &self.pattern[start..self.at];
        let Some(item) = self.top.items.pop() else {
            return Err(Refusal::new("missing argument to repetition operator", operator));
        };
        let item = self.sized(item.repeated(min, max, counted))?;
        // Go looks only when this repeat itself makes copies.
        if counted && (min >= 2 || max.is_some_and(|max| max >= 2)) && !item.few_copies() {
            return Err(Refusal::new("invalid repeat count", operator));
        }
        self.top.items.push(item);
        Ok(true)
    }
}

/// `{min}`, `{min,}` or `{min,max}`, and its length.
struct Counts {
    min: u32,
    max: Option<u32>,
    length: usize,
}

/// Reads a counted repeat. What is not quite one is a literal brace to Go, thus `None`.
fn counts(text: &str) -> Option<Counts> {
    let inside = text.strip_prefix('{')?;
    let end = inside.find(|c: char| c != ',' && !c.is_ascii_digit())?;
    let inside = inside[end..].starts_with('}').then_some(&inside[..end])?;
    let (min, max) = match inside.split_once(',') {
        None => (count(inside)?, Some(count(inside)?)),
        Some((min, "")) => (count(min)?, None),
        Some((min, max)) => (count(min)?, Some(count(max)?)),
    };
    Some(Counts { min, max, length: inside.len() + 2 })
}

/// A decimal without leading zeros; one that is too large stays too large.
fn count(digits: &str) -> Option<u32> {
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    let number = !digits.is_empty() && !digits.contains(',');
    (number && !leading_zero).then(|| digits.parse().unwrap_or(u32::MAX))
}
