//! How gocloud.dev spells what a key may not have, and how URLs do (gocloud.dev v0.40, `internal/escape`): what is escaped
//! differs by store, how it is escaped does not. Keys of profiles never need it.

use std::fmt::Write;

/// `key` with each character that `wants` it as `__0x<hex>__`, and so the slash of each `../`. `wants` is told where the
/// character stands.
pub(crate) fn escape(key: &str, wants: impl Fn(usize, char) -> bool) -> String {
    let mut escaped = String::with_capacity(key.len());
    for (at, c) in key.char_indices() {
        let parent = c == '/' && escaped.ends_with("..");
        if parent || wants(at, c) {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "__{:#x}__", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// The key that stands in a bucket as `escaped`. What only looks like an escape, because `again` would not have made it, is
/// left as it is, so that each object is listed under the key that finds it.
pub(crate) fn unescape(escaped: &str, again: impl Fn(&str) -> String) -> String {
    let mut key = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some(at) = rest.find("__0x") {
        let (before, from) = rest.split_at(at);
        key.push_str(before);
        match read(from) {
            Some((c, after)) => {
                key.push(c);
                rest = after;
            }
            None => {
                // One underscore at a time: `___0x2f__` has its escape behind the first.
                key.push('_');
                rest = &from[1..];
            }
        }
    }
    key.push_str(rest);
    if again(&key) == escaped { key } else { escaped.to_owned() }
}

/// Reads one escape from the start of `text`.
fn read(text: &str) -> Option<(char, &str)> {
    let (hex, after) = text.strip_prefix("__0x")?.split_once("__")?;
    let c = u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)?;
    Some((c, after))
}

/// `text` percent-encoded, but for what RFC 3986 never reserves and the characters of `kept`.
pub(crate) fn percent(text: &str, kept: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(key: &str) -> String {
        escape(key, |_, c| c == '\n')
    }

    #[test]
    fn what_is_no_escape_of_ours_means_itself() {
        for key in [
            "__0x",
            "__0x__",
            "__0x9__",
            "__0x41__",
            "a__0x2f__b",
            "__0xzz__",
            "___0xa",
            "__0x110000__",
            "\u{e9}__0x",
        ] {
            assert_eq!(unescape(key, ours), key);
        }
        assert_eq!(unescape("___0xa__", ours), "_\n");
        assert_eq!(unescape("..__0x2f__", ours), "../");
    }
}
