//! A trigger without HTTP: the host posts JSON to the function's name and reads its answer
//! (`ScriptInvocationContextExtensions.cs`, `DefaultHttpWorkerService.cs`).

use autopgo_core::error::{Error, Kind, Result};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use tower::ServiceExt;
use uuid::Uuid;

use super::{FUNCTION, VERSION};
use crate::emulate::message::Message;
use crate::emulate::schedule::Tick;

/// The most that is read of an answer.
const ANSWER: usize = 1 << 20;

/// What the host posts for one message of Service Bus: with `"dataType": "binary"` it is base64, bare, where a text would
/// stand as JSON in a text, as the metadata do.
pub(super) fn message(message: &Message) -> Value {
    let mut metadata = Map::new();
    let enqueued = time(message.first);
    for (name, value) in [
        ("DeliveryCount", message.attempt.to_string()),
        ("EnqueuedTimeUtc", quoted(&enqueued)),
        ("ExpiresAtUtc", quoted("9999-12-31T23:59:59.9999999Z")),
        ("LockToken", quoted(&Uuid::new_v4().to_string())),
        ("MessageId", quoted(&message.id.simple().to_string())),
        ("SequenceNumber", (message.id.as_u128() % 1_000_000).to_string()),
        ("ContentType", quoted("application/json")),
    ] {
        metadata.insert(name.to_owned(), value.into());
    }
    if let Some(key) = message.key() {
        metadata.insert("PartitionKey".to_owned(), quoted(&key).into());
    }
    metadata.insert("sys".to_owned(), system("worker"));
    json!({ "Data": { "msg": STANDARD.encode(&message.body) }, "Metadata": metadata })
}

/// What it posts for a tick of the timer.
pub(super) fn timer(tick: Tick) -> Value {
    let last = tick.last.map_or_else(|| "0001-01-01T00:00:00".to_owned(), time);
    json!({
        "Data": { "sweep": {
            "Schedule": { "AdjustForDST": true },
            "ScheduleStatus": { "Last": last, "Next": time(tick.next), "LastUpdated": last },
            "IsPastDue": false,
        } },
        "Metadata": { "sys": system("sweep") },
    })
}

fn system(function: &str) -> Value {
    json!({ "MethodName": function, "UtcNow": time(Timestamp::now()), "RandGuid": Uuid::new_v4().to_string() })
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%7fZ").to_string()
}

/// Calls the function `name` with `told`.
///
/// # Errors
/// It failed, as the host sees it: then the host hands back what triggered it.
pub(super) async fn call(handler: Router, name: &str, told: &Value) -> Result<()> {
    let wrong = |why: String| Error::new(Kind::Unavailable, format!("the function {name} {why}"));
    let body = told.to_string();
    tracing::debug!(function = name, event = body, "the function is called");
    let request = Request::post(format!("/{name}"))
        .header(HOST, "127.0.0.1")
        .header(USER_AGENT, format!("Azure-Functions-Host/{VERSION}"))
        .header(CONTENT_TYPE, "application/json; charset=utf-8")
        .header(CONTENT_LENGTH, body.len())
        .header("x-azure-functions-invocationid", Uuid::new_v4().to_string())
        .header("x-azure-functions-hostversion", VERSION)
        .body(Body::from(body))
        .map_err(|error| wrong("cannot be asked".to_owned()).because(error))?;
    let answer = async {
        // The router never fails.
        let response = handler.oneshot(request).await.unwrap_or_else(|never| match never {});
        let status = response.status();
        let body = to_bytes(response.into_body(), ANSWER).await;
        (status, body)
    };
    let (status, body) = timeout(FUNCTION, answer)
        .await
        .map_err(|_| wrong(format!("did not answer within {} ms", super::millis(FUNCTION))))?;
    if !status.is_success() {
        return Err(wrong(format!("answered {status}")));
    }
    let body = body.map_err(|error| wrong("broke off its answer".to_owned()).because(error))?;
    if body.is_empty() {
        return Err(wrong(
            "answered without a body, for which the host waits until it is out of time".to_owned(),
        ));
    }
    match serde_json::from_slice(&body) {
        Ok(Value::Object(_)) => Ok(()),
        Ok(_) => Err(wrong("answered no JSON object".to_owned())),
        Err(error) => Err(wrong("answered no JSON".to_owned()).because(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;
    use axum::routing::post;

    #[test]
    fn a_message_is_base64_and_its_metadata_are_texts_in_texts() {
        let body = r#"{"id":"1","timestamp":"2025-01-02T03:04:05Z","type":"profile.deleted","payload":{"app":"hello"}}"#;
        let first = "2025-01-02T03:04:05.678Z".parse().expect("a time");
        let told = message(&Message { id: Uuid::from_u128(7), body: body.into(), attempt: 3, first });
        let text = told["Data"]["msg"].as_str().expect("a text");
        assert_eq!(STANDARD.decode(text).expect("base64"), body.as_bytes());
        let metadata = &told["Metadata"];
        assert_eq!(metadata["DeliveryCount"], "3");
        assert_eq!(metadata["MessageId"], "\"00000000000000000000000000000007\"");
        assert_eq!(metadata["PartitionKey"], "\"hello\"");
        assert_eq!(metadata["EnqueuedTimeUtc"], "\"2025-01-02T03:04:05.6780000Z\"");
        assert_eq!(metadata["sys"]["MethodName"], "worker");
    }

    #[test]
    fn a_tick_has_a_status_of_its_schedule() {
        let (now, next) = ("2025-01-02T03:04:00Z", "2025-01-02T03:05:00Z");
        let (now, next) = (now.parse().expect("a time"), next.parse().expect("a time"));
        let told = timer(Tick { now, last: None, next });
        let status = &told["Data"]["sweep"]["ScheduleStatus"];
        assert_eq!(status["Next"], "2025-01-02T03:05:00.0000000Z");
        assert_eq!(status["Last"], "0001-01-01T00:00:00");
        assert_eq!(timer(Tick { now, last: Some(now), next })["Data"]["sweep"]["IsPastDue"], false);
    }

    async fn check(status: StatusCode, body: &'static str) -> Result<()> {
        let handler = Router::new().route("/worker", post(move || async move { (status, body) }));
        call(handler, "worker", &json!({})).await
    }

    #[tokio::test]
    async fn only_a_success_with_an_object_is_one() {
        for (status, body, good) in [
            (StatusCode::OK, "{}", true),
            (StatusCode::ACCEPTED, r#"{"Outputs":{},"Logs":["x"],"ReturnValue":null}"#, true),
            (StatusCode::OK, "", false),
            (StatusCode::NO_CONTENT, "", false),
            (StatusCode::OK, "null", false),
            (StatusCode::OK, "done", false),
            (StatusCode::TEMPORARY_REDIRECT, "{}", false),
            (StatusCode::BAD_REQUEST, "{}", false),
            (StatusCode::INTERNAL_SERVER_ERROR, "{}", false),
        ] {
            assert_eq!(check(status, body).await.is_ok(), good, "{status} {body:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_that_hangs_fails_when_it_is_out_of_time() {
        let handler = Router::new().route("/worker", post(async || std::future::pending::<()>().await));
        let start = tokio::time::Instant::now();
        let error = call(handler, "worker", &json!({})).await.expect_err("it hangs");
        assert_eq!(start.elapsed(), FUNCTION);
        assert!(error.what().contains("did not answer within 600000 ms"), "{error}");
    }
}
