//! What a message holds. Ours are plain JSON, in both versions of the encoding that the Go original knows; and what
//! others write is read as leniently as it can be.
//!
//! In the first version a message with metadata is a map and a body in Go's gob encoding, and one without is the body
//! as it is (gocloud.dev v0.40.0, `pubsub/natspubsub`). In the second metadata are headers, of which we need none:
//! Go refuses a message whose headers it cannot unescape, and here nobody looks.

use bytes::Bytes;

use super::gob;

/// The body in `payload`.
pub(super) fn of(payload: Bytes, v2: bool) -> Bytes {
    let wrapped = if v2 { None } else { gob::body_behind_a_map(&payload) };
    match wrapped {
        Some(range) => payload.slice(range),
        None => payload,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_as_they_are_in_both_versions() {
        for body in ["", r#"{"id":"1"}"#, " {}\n", "rubbish", "\u{1}\u{2}"] {
            for v2 in [false, true] {
                assert_eq!(of(Bytes::from(body), v2), body);
            }
        }
    }
}
