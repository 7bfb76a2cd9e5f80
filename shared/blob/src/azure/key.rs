//! How keys are spelt in a container: as gocloud.dev's `azureblob` spells them, so that its containers work.
//!
//! The bytes 0 to 31, `"`, `#`, `%`, `?`, `\` and 127, the slash of `../` and a slash at the end become `__0x<hex>__`
//! (gocloud.dev v0.40, `blob/azureblob`, `escapeKey`). Keys of profiles never need it.

use crate::escape;

/// The key as it stands in the container.
pub(super) fn escape(key: &str) -> String {
    escape::escape(key, |at, c| is_escaped(c) || (c == '/' && at + 1 == key.len()))
}

/// A prefix of keys as it stands in the container: a slash at the end of it is one between two names.
pub(super) fn escape_prefix(prefix: &str) -> String {
    escape::escape(prefix, |_, c| is_escaped(c))
}

fn is_escaped(c: char) -> bool {
    c < ' ' || matches!(c, '"' | '#' | '%' | '?' | '\\' | '\u{7f}')
}

/// The key that stands in the container as `escaped`.
pub(super) fn unescape(escaped: &str) -> String {
    escape::unescape(escaped, escape)
}

/// A key as the path of a URL: percent-encoded, the slashes kept.
pub(super) fn encode(key: &str) -> String {
    escape::percent(key, b"/")
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
    fn a_key_in_a_url_is_encoded_but_for_its_slashes() {
        assert_eq!(encode("a b/c+d~\u{e9}:@&=(1)"), "a%20b/c%2Bd~%C3%A9%3A%40%26%3D%281%29");
    }
}
