//! How keys are spelt in a bucket: as gocloud.dev's `s3blob` spells them, so that its buckets work.
//!
//! The bytes 0 to 31 and the slash of `../` become `__0x<hex>__` (gocloud.dev v0.40, `blob/s3blob`, `escapeKey`). Keys of profiles never need it.

use crate::escape;

/// The key as it stands in the bucket.
pub(super) fn escape(key: &str) -> String {
    escape::escape(key, |_, c| c < ' ')
}

/// The key that stands in the bucket as `escaped`.
pub(super) fn unescape(escaped: &str) -> String {
    escape::unescape(escaped, escape)
}

/// A bucket and a key as the source of a copy is named: percent-encoded, the slashes kept
/// (Amazon S3 API reference, `CopyObject`, `x-amz-copy-source`).
pub(super) fn source(bucket: &str, key: &str) -> String {
    escape::percent(&format!("{bucket}/{key}"), b"/")
}

/// Undoes the encoding of keys in a listing that was asked for in `encoding-type=url`: form-encoded, so that `+` is a
/// space. `None` for what is not so encoded.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_escaped_as_the_original_does() {
        for (key, escaped) in [
            ("checkout/staging/1730075435311000000", "checkout/staging/1730075435311000000"),
            ("a\nb", "a__0xa__b"),
            ("\0", "__0x0__"),
            ("../x", "..__0x2f__x"),
            ("a/../b/..", "a/..__0x2f__b/.."),
            (".../", "...__0x2f__"),
            ("../../x", "..__0x2f__..__0x2f__x"),
            ("\u{7f}d\u{e9}j\u{e0}", "\u{7f}d\u{e9}j\u{e0}"),
        ] {
            assert_eq!(escape(key), escaped, "{key:?}");
            assert_eq!(unescape(escaped), key, "{escaped:?}");
        }
    }

    #[test]
    fn sources_and_listings_are_encoded() {
        assert_eq!(source("b", "a b/c+d%\u{e9}"), "b/a%20b/c%2Bd%25%C3%A9");
        assert_eq!(decode("a+b/c%2Bd%25%C3%A9").as_deref(), Some("a b/c+d%\u{e9}"));
        assert_eq!((decode("%4"), decode("%zz"), decode("%ff")), (None, None, None));
    }
}
