//! How keys are spelt in a bucket: as gocloud.dev's `gcsblob` spells them, so that its buckets work.
//!
//! A line feed, a carriage return and the slash of `../` become `__0x<hex>__` (gocloud.dev v0.40, `blob/gcsblob`,
//! `escapeKey`, and `internal/escape`). Keys of profiles never need it.

use std::fmt::Write;

/// The key as it stands in the bucket.
pub(super) fn escape(key: &str) -> String {
    let mut escaped = String::with_capacity(key.len());
    for c in key.chars() {
        let parent = c == '/' && escaped.ends_with("..");
        if matches!(c, '\n' | '\r') || parent {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "__{:#x}__", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// The key that stands in the bucket as `escaped`. What only looks like an escape, because [`escape`] would not have
/// made it, is left as it is, so that each object is listed under the key that finds it.
pub(super) fn unescape(escaped: &str) -> String {
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
                // One underscore at a time: `___0xa__` has its escape behind the first.
                key.push('_');
                rest = &from[1..];
            }
        }
    }
    key.push_str(rest);
    if escape(&key) == escaped { key } else { escaped.to_owned() }
}

/// Reads one escape from the start of `text`.
fn read(text: &str) -> Option<(char, &str)> {
    let (hex, after) = text.strip_prefix("__0x")?.split_once("__")?;
    let c = u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)?;
    Some((c, after))
}

/// A name as one segment of a path: everything but what never needs it is percent-encoded, slashes too
/// (<https://cloud.google.com/storage/docs/request-endpoints#encoding>).
pub(super) fn segment(name: &str) -> String {
    let mut segment = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            segment.push(char::from(byte));
        } else {
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_escaped_as_the_original_does() {
        for (key, escaped) in [
            ("checkout/staging/1730075435311000000", "checkout/staging/1730075435311000000"),
            ("a\nb\r", "a__0xa__b__0xd__"),
            ("\0\t", "\0\t"),
            ("../x", "..__0x2f__x"),
            ("a/../b/..", "a/..__0x2f__b/.."),
            (".../", "...__0x2f__"),
            ("../../x", "..__0x2f__..__0x2f__x"),
            ("d\u{e9}j\u{e0}", "d\u{e9}j\u{e0}"),
        ] {
            assert_eq!(escape(key), escaped, "{key:?}");
            assert_eq!(unescape(escaped), key, "{escaped:?}");
        }
    }

    #[test]
    fn what_is_no_escape_of_ours_means_itself() {
        for key in
            ["__0x", "__0x__", "__0x9__", "__0x41__", "a__0x2f__b", "__0xzz__", "__0x110000__", "é__0x"]
        {
            assert_eq!(unescape(key), key);
        }
        assert_eq!(unescape("___0xa__"), "_\n");
    }

    #[test]
    fn a_name_is_one_segment() {
        assert_eq!(segment("a b/c+d%\u{e9}?#~"), "a%20b%2Fc%2Bd%25%C3%A9%3F%23~");
    }
}
