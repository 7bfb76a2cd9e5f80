//! The worker as a service: Pub/Sub, Eventarc and Cloud Scheduler call it.
//!
//! An answer of 204 acknowledges a message; any that is none of 102, 200, 201, 202 and 204 has it delivered again
//! (<https://cloud.google.com/pubsub/docs/push#receive_push>). So 204 is for what is done and for what is no event of
//! ours, and 503 for what is handed back.

use std::sync::Arc;
use std::time::Duration;

use autopgo_boot::Config;
use autopgo_core::error::Result;
use autopgo_core::health::Checks;
use autopgo_core::worker::{Worker, pull};
use autopgo_http::process::health;
use autopgo_http::{Failure, Patience, whole};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio_util::sync::CancellationToken;

use crate::inbox::{Answer, Inbox};
use crate::oidc::{self, Tokens};
use crate::{push, schedule};

/// Bytes of a push: a message has at most 10 MB (<https://cloud.google.com/pubsub/quotas#resource_limits>), in base64.
const LARGEST: u64 = 16 << 20;
/// How long its body may take.
const PATIENCE: Patience = Patience { silence: Duration::from_secs(10), all: Duration::from_secs(60) };
/// Seconds after which a message that was handed back may come again. Pub/Sub has a pace of its own.
const LATER: u32 = 5;
/// By then our own side gives a request up.
const LONGEST_SWEEP: Duration = Duration::from_secs(10 * 60);

/// How the worker is called.
#[derive(Clone)]
pub struct Options {
    /// Whose calls are taken; without it, everybody's.
    pub tokens: Option<Arc<Tokens>>,
    /// How old a staged upload is before a sweep takes it.
    pub sweep_after: Duration,
    /// After how long a sweep begins nothing new.
    pub sweep_timeout: Duration,
    /// The end: nothing new is begun, what is in hand is finished or handed back.
    pub stop: CancellationToken,
}

impl Options {
    /// As the configuration says.
    ///
    /// # Errors
    /// `Invalid`, saying what to set, if callers were to be checked by half.
    pub fn new(config: &Config, stop: CancellationToken) -> Result<Self> {
        let Config { sweep_after, function_timeout, .. } = *config;
        // What is begun by then has the rest to end.
        let sweep_timeout = function_timeout.min(LONGEST_SWEEP) * 5 / 6;
        Ok(Self { tokens: Tokens::configured(config)?.map(Arc::new), sweep_after, sweep_timeout, stop })
    }
}

/// `POST /` for pushes and schedules, `POST /sweep` for schedules, and health. To be called inside a Tokio runtime: the
/// messages are worked on beside the requests until the options say stop.
pub fn router(worker: Worker, checks: Checks, options: Options) -> Router {
    let limits = Arc::clone(&worker.host().limits);
    let inbox = Arc::<Inbox>::default();
    tokio::spawn(work(worker.clone(), Arc::clone(&inbox), options.stop.clone()));
    let tokens = options.tokens.clone();
    let mut calls = Router::new()
        .route("/", post(pushed))
        .route("/sweep", post(scheduled))
        .with_state(Service { worker, inbox, options });
    if let Some(tokens) = tokens {
        calls = calls.route_layer(from_fn_with_state(tokens, oidc::guard));
    }
    health::beside(calls, checks, &limits, "/ for pushes, /sweep for a schedule, /api/health and /api/ready")
}

#[derive(Clone)]
struct Service {
    worker: Worker,
    inbox: Arc<Inbox>,
    options: Options,
}

/// Works on what is pushed until `stop`, in a task of its own: one panic, which is a bug and logged as such, hands back
/// what was in hand and is not the end of it all.
async fn work(worker: Worker, inbox: Arc<Inbox>, stop: CancellationToken) {
    loop {
        let (worker, theirs, stop) = (worker.clone(), Arc::clone(&inbox), stop.clone());
        let working = tokio::spawn(async move { pull(&worker, &*theirs, stop).await });
        if working.await.is_ok() {
            return;
        }
        inbox.hand_back();
    }
}

async fn pushed(State(service): State<Service>, headers: HeaderMap, body: Body) -> Result<Response, Failure> {
    if schedule::is_schedule(&headers) {
        return scheduled(State(service)).await.map(IntoResponse::into_response);
    }
    let too_large = || Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "the push is larger than any of Pub/Sub");
    let pushed = push::decode(&headers, whole(body, LARGEST, PATIENCE, too_large).await?);
    let answer = service.inbox.settled(pushed.body).await;
    tracing::debug!(
        message.id = pushed.id,
        message.attempt = pushed.attempt,
        ?answer,
        "a message was pushed"
    );
    match answer {
        Answer::Done => Ok(StatusCode::NO_CONTENT.into_response()),
        Answer::HandBack => {
            let message = "the message could not be handled now and is to be delivered again";
            Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, message).retry_after(LATER))
        }
    }
}

async fn scheduled(State(service): State<Service>) -> Result<Response, Failure> {
    let Options { sweep_after, sweep_timeout, stop, .. } = &service.options;
    schedule::sweep(&service.worker, *sweep_after, *sweep_timeout, stop)
        .await
        .map(IntoResponse::into_response)
}
