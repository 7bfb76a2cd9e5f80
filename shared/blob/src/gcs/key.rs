//! How keys are spelt in a bucket: as gocloud.dev's `gcsblob` spells them, so that its buckets work.
//!
//! A line feed, a carriage return and the slash of `../` become `__0x<hex>__` (gocloud.dev v0.40, `blob/gcsblob`,
//! `escapeKey`). Keys of profiles never need it.

use crate::escape;

/// The key as it stands in the bucket.
pub(super) fn escape(key: &str) -> String {
    escape::escape(key, |_, c| matches!(c, '\n' | '\r'))
}

/// The key that stands in the bucket as `escaped`.
pub(super) fn unescape(escaped: &str) -> String {
    escape::unescape(escaped, escape)
}

/// A name as one segment of a path: everything but what never needs it is percent-encoded, slashes too
/// (<https://cloud.google.com/storage/docs/request-endpoints#encoding>).
pub(super) fn segment(name: &str) -> String {
    escape::percent(name, b"")
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
    fn a_name_is_one_segment() {
        assert_eq!(segment("a b/c+d%\u{e9}?#~"), "a%20b%2Fc%2Bd%25%C3%A9%3F%23~");
    }
}
