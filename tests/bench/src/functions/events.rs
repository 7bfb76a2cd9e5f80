//! Events as AWS makes them, and what the answers to them must be. Shapes: `tests/fixtures/events/aws`.

use autopgo_fakes::lambda::{Answer, Invoked};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::error::Error;

/// A profile for `app`, through an HTTP API.
pub(super) fn upload(app: &str, profile: &[u8]) -> Bytes {
    let mut event = request("POST", &format!("/api/profile/{app}"));
    event["headers"]["content-length"] = profile.len().to_string().into();
    event["body"] = BASE64_STANDARD.encode(profile).into();
    event["isBase64Encoded"] = true.into();
    event.to_string().into()
}

/// The base of `app`, through an HTTP API.
pub(super) fn download(app: &str) -> Bytes {
    request("GET", &format!("/api/profile/{app}")).to_string().into()
}

/// What a queue has, by raw delivery, when these messages were published.
pub(super) fn batch(messages: &[String]) -> Bytes {
    let records = messages.iter().enumerate().map(|(number, message)| {
        json!({
            "messageId": format!("059f36b4-87a3-44ab-83d2-{number:012}"), "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a1",
            "body": message, "messageAttributes": {}, "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:pgo", "awsRegion": "eu-west-1",
            "attributes": {
                "ApproximateReceiveCount": "1", "SentTimestamp": "1735787045200", "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": "1735787045210",
            },
        })
    });
    json!({"Records": records.collect::<Vec<Value>>()}).to_string().into()
}

/// A schedule's.
pub(super) fn sweep() -> Bytes {
    json!({"sweep": true}).to_string().into()
}

fn request(method: &str, path: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": {
            "host": "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", "x-forwarded-for": "192.0.2.7",
            "x-forwarded-proto": "https", "content-type": "application/octet-stream",
        },
        "requestContext": {
            "accountId": "123456789012", "apiId": "a1b2c3d4e5", "stage": "$default", "routeKey": "$default",
            "domainName": "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", "domainPrefix": "a1b2c3d4e5",
            "requestId": "LV7fzho-PHcEJPw=", "time": "02/Jan/2025:03:04:05 +0000", "timeEpoch": 1_735_787_045_000_u64,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7", "userAgent": "bench"},
        },
        "isBase64Encoded": false,
    })
}

/// An upload was taken.
pub(super) fn created(invoked: &Invoked) -> Result<(), Error> {
    expect(invoked, |answer| answer["statusCode"] == 201)
}

/// A profile was answered, by the function itself.
pub(super) fn downloaded(invoked: &Invoked) -> Result<(), Error> {
    expect(invoked, |answer| answer["statusCode"] == 200 && answer["isBase64Encoded"] == true)
}

/// Nothing of a batch was handed back.
pub(super) fn done(invoked: &Invoked) -> Result<(), Error> {
    expect(invoked, |answer| answer["batchItemFailures"] == json!([]))
}

/// A sweep went over everything, and nothing failed.
pub(super) fn swept(invoked: &Invoked) -> Result<(), Error> {
    expect(invoked, |answer| answer["failed"] == 0 && answer["unfinished"] == false)
}

fn expect(invoked: &Invoked, holds: impl Fn(&Value) -> bool) -> Result<(), Error> {
    let answer = match &invoked.answer {
        Answer::Response(body) => serde_json::from_slice(body).unwrap_or_default(),
        _ => Value::Null,
    };
    if holds(&answer) {
        return Ok(());
    }
    Err(Error::Unexpected { what: format!("a function answered {:?}", invoked.answer) })
}
