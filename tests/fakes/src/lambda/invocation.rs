//! An event on its way: given out with its deadline, and answered or not.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::State;

/// What came of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoked {
    /// What was answered.
    pub answer: Answer,
    /// From when it was given out to when the answer was there.
    pub took: Duration,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The function's answer.
    Response(Bytes),
    /// The function failed.
    Error(Failure),
    /// Nothing in time. The platform would have ended the process.
    TimedOut,
}

/// What a process says of a failure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// Its header `Lambda-Runtime-Function-Error-Type`.
    pub header: String,
    /// `errorType` of its body.
    pub kind: String,
    /// `errorMessage` of its body.
    pub message: String,
}

impl Invoked {
    /// The server has ended before there was an answer.
    pub(super) fn never() -> Self {
        Self { answer: Answer::TimedOut, took: Duration::ZERO }
    }

    /// The answer as JSON.
    ///
    /// # Panics
    /// When there is none, or it is no JSON.
    #[expect(clippy::panic, reason = "a test has failed")]
    pub fn json(&self) -> Value {
        match &self.answer {
            Answer::Response(body) => {
                serde_json::from_slice(body).unwrap_or_else(|error| panic!("no JSON: {error}: {body:?}"))
            }
            other => panic!("no answer, but {other:?}"),
        }
    }
}

impl Answer {
    /// Why there is none.
    ///
    /// # Panics
    /// When there is one.
    #[expect(clippy::panic, reason = "a test has failed")]
    pub fn failure(&self) -> &Failure {
        match self {
            Self::Error(failure) => failure,
            other => panic!("no failure, but {other:?}"),
        }
    }
}

/// An event that waits for a process.
pub(super) struct Invocation {
    id: String,
    event: Bytes,
    timeout: Duration,
    given: oneshot::Sender<Instant>,
    answered: oneshot::Sender<(Answer, Instant)>,
}

/// An event that a process has.
pub(super) struct Answering {
    pub(super) id: String,
    pub(super) answered: oneshot::Sender<(Answer, Instant)>,
}

/// Both ends of the wait.
pub(super) struct Waiting {
    pub(super) given: oneshot::Receiver<Instant>,
    pub(super) answered: oneshot::Receiver<(Answer, Instant)>,
}

impl Invocation {
    pub(super) fn new(event: Bytes, timeout: Duration) -> (Self, Waiting) {
        let (given, is_given) = oneshot::channel();
        let (answered, is_answered) = oneshot::channel();
        let id = Uuid::new_v4().to_string();
        (Self { id, event, timeout, given, answered }, Waiting { given: is_given, answered: is_answered })
    }
}

/// `GET /runtime/invocation/next`: waits for as long as there is nothing.
pub(super) async fn next(Shared(state): Shared<Arc<State>>) -> Response {
    let Invocation { id, event, timeout, given, answered } = state.next().await;
    let deadline = SystemTime::now() + timeout;
    let deadline = deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    // Whoever waited for it may be gone.
    let _ = given.send(Instant::now());
    let headers = [
        ("lambda-runtime-aws-request-id", id.clone()),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-west-1:123456789012:function:autopgo".to_owned(),
        ),
        ("lambda-runtime-trace-id", "Root=1-67891233-abcdef012345678912345678;Sampled=0".to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    state.world().handed.push(Answering { id, answered });
    (headers, event).into_response()
}

/// `POST /runtime/invocation/{id}/response`.
pub(super) async fn response(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    taken(state.answered(&id, Answer::Response(body)))
}

/// `POST /runtime/invocation/{id}/error`.
pub(super) async fn error(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    taken(state.answered(&id, Answer::Error(Failure::read(&headers, &body))))
}

/// `POST /runtime/init/error`.
pub(super) async fn init_error(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    state.init.send_replace(Some(Failure::read(&headers, &body)));
    taken(true)
}

fn taken(known: bool) -> Response {
    if known {
        return (StatusCode::ACCEPTED, Json(json!({"status": "OK"}))).into_response();
    }
    let refusal = json!({"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"});
    (StatusCode::BAD_REQUEST, Json(refusal)).into_response()
}

impl Failure {
    fn read(headers: &HeaderMap, body: &[u8]) -> Self {
        let header = headers.get("lambda-runtime-function-error-type");
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        Self {
            header: header.and_then(|header| header.to_str().ok()).unwrap_or_default().to_owned(),
            kind: text("errorType"),
            message: text("errorMessage"),
        }
    }
}
