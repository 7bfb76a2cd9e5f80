//! An API Gateway with IAM, or a Function URL of Lambda, in front of an API of the test's: what is not signed as Amazon says
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>) is refused, in the words
//! that an API Gateway has for it. `tests/python.rs` drives it by botocore, which signs as AWS's own command line does.
//!
//! It has no policies: whoever has one of its keys may do everything.

mod signature;

use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::json;
use tower::ServiceExt;

use crate::server::{self, Server};
pub use signature::Seen;

/// What one request may carry: <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>.
const BODY_BYTES: usize = 10 << 20;

/// Credentials that are good here.
#[derive(Clone)]
pub struct Keys {
    /// The access key id.
    pub id: String,
    /// The secret.
    pub secret: String,
    /// A session's token, without which the others are nothing.
    pub token: Option<String>,
}

/// What signatures must be for.
#[derive(Clone)]
pub struct Scope {
    /// `execute-api` or `lambda`.
    pub service: String,
    /// The region.
    pub region: String,
}

/// A server on the loopback address, until it is dropped.
pub struct Gateway {
    server: Server,
    stage: String,
    guard: Arc<Guard>,
}

struct Guard {
    api: Router,
    stage: String,
    scope: Scope,
    keys: Vec<Keys>,
    /// Seconds by which its clock is ahead.
    ahead: AtomicI64,
    /// How many requests are still to be answered by a 503.
    busy: AtomicI64,
    seen: Mutex<Vec<Seen>>,
}

impl Gateway {
    /// One before `api`, which it calls without the `stage` (`/prod`, or nothing).
    ///
    /// # Errors
    /// There is no port to be had.
    pub fn start(api: Router, stage: &str, scope: Scope, keys: Vec<Keys>) -> io::Result<Self> {
        let guard = Arc::new(Guard {
            api,
            stage: stage.to_owned(),
            scope,
            keys,
            ahead: AtomicI64::new(0),
            busy: AtomicI64::new(0),
            seen: Mutex::default(),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&guard));
        let (listener, _) = server::listen(0)?;
        Ok(Self { server: Server::start(listener, router)?, stage: stage.to_owned(), guard })
    }

    /// Where the API is, its stage included.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.server.address(), self.stage)
    }

    /// Puts its clock ahead of ours, or behind.
    pub fn turn_clock(&self, seconds: i64) {
        self.guard.ahead.store(seconds, Ordering::SeqCst);
    }

    /// Has it answer the next `requests` that are signed by a 503.
    pub fn be_busy(&self, requests: u32) {
        self.guard.busy.store(requests.into(), Ordering::SeqCst);
    }

    /// What came so far and was signed well.
    pub fn seen(&self) -> Vec<Seen> {
        self.guard.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn pass(State(guard): State<Arc<Guard>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES).await else {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long");
    };
    let ahead = Duration::from_secs(guard.ahead.load(Ordering::SeqCst).unsigned_abs());
    let now = match guard.ahead.load(Ordering::SeqCst) {
        0.. => Timestamp::now() + ahead,
        _ => Timestamp::now() - ahead,
    };
    match signature::check(&parts, &body, &guard.scope, &guard.keys, now) {
        Ok(seen) => guard.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen),
        Err(message) => return refusal(StatusCode::FORBIDDEN, &message),
    }
    if guard.busy.fetch_sub(1, Ordering::SeqCst) > 0 {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
    }
    guard.busy.store(0, Ordering::SeqCst);
    let rest = parts.uri.path_and_query().and_then(|path| path.as_str().strip_prefix(&guard.stage));
    let Some(Ok(uri)) = rest.filter(|rest| rest.starts_with('/')).map(str::parse::<Uri>) else {
        return refusal(StatusCode::FORBIDDEN, "Missing Authentication Token");
    };
    parts.uri = uri;
    parts.headers.remove(header::AUTHORIZATION);
    guard.api.clone().oneshot(Request::from_parts(parts, Body::from(body))).await.into_response()
}

fn refusal(status: StatusCode, message: &str) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], json!({ "message": message }).to_string())
        .into_response()
}
