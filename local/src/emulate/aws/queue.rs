//! The queue: a topic of SNS hands on to it what was published, and Lambda's mapping gives it to the function in batches.

use std::collections::BTreeSet;

use autopgo_core::error::{Error, Kind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::{ACCOUNT, REGION};
use crate::emulate::message::Message;

const QUEUE: &str = "autopgo-worker";
const TOPIC: &str = "autopgo-events";

/// The event of a batch.
pub(super) fn event(messages: &[Message]) -> Value {
    json!({ "Records": messages.iter().map(record).collect::<Vec<_>>() })
}

fn record(message: &Message) -> Value {
    let body = notification(message).to_string();
    let first = message.first.as_millisecond();
    json!({
        "messageId": message.id.to_string(),
        "receiptHandle": STANDARD.encode(format!("{} {}", message.id, message.attempt)),
        "md5OfBody": md5(&body),
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": message.attempt.to_string(),
            "SentTimestamp": first.to_string(),
            "SenderId": "AIDAISMY7JYY5F7RTT6AO",
            "ApproximateFirstReceiveTimestamp": first.to_string(),
        },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{QUEUE}"),
        "awsRegion": REGION,
    })
}

/// What SNS makes of a message for a subscription without raw delivery. A message of it is text, always.
fn notification(message: &Message) -> Value {
    json!({
        "Type": "Notification",
        "MessageId": message.id.to_string(),
        "TopicArn": format!("arn:aws:sns:{REGION}:{ACCOUNT}:{TOPIC}"),
        "Message": String::from_utf8_lossy(&message.body),
        "Timestamp": message.first.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
        "SignatureVersion": "1",
        "Signature": STANDARD.encode("not signed"),
        "SigningCertURL": format!("https://sns.{REGION}.amazonaws.com/SimpleNotificationService-0.pem"),
        "UnsubscribeURL": format!("https://sns.{REGION}.amazonaws.com/?Action=Unsubscribe"),
    })
}

fn md5(text: &str) -> String {
    Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Which of `messages` the function's `answer` deletes from the queue, with `ReportBatchItemFailures`: all but those that
/// it names.
///
/// # Errors
/// The answer is none, or names what was not in the batch: the whole batch has failed then.
pub(super) fn done(messages: &[Message], answer: &[u8]) -> Result<Vec<bool>> {
    let wrong = |why: String| Error::new(Kind::Internal, format!("the function's answer to a batch {why}"));
    let answer: Value =
        serde_json::from_slice(answer).map_err(|error| wrong("is no JSON".to_owned()).because(error))?;
    let failures: &[Value] = match &answer {
        Value::Null => &[],
        Value::Object(fields) => match fields.get("batchItemFailures") {
            None | Some(Value::Null) => &[],
            Some(Value::Array(failures)) => failures,
            Some(_) => return Err(wrong("has batchItemFailures that are no list".to_owned())),
        },
        // Whatever else a function returns counts as a success.
        _ => &[],
    };
    let ids: Vec<String> = messages.iter().map(|message| message.id.to_string()).collect();
    let mut failed = BTreeSet::new();
    for failure in failures {
        let id = failure.get("itemIdentifier").and_then(Value::as_str);
        let place = id.and_then(|id| ids.iter().position(|known| known == id));
        failed.insert(place.ok_or_else(|| wrong(format!("names {failure}, which is not in the batch")))?);
    }
    Ok((0..messages.len()).map(|index| !failed.contains(&index)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use uuid::Uuid;

    fn messages(bodies: &[&str]) -> Vec<Message> {
        let first: Timestamp = "2025-01-02T03:04:05.678Z".parse().expect("a time");
        let message = |(number, body): (usize, &&str)| Message {
            id: Uuid::from_u128(number as u128),
            body: (*body).to_owned().into(),
            attempt: 3,
            first,
        };
        bodies.iter().enumerate().map(message).collect()
    }

    #[test]
    fn a_batch_has_records_with_notifications() {
        let event = event(&messages(&["{\"id\":\"1\"}", "hello"]));
        let record = &event["Records"][0];
        assert_eq!(record["messageId"], "00000000-0000-0000-0000-000000000000");
        assert_eq!(record["eventSource"], "aws:sqs");
        assert_eq!(record["attributes"]["ApproximateReceiveCount"], "3");
        assert_eq!(record["attributes"]["SentTimestamp"], "1735787045678");
        let body = record["body"].as_str().expect("text");
        assert_eq!(record["md5OfBody"], md5(body));
        let body: Value = serde_json::from_str(body).expect("JSON in a text");
        assert_eq!(body["Type"], "Notification");
        assert_eq!(body["Message"], "{\"id\":\"1\"}");
        assert_eq!(body["Timestamp"], "2025-01-02T03:04:05.678Z");
        assert_eq!(event["Records"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn the_digest_is_that_of_rfc_1321() {
        assert_eq!(md5("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
    }

    #[track_caller]
    fn check(answer: &str, expected: Option<[bool; 2]>) {
        let done = done(&messages(&["a", "b"]), answer.as_bytes()).ok();
        assert_eq!(done, expected.map(Vec::from), "{answer}");
    }

    #[test]
    fn only_what_is_named_comes_again() {
        for answer in ["null", "{}", "\"ok\"", r#"{"batchItemFailures":[]}"#, r#"{"batchItemFailures":null}"#]
        {
            check(answer, Some([true, true]));
        }
        let second = "00000000-0000-0000-0000-000000000001";
        check(&json!({"batchItemFailures": [{"itemIdentifier": second}]}).to_string(), Some([true, false]));
    }

    #[test]
    fn a_malformed_answer_fails_the_whole_batch() {
        for answer in [
            "",
            "{",
            r#"{"batchItemFailures":{}}"#,
            r#"{"batchItemFailures":[{}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"unknown"}]}"#,
        ] {
            check(answer, None);
        }
    }
}
