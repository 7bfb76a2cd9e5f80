//! How keys are spelt in a container: as gocloud.dev's `azureblob` spells them, so that its containers work.
//!
//! The bytes 0 to 31, `"`, `#`, `%`, `?`, `\` and 127, the slash of `../` and a slash at the end become `__0x<hex>__`
//! (gocloud.dev v0.40, `blob/azureblob`, `escapeKey`, and `internal/escape`). Keys of profiles never need it.

use std::fmt::Write;

/// The key as it stands in the container.
pub(super) fn escape(key: &str) -> String {
    escaped(key, true)
}

/// A prefix of keys as it stands in the container: a slash at the end of it is one between two names.
pub(super) fn escape_prefix(prefix: &str) -> String {
    escaped(prefix, false)
}

fn escaped(text: &str, whole: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let parent = c == '/' && escaped.ends_with("..");
        let last = whole && c == '/' && at + 1 == text.len();
        if c < ' ' || matches!(c, '"' | '#' | '%' | '?' | '\\' | '\u{7f}') || parent || last {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "__{:#x}__", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// The key that stands in the container as `escaped`. What only looks like an escape, because [`escape`] would not have
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
                // One underscore at a time: `___0x2f__` has its escape behind the first.
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

/// A key as the path of a URL: percent-encoded, the slashes kept.
pub(super) fn encode(key: &str) -> String {
    let mut encoded = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
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

    #[test]
    fn keys_are_escaped_as_the_original_does() {
        for (key, escaped) in [
            ("checkout/staging/1730075435311000000", "checkout/staging/1730075435311000000"),
            ("a\nb", "a__0xa__b"),
            ("\0\u{1f}", "__0x0____0x1f__"),
            ("a\"#%?\\\u{7f}z", "a__0x22____0x23____0x25____0x3f____0x5c____0x7f__z"),
            ("../x", "..__0x2f__x"),
            ("a/../b/..", "a/..__0x2f__b/.."),
            (".../", "...__0x2f__"),
            ("a/", "a__0x2f__"),
            ("d\u{e9}/", "d\u{e9}__0x2f__"),
            ("a//", "a/__0x2f__"),
            ("d\u{e9}j\u{e0} vu+", "d\u{e9}j\u{e0} vu+"),
        ] {
            assert_eq!(escape(key), escaped, "{key:?}");
            assert_eq!(unescape(escaped), key, "{escaped:?}");
        }
        for (prefix, escaped) in [("", ""), ("a/", "a/"), ("a/../", "a/..__0x2f__"), ("50%/", "50__0x25__/")]
        {
            assert_eq!(escape_prefix(prefix), escaped, "{prefix:?}");
        }
    }

    #[test]
    fn what_is_no_escape_of_ours_means_itself() {
        for key in
            ["__0x", "__0x__", "__0x41__", "a__0x2f__b", "__0xzz__", "___0xa", "__0x110000__", "\u{e9}__0x"]
        {
            assert_eq!(unescape(key), key);
        }
        assert_eq!(unescape("___0xa__"), "_\n");
    }

    #[test]
    fn a_key_in_a_url_is_encoded_but_for_its_slashes() {
        assert_eq!(encode("a b/c+d~\u{e9}:@&=(1)"), "a%20b/c%2Bd~%C3%A9%3A%40%26%3D%281%29");
    }
}
