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
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::Value;

    use super::*;

    /// What gocloud.dev put on the wire, in `tests/fixtures/messages/nats`, in both versions and with metadata too.
    #[test]
    fn what_the_original_publishes_is_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/messages/nats");
        let mut names = Vec::new();
        for file in std::fs::read_dir(folder).expect(folder) {
            let path = file.expect("a file").path();
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect("a text");
            let fixture: Value = serde_json::from_str(&text).expect("JSON");
            let message = &fixture["message"];
            let payload = STANDARD.decode(message["payload"].as_str().expect("a payload")).expect("base64");
            let body = fixture["body"].as_str().expect("what is in it");
            assert_eq!(of(payload.clone().into(), name.starts_with("v2")), body, "{name}");
            // What is neither wrapped nor has headers is the same in both versions.
            let is_plain = payload == body.as_bytes() && message["headers"].is_null();
            assert_eq!(is_plain, !name.ends_with("metadata"), "{name}");
            names.push(name);
        }
        assert_eq!(names.len(), 8, "{names:?}");
    }

    #[test]
    fn ours_are_as_they_are_in_both_versions() {
        for body in ["", r#"{"id":"1"}"#, " {}\n", "rubbish", "\u{1}\u{2}"] {
            for v2 in [false, true] {
                assert_eq!(of(Bytes::from(body), v2), body);
            }
        }
    }
}
