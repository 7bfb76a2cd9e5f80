//! What stands in the headers of a message
//! (<https://learn.microsoft.com/rest/api/servicebus/message-headers-and-properties>).

use std::fmt::Write;
use std::time::Duration;

use autopgo_core::clock::since;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{DATE, HeaderMap};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The header with everything that the broker has to know.
pub(super) const PROPERTIES: &str = "BrokerProperties";

/// A message's ids and partition keys are no longer than this
/// (<https://learn.microsoft.com/azure/service-bus-messaging/service-bus-quotas>).
const LONGEST: usize = 128;

/// A lock lasts so long at the most, and so long at the least as whole seconds can tell
/// (<https://learn.microsoft.com/azure/service-bus-messaging/message-transfers-locks-settlement>).
const HOLD: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const OF_A_PATH: AsciiSet = UNRESERVED.remove(b'/');

/// Encodes for a URL; a path keeps its slashes.
pub(super) fn encode(text: &str, is_path: bool) -> String {
    utf8_percent_encode(text, if is_path { &OF_A_PATH } else { &UNRESERVED }).to_string()
}

/// The properties of a message that is sent. Its id is made of its body: one that is sent again because its confirmation
/// was lost is dropped by a topic that detects duplicates.
pub(super) fn sent(key: &str, body: &[u8]) -> String {
    let id = hex(body);
    // No name of an application is that long; whatever is, goes by its hash.
    let key = if key.chars().count() > LONGEST { hex(key.as_bytes()) } else { key.to_owned() };
    let properties = json!({"MessageId": id, "PartitionKey": key}).to_string();
    // A header is ASCII.
    let mut text = String::with_capacity(properties.len());
    for unit in properties.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => text.push(char::from(byte)),
            _ => {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What is to be known of a message that was received, and locked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Locked {
    /// By what it is settled: `SEQUENCE/TOKEN`, the end of its URL; and behind a `#`, how often it has been delivered.
    pub(super) receipt: String,
    /// How long the lock lasts, if it can be told.
    pub(super) hold: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    /// A number; of a partitioned topic, one of 64 bits.
    sequence_number: Value,
    lock_token: String,
    locked_until_utc: Option<String>,
    /// This delivery counts.
    delivery_count: Option<Value>,
}

/// Reads the headers of a message; `None` if they do not say what is needed to settle it.
pub(super) fn locked(headers: &HeaderMap, now: Timestamp) -> Option<Locked> {
    let properties = headers.get(PROPERTIES)?.as_bytes();
    let properties: Properties = serde_json::from_slice(properties).ok()?;
    let sequence = match properties.sequence_number {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text,
        _ => return None,
    };
    let place = format!("{}/{}", encode(&sequence, false), encode(&properties.lock_token, false));
    let count = properties.delivery_count.and_then(|count| count.as_u64()).unwrap_or(1);
    let receipt = format!("{place}#{count}");
    // By the clock of the service, if it shows it.
    let shown = headers.get(DATE).and_then(|date| date.to_str().ok()).and_then(time);
    let until = properties.locked_until_utc.as_deref().and_then(time);
    let hold = until.map(|until| since(shown.unwrap_or(now), until).clamp(HOLD.0, HOLD.1));
    Some(Locked { receipt, hold })
}

/// The end of the URL of the message that a receipt is for.
pub(super) fn place(receipt: &str) -> &str {
    receipt.split_once('#').map_or(receipt, |(place, _)| place)
}

/// How often the message that a receipt is for has been delivered.
pub(super) fn deliveries(receipt: &str) -> u32 {
    receipt.split_once('#').and_then(|(_, count)| count.parse().ok()).unwrap_or(1)
}

/// As HTTP writes times, or as ISO 8601 does.
fn time(text: &str) -> Option<Timestamp> {
    let http = jiff::fmt::rfc2822::parse(text).ok().map(|time| time.timestamp());
    http.or_else(|| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn what_is_sent_is_keyed_and_known_by_its_body() {
        assert_eq!(
            sent("hello-world", b"{}"),
            r#"{"MessageId":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","PartitionKey":"hello-world"}"#
        );
        let strange = sent("é☺𝄞\"", b"");
        assert!(strange.contains(r#""PartitionKey":"\u00e9\u263a\ud834\udd1e\"""#), "{strange}");
        let back: Value = serde_json::from_str(&strange).expect("JSON");
        assert_eq!(back["PartitionKey"], "é☺𝄞\"");
        let long: Value = serde_json::from_str(&sent(&"x".repeat(129), b"")).expect("JSON");
        assert_eq!(long["PartitionKey"].as_str().expect("a text").len(), 64);
    }

    /// The first is the example of "Peek-Lock Message (Non-Destructive Read)" on Microsoft Learn.
    #[test]
    fn what_comes_says_how_to_settle_it() {
        let now: Timestamp = "2014-07-02T01:32:30Z".parse().expect("a time");
        let example = r#"{"DeliveryCount":1,"EnqueuedSequenceNumber":0,"EnqueuedTimeUtc":"Wed, 02 Jul 2014 01:32:27 GMT","Label":"M1","LockToken":"7da9cfd5-40d5-4bb1-8d64-ec5a52e1c547","LockedUntilUtc":"Wed, 02 Jul 2014 01:33:27 GMT","MessageId":"31907572164743c38741631acd554d6f","SequenceNumber":2,"State":"Active","TimeToLive":10}"#;
        let partitioned = r#"{"DeliveryCount":7,"LockToken":"t","LockedUntilUtc":"2014-07-02T01:32:40.5Z","SequenceNumber":36028797018963969}"#;
        for (properties, date, receipt, hold) in [
            (
                example,
                Some("Wed, 02 Jul 2014 01:32:27 GMT"),
                "2/7da9cfd5-40d5-4bb1-8d64-ec5a52e1c547#1",
                Some(60_000),
            ),
            (example, None, "2/7da9cfd5-40d5-4bb1-8d64-ec5a52e1c547#1", Some(57_000)),
            (
                example,
                Some("Wed, 02 Jul 2014 02:00:00 GMT"),
                "2/7da9cfd5-40d5-4bb1-8d64-ec5a52e1c547#1",
                Some(1_000),
            ),
            (partitioned, None, "36028797018963969/t#7", Some(10_500)),
            (r#"{"LockToken":"t","SequenceNumber":"3"}"#, None, "3/t#1", None),
            (
                r#"{"LockToken":"t/../x","SequenceNumber":3,"LockedUntilUtc":"soon"}"#,
                None,
                "3/t%2F..%2Fx#1",
                None,
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(PROPERTIES, HeaderValue::from_str(properties).expect("a header"));
            if let Some(date) = date {
                headers.insert(DATE, HeaderValue::from_static(date));
            }
            let expected = Locked { receipt: receipt.to_owned(), hold: hold.map(Duration::from_millis) };
            assert_eq!(locked(&headers, now), Some(expected), "{properties}");
            let (place_in, count) = receipt.split_once('#').expect("a count");
            assert_eq!((place(receipt), deliveries(receipt).to_string().as_str()), (place_in, count));
        }
        for properties in [r#"{"SequenceNumber":2}"#, r#"{"LockToken":"t"}"#, "[]", "x"] {
            let mut headers = HeaderMap::new();
            headers.insert(PROPERTIES, HeaderValue::from_str(properties).expect("a header"));
            assert_eq!(locked(&headers, now), None, "{properties}");
        }
        assert_eq!(locked(&HeaderMap::new(), now), None);
    }
}
