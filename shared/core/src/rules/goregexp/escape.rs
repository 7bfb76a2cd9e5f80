//! Escapes that stand for one character, inside a class and outside. Octal and hexadecimal ones are code points.

use super::Refusal;

/// Go's code for an escape that it does not know.
pub(super) const INVALID: &str = "invalid escape sequence";

/// What an escape stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Escape {
    /// The code point, which may be a surrogate.
    pub(super) rune: u32,
    /// How many bytes the escape has, its backslash included.
    pub(super) length: usize,
}

/// Reads the escape that `text` begins with.
///
/// # Errors
/// Nothing after the backslash, or an escape that Go does not know.
pub(super) fn parse(text: &str) -> Result<Escape, Refusal> {
    let mut chars = text.chars();
    chars.next();
    let Some(c) = chars.next() else {
        return Err(Refusal::new("trailing backslash at end of expression", ""));
    };
    let rune = match c {
        '1'..='7' if !chars.as_str().starts_with(octal) => None,
        '0'..='7' => {
            let more = chars.as_str().chars().take(2).take_while(|c| octal(*c)).count();
            let digits = chars.by_ref().take(more);
            Some(digits.fold(digit(c, 8), |rune, c| rune * 8 + digit(c, 8)))
        }
        'x' => hexadecimal(&mut chars),
        'a' => Some(0x07),
        'f' => Some(0x0c),
        'n' => Some(0x0a),
        'r' => Some(0x0d),
        't' => Some(0x09),
        'v' => Some(0x0b),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c.into()),
        _ => None,
    };
    let length = text.len() - chars.as_str().len();
    rune.map(|rune| Escape { rune, length }).ok_or_else(|| Refusal::new(INVALID, &text[..length]))
}

/// What follows `\x`: two digits, or any number of them in braces. Stops behind the character that is wrong.
fn hexadecimal(chars: &mut std::str::Chars<'_>) -> Option<u32> {
    let first = chars.next()?;
    if first != '{' {
        let second = chars.next()?;
        return Some(first.to_digit(16)? * 16 + second.to_digit(16)?);
    }
    let mut rune = None;
    loop {
        match chars.next()? {
            '}' => return rune,
            c => {
                let next = rune.unwrap_or(0) * 16 + c.to_digit(16)?;
                rune = Some(next).filter(|rune| *rune <= u32::from(char::MAX));
                rune?;
            }
        }
    }
}

fn octal(c: char) -> bool {
    c.is_digit(8)
}

fn digit(c: char, radix: u32) -> u32 {
    c.to_digit(radix).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        for (text, rune, length) in [
            (r"\/x", 0x2f, 2),
            (r"\_", 0x5f, 2),
            (r"\<", 0x3c, 2),
            ("\\\n", 0x0a, 2),
            (r"\0", 0, 2),
            (r"\01", 1, 3),
            (r"\08", 0, 2),
            (r"\101", 0x41, 4),
            (r"\1011", 0x41, 4),
            (r"\777", 0o777, 4),
            (r"\18", 0, 0),
            (r"\12", 0o12, 3),
            (r"\x41", 0x41, 4),
            (r"\x{41}", 0x41, 6),
            (r"\x{000041}", 0x41, 10),
            (r"\x{D800}", 0xd800, 8),
            (r"\x{10FFFF}", 0x0010_ffff, 10),
        ] {
            match parse(text) {
                Ok(escape) => assert_eq!(escape, Escape { rune, length }, "{text}"),
                Err(_) => assert_eq!(length, 0, "{text}"),
            }
        }
    }
}
