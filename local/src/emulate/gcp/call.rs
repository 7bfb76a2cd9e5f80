//! What calls the worker's service: a push of Pub/Sub, and a job of Cloud Scheduler.

use std::time::Duration;

use autopgo_core::error::{Error, Kind, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, FROM, HOST, USER_AGENT};
use axum::http::request::Builder;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::ServiceExt;

use super::front::{self, TRACE};
use super::{PROJECT, PUSH, SCHEDULE};
use crate::emulate::message::Message;
use crate::emulate::schedule::Tick;

const SCHEDULER: HeaderName = HeaderName::from_static("x-cloudscheduler");
const JOB: HeaderName = HeaderName::from_static("x-cloudscheduler-jobname");
const TIME: HeaderName = HeaderName::from_static("x-cloudscheduler-scheduletime");

/// Which answers acknowledge a push. Any other has it delivered again.
const ACKNOWLEDGES: [u16; 5] = [102, 200, 201, 202, 204];

/// Pushes a message in Pub/Sub's own wrapping.
///
/// # Errors
/// It was not acknowledged.
pub(super) async fn push(service: Router, message: &Message) -> Result<()> {
    let request = json_post("/")
        .header(USER_AGENT, "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)")
        .header(FROM, "noreply@google.com");
    let status = call(service, request, &wrapped(message), PUSH).await?;
    if ACKNOWLEDGES.contains(&status.as_u16()) {
        return Ok(());
    }
    Err(Error::new(Kind::Unavailable, format!("the worker answered a push with {status}")))
}

/// Some say it in one way and some in the other, so both are there.
fn wrapped(message: &Message) -> Value {
    let id = (message.id.as_u128() % 10_000_000_000_000_000).to_string();
    let time = message.first.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    let mut inner = json!({
        "data": STANDARD.encode(&message.body),
        "messageId": id,
        "message_id": id,
        "publishTime": time,
        "publish_time": time,
    });
    if let (Some(key), Some(fields)) = (message.key(), inner.as_object_mut()) {
        fields.insert("orderingKey".to_owned(), key.into());
    }
    json!({
        "message": inner,
        "subscription": format!("projects/{PROJECT}/subscriptions/autopgo-worker"),
        "deliveryAttempt": message.attempt,
    })
}

/// Runs the job that has the store swept.
///
/// # Errors
/// The answer was no success.
pub(super) async fn schedule(service: Router, tick: Tick) -> Result<()> {
    let job = json_post("/sweep")
        .header(USER_AGENT, "Google-Cloud-Scheduler")
        .header(SCHEDULER, "true")
        .header(JOB, "autopgo-sweep")
        .header(TIME, tick.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let status = call(service, job, &json!({}), SCHEDULE).await?;
    if status.is_success() {
        return Ok(());
    }
    Err(Error::new(Kind::Unavailable, format!("the worker answered its schedule with {status}")))
}

fn json_post(path: &str) -> Builder {
    Request::post(path)
        .header(HOST, "autopgo-worker-000000000000.run.app")
        .header(CONTENT_TYPE, "application/json")
}

/// The status of the answer, which is all that these callers read.
async fn call(service: Router, request: Builder, body: &Value, lasts: Duration) -> Result<StatusCode> {
    let body = body.to_string();
    tracing::debug!(event = body, "the worker is called");
    let request = request.header(CONTENT_LENGTH, body.len()).body(Body::from(body));
    let mut request =
        request.map_err(|error| Error::new(Kind::Internal, "asking the worker").because(error))?;
    if let Ok(trace) = HeaderValue::try_from(front::trace()) {
        request.headers_mut().insert(TRACE, trace);
    }
    let answer = timeout(lasts, service.oneshot(request)).await.map_err(|_| {
        let what = format!("the worker did not answer within {} ms", super::millis(lasts));
        Error::new(Kind::Unavailable, what)
    })?;
    // The router never fails.
    Ok(answer.unwrap_or_else(|never| match never {}).status())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;
    use axum::routing::post;
    use jiff::Timestamp;
    use tokio::time::Instant;
    use uuid::Uuid;

    fn message(body: &str) -> Message {
        let first = "2025-01-02T03:04:05.678Z".parse().expect("a time");
        Message { id: Uuid::from_u128(7), body: body.to_owned().into(), attempt: 3, first }
    }

    #[test]
    fn a_push_is_wrapped() {
        let body = r#"{"id":"1","timestamp":"2025-01-02T03:04:05Z","type":"profile.deleted","payload":{"app":"hello"}}"#;
        let push = wrapped(&message(body));
        let inner = &push["message"];
        assert_eq!(STANDARD.decode(inner["data"].as_str().expect("text")).expect("base64"), body.as_bytes());
        assert_eq!((&inner["messageId"], &inner["message_id"]), (&json!("7"), &json!("7")));
        assert_eq!(inner["publishTime"], "2025-01-02T03:04:05.678Z");
        assert_eq!(inner["orderingKey"], "hello");
        assert_eq!(push["deliveryAttempt"], 3);
        assert!(wrapped(&message("hello"))["message"].get("orderingKey").is_none());
    }

    #[tokio::test]
    async fn only_some_answers_acknowledge() {
        for (status, good) in [
            (102, true),
            (200, true),
            (201, true),
            (202, true),
            (203, false),
            (204, true),
            (206, false),
            (301, false),
            (400, false),
            (429, false),
            (503, false),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            let service = Router::new().route("/", post(move || async move { status }));
            assert_eq!(push(service, &message("x")).await.is_ok(), good, "{status}");
        }
    }

    #[tokio::test]
    async fn a_schedule_says_who_it_is_and_wants_a_success() {
        let sweep = async |headers: HeaderMap| {
            let is_one =
                headers.get(SCHEDULER).is_some_and(|value| value == "true") && headers.contains_key(TRACE);
            if is_one { StatusCode::NO_CONTENT } else { StatusCode::BAD_REQUEST }
        };
        let now = Timestamp::UNIX_EPOCH;
        let tick = Tick { now, last: None, next: now };
        schedule(Router::new().route("/sweep", post(sweep)), tick).await.expect("swept");
        schedule(Router::new(), tick).await.expect_err("nothing there");
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_hangs_has_not_acknowledged() {
        let service = Router::new().route("/", post(async || std::future::pending::<()>().await));
        let start = Instant::now();
        let error = push(service, &message("x")).await.expect_err("it hangs");
        assert_eq!(start.elapsed(), PUSH);
        assert!(error.what().contains("did not answer within 600000 ms"), "{error}");
    }
}
