//! How a body stands in a message of SNS or SQS: as gocloud.dev v0.40 (`pubsub/awssnssqs`) writes and reads it.
//!
//! Text stands as it is. What is no text that these services carry is encoded in base64, and an attribute says so; its
//! mere presence does, whatever its value. What SNS hands to a queue without raw delivery is wrapped in JSON, attributes
//! and all.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde_json::Value;

/// The attribute of a body in base64.
pub const ENCODED: &str = "base64encoded";

/// As lenient as Go's decoder and a little more: without padding, and whatever the bits beyond the last byte are.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The text that stands for `body`, and whether it is encoded.
pub fn encode(body: &[u8]) -> (String, bool) {
    match std::str::from_utf8(body) {
        Ok(text) if !text.is_empty() && text.chars().all(is_carried) => (text.to_owned(), false),
        _ => (BASE64.encode(body), true),
    }
}

/// Whether the services carry this character: those of XML 1.0 (SQS API reference, `SendMessage`).
fn is_carried(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// The body of a message that a queue gave with these attributes. With `raw`, nothing is unwrapped.
pub fn decode(text: String, attributes: &[&str], raw: bool) -> Bytes {
    let has_attributes = !attributes.is_empty();
    let encoded = attributes.contains(&ENCODED);
    // What has attributes of its own is not wrapped: SNS puts them into the wrapping.
    let (text, encoded) = match (!raw && !has_attributes).then(|| unwrap(&text)).flatten() {
        Some(inner) => inner,
        None => (text, encoded),
    };
    if encoded {
        // Go's decoder skips the ends of lines.
        let compact: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        if let Ok(bytes) = BASE64.decode(compact) {
            return bytes.into();
        }
    }
    text.into()
}

/// What SNS wrapped, and whether it is encoded.
fn unwrap(text: &str) -> Option<(String, bool)> {
    let Value::Object(mut wrapping) = serde_json::from_str(text).ok()? else { return None };
    if wrapping.get("TopicArn")?.as_str()?.is_empty() {
        return None;
    }
    let encoded =
        wrapping.get("MessageAttributes").is_some_and(|attributes| attributes.get(ENCODED).is_some());
    match wrapping.remove("Message")? {
        Value::String(message) => Some((message, encoded)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stands_as_it_is_and_the_rest_in_base64() {
        for (body, text, encoded) in [
            (&b"{\"id\":\"\xc3\xa9\"}\n"[..], "{\"id\":\"\u{e9}\"}\n", false),
            ("\u{1f600}\t\r\u{fffd}".as_bytes(), "\u{1f600}\t\r\u{fffd}", false),
            (b"\xff\x00", "/wA=", true),
            (b"a\0", "YQA=", true),
            (b"\x1b", "Gw==", true),
            ("\u{ffff}".as_bytes(), "77+/", true),
            (b"", "", true),
        ] {
            assert_eq!(encode(body), (text.to_owned(), encoded), "{body:?}");
            let attributes: &[&str] = if encoded { &[ENCODED] } else { &[] };
            assert_eq!(decode(text.to_owned(), attributes, false), body, "{body:?}");
        }
    }

    #[test]
    fn base64_is_read_leniently_or_not_at_all() {
        for (text, body) in
            [("aGk=", "hi"), ("aGk", "hi"), ("aG\r\nk=", "hi"), ("aGl=", "hi"), ("a", "a"), ("{}", "{}")]
        {
            assert_eq!(decode(text.to_owned(), &[ENCODED], false), body, "{text:?}");
        }
    }

    /// A message as a queue gives it, in `tests/fixtures/messages/aws`, and what its body is.
    #[test]
    fn every_shape_of_the_wire_is_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/messages/aws");
        let files: Vec<_> =
            std::fs::read_dir(folder).expect(folder).map(|file| file.expect("a file")).collect();
        assert!(files.len() >= 25, "{} files", files.len());
        for file in files {
            let text = std::fs::read_to_string(file.path()).expect("a text");
            let fixture: Value = serde_json::from_str(&text).expect("JSON");
            let message = &fixture["message"];
            let attributes = message["MessageAttributes"].as_object();
            let attributes: Vec<&str> =
                attributes.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            let body = message["Body"].as_str().expect("a body").to_owned();
            let read = decode(body, &attributes, fixture["raw"].as_bool().expect("raw"));
            let expected = fixture["body"].as_str().expect("what it is");
            assert_eq!(read, expected, "{}: {}", file.path().display(), fixture["why"]);
        }
    }
}
