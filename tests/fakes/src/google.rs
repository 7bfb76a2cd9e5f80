//! Who asks, on Google Cloud: a metadata server and the IAM Credentials API, which give out identity tokens, and Cloud Run,
//! which lets through who has one.
//!
//! Written from <https://cloud.google.com/compute/docs/instances/verifying-instance-identity>,
//! <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken> and
//! <https://cloud.google.com/run/docs/authenticating/service-to-service>. `tests/python.rs` drives it by Google's own client.

mod issuer;
mod run;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

pub use crate::account::Account;
use crate::server::{self, Server};
use issuer::Issuer;
pub use run::CloudRun;

/// The service account of the machine that the metadata server is for.
pub const MACHINE: &str = "machine@fake.iam.gserviceaccount.com";

/// The metadata server and the IAM Credentials API on one loopback address, until it is dropped.
pub struct Google {
    server: Server,
    state: Arc<Kept>,
}

struct Kept {
    issuer: Issuer,
    /// Whoever may impersonate others.
    account: Account,
    /// Seconds from a token's making to its end.
    lifetime: AtomicI64,
    /// How many requests are still to be answered by a 503.
    busy: AtomicU32,
    /// The tokens that were given out.
    given: Mutex<Vec<String>>,
}

impl Google {
    /// One whose tokens last for `lifetime`.
    ///
    /// # Errors
    /// There is no port to be had, or no key can be made.
    pub fn start(lifetime: Duration) -> io::Result<Self> {
        let (listener, address) = server::listen(0)?;
        let state = Arc::new(Kept {
            issuer: Issuer::new()?,
            account: Account::new(&format!("http://{address}"))?,
            lifetime: AtomicI64::new(0),
            busy: AtomicU32::new(0),
            given: Mutex::default(),
        });
        let machine = "/computeMetadata/v1/instance/service-accounts/default";
        let router = Router::new()
            .route("/", get(flavour))
            .route(&format!("{machine}/"), get(about))
            .route(&format!("{machine}/identity"), get(identity))
            .route("/v1/projects/-/serviceAccounts/{target}", post(impersonate))
            .with_state(Arc::clone(&state));
        let google = Self { server: Server::start(listener, router)?, state };
        google.lasting(lifetime);
        Ok(google)
    }

    /// `127.0.0.1:PORT`, as `GCE_METADATA_HOST` has it.
    pub fn host(&self) -> String {
        self.server.address().to_string()
    }

    /// From now on tokens last for this long.
    pub fn lasting(&self, lifetime: Duration) {
        let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        self.state.lifetime.store(seconds, Ordering::SeqCst);
    }

    /// Has it answer the next `requests` for a token by a 503.
    pub fn be_busy(&self, requests: u32) {
        self.state.busy.store(requests, Ordering::SeqCst);
    }

    /// The tokens that it has given out.
    pub fn given(&self) -> Vec<String> {
        self.state.given.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The file of Application Default Credentials for who is `account` and acts as `email`
    /// (<https://cloud.google.com/docs/authentication/use-service-account-impersonation#adc>).
    pub fn impersonating(&self, email: &str) -> Value {
        json!({
            "type": "impersonated_service_account",
            "service_account_impersonation_url":
                format!("http://{}/v1/projects/-/serviceAccounts/{email}:generateAccessToken", self.host()),
            "delegates": [],
            "source_credentials": self.state.account.credentials(),
        })
    }

    /// A Cloud Run service with `api` in it, for whose invocation `invokers` have the role.
    ///
    /// # Errors
    /// There is no port to be had.
    pub fn cloud_run(&self, api: Router, invokers: &[&str], audiences: &[&str]) -> io::Result<CloudRun> {
        CloudRun::start(api, Arc::clone(&self.state), invokers, audiences)
    }
}

impl Kept {
    /// A token for `audience`, as the service has it.
    fn token(&self, email: &str, audience: &str, with_email: bool) -> Result<String, Refusal> {
        let busy = self.busy.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if busy.is_ok() {
            return Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, "busy"));
        }
        if audience.is_empty() {
            return Err(Refusal(StatusCode::BAD_REQUEST, "non-empty audience parameter required"));
        }
        let lifetime = self.lifetime.load(Ordering::SeqCst);
        let token = self.issuer.token(email, audience, lifetime, with_email);
        let token = token.ok_or(Refusal(StatusCode::INTERNAL_SERVER_ERROR, "it cannot be signed"))?;
        self.given.lock().unwrap_or_else(PoisonError::into_inner).push(token.clone());
        Ok(token)
    }
}

struct Refusal(StatusCode, &'static str);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, message) = self;
        (status, Json(json!({"error": {"code": status.as_u16(), "message": message}}))).into_response()
    }
}

const FLAVOUR: (&str, &str) = ("metadata-flavor", "Google");

/// Nobody gets an answer by being sent here by mistake.
fn asked_for(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.get(FLAVOUR.0).is_some_and(|value| value == FLAVOUR.1) {
        return Ok(());
    }
    Err(Refusal(StatusCode::FORBIDDEN, "Missing Metadata-Flavor:Google header."))
}

async fn flavour() -> Response {
    ([FLAVOUR], "computeMetadata/\n").into_response()
}

async fn about(headers: HeaderMap) -> Result<Response, Refusal> {
    asked_for(&headers)?;
    let account = json!({"aliases": ["default"], "email": MACHINE, "scopes": []});
    Ok(([FLAVOUR], Json(account)).into_response())
}

async fn identity(
    State(kept): State<Arc<Kept>>,
    Query(asked): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    asked_for(&headers)?;
    let text = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
    let token = kept.token(MACHINE, text("audience"), text("format") == "full")?;
    Ok(([FLAVOUR], token).into_response())
}

async fn impersonate(
    State(kept): State<Arc<Kept>>,
    Path(target): Path<String>,
    headers: HeaderMap,
    Json(asked): Json<Value>,
) -> Result<Response, Refusal> {
    let Some(email) = target.strip_suffix(":generateIdToken") else {
        return Err(Refusal(StatusCode::NOT_FOUND, "there is no such method"));
    };
    let bearer = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if !bearer.is_some_and(|token| kept.account.bears(token)) {
        return Err(Refusal(StatusCode::UNAUTHORIZED, "Request had invalid authentication credentials."));
    }
    let audience = asked.get("audience").and_then(Value::as_str).unwrap_or_default();
    let with_email = asked.get("includeEmail").and_then(Value::as_bool).unwrap_or_default();
    let token = kept.token(email, audience, with_email)?;
    Ok(Json(json!({ "token": token })).into_response())
}
