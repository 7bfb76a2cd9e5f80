//! What a push of Pub/Sub brings: a request becomes the body that was published.
//!
//! Wrapped, as subscriptions push by default (<https://cloud.google.com/pubsub/docs/push#receive_push>); unwrapped, the
//! data alone, with the rest in headers if the subscription says so
//! (<https://cloud.google.com/pubsub/docs/payload-unwrapping>); or by Eventarc, as a CloudEvent whose data is the wrapped
//! form, mostly with the event's own fields in headers
//! (<https://cloud.google.com/eventarc/docs/cloudevents#pubsub>).
//!
//! Nothing is refused here. What cannot be read goes to the worker as it came, which says so and has it acknowledged: a
//! push that is refused comes again, for ever.

use axum::http::HeaderMap;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde_json::{Map, Value};

/// `data` is standard base64 with padding. One without is as clear.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Of an unwrapped message, if its subscription writes metadata.
const MESSAGE_ID: &str = "x-goog-pubsub-message-id";

/// A message that was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// As it was published.
    pub body: Bytes,
    /// What Pub/Sub calls it.
    pub id: Option<String>,
    /// Which delivery this is, on a subscription that counts them: one with a dead-letter topic.
    pub attempt: Option<u64>,
}

/// Reads a request.
pub fn decode(headers: &HeaderMap, body: Bytes) -> Pushed {
    let wrapped = serde_json::from_slice(&body).ok().and_then(unwrap);
    wrapped.unwrap_or_else(|| {
        let id = headers.get(MESSAGE_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
        Pushed { body, id, attempt: None }
    })
}

/// What is wrapped in this, unless nothing is: an envelope of ours, for one, has a type and no message.
fn unwrap(push: Value) -> Option<Pushed> {
    let Value::Object(mut push) = push else { return None };
    if push.contains_key("specversion")
        && let Some(data) = push.remove("data")
    {
        return unwrap(data);
    }
    if push.contains_key("type") {
        return None;
    }
    let Some(Value::Object(mut message)) = push.remove("message") else { return None };
    let data = match message.remove("data") {
        Some(Value::String(data)) => decoded(data),
        // One that has attributes alone has none.
        None | Some(Value::Null) => Bytes::new(),
        Some(other) => other.to_string().into(),
    };
    let id = text(&message, "messageId").or_else(|| text(&message, "message_id"));
    Some(Pushed { body: data, id, attempt: push.get("deliveryAttempt").and_then(Value::as_u64) })
}

/// What is no base64 is left as it is.
fn decoded(data: String) -> Bytes {
    let standard = |byte| match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => byte,
    };
    let text: Vec<u8> = data.bytes().filter(|byte| !byte.is_ascii_whitespace()).map(standard).collect();
    BASE64.decode(text).unwrap_or_else(|_| data.into_bytes()).into()
}

fn text(message: &Map<String, Value>, name: &str) -> Option<String> {
    message.get(name).and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use autopgo_core::event::Envelope;
    use axum::http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    /// A push as `tests/fixtures/events/gcp` has it.
    fn request(fixture: &Value) -> (HeaderMap, Bytes) {
        let headers = fixture["headers"].as_object().into_iter().flatten().map(|(name, value)| {
            let name: HeaderName = name.parse().expect("a name");
            (name, HeaderValue::from_str(value.as_str().expect("text")).expect("a value"))
        });
        let body = match &fixture["push"] {
            // What is no JSON, or must be as it is to the byte.
            Value::String(text) => text.clone(),
            json => json.to_string(),
        };
        (headers.collect(), body.into())
    }

    #[test]
    fn every_fixture_reads_as_it_says() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/events/gcp");
        let mut names = BTreeSet::new();
        for entry in std::fs::read_dir(&folder).expect("fixtures") {
            let path = entry.expect("an entry").path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect(&name);
            let fixture: Value = serde_json::from_str(&text).expect(&name);
            let (headers, body) = request(&fixture);
            let pushed = decode(&headers, body);
            let expected = &fixture["expect"];
            assert_eq!(
                String::from_utf8_lossy(&pushed.body),
                expected["body"].as_str().expect(&name),
                "{name}"
            );
            assert_eq!(pushed.id.as_deref(), expected["id"].as_str(), "{name}");
            assert_eq!(pushed.attempt, expected["attempt"].as_u64(), "{name}");
            let envelope = Envelope::decode(&pushed.body);
            assert_eq!(
                envelope.is_ok(),
                expected["envelope"].as_bool().expect(&name),
                "{name}: {envelope:?}"
            );
            names.insert(name);
        }
        assert!(names.len() >= 15, "only {names:?}");
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes: Vec<u8>) {
            let pushed = decode(&HeaderMap::new(), bytes.clone().into());
            prop_assert!(pushed.body == bytes || serde_json::from_slice::<Value>(&bytes).is_ok());
        }

        #[test]
        fn whatever_is_wrapped_comes_out(body: Vec<u8>, urls: bool, padded: bool, id: Option<String>) {
            use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
            let mut data = if urls { BASE64_URL_SAFE.encode(&body) } else { BASE64_STANDARD.encode(&body) };
            if !padded {
                data = data.trim_end_matches('=').to_owned();
            }
            let mut push = serde_json::json!({"message": {"data": data}, "subscription": "projects/p/subscriptions/s"});
            if let Some(id) = &id {
                push["message"]["messageId"] = id.as_str().into();
            }
            let pushed = decode(&HeaderMap::new(), push.to_string().into());
            prop_assert_eq!(pushed, Pushed { body: body.into(), id, attempt: None });
        }
    }
}
