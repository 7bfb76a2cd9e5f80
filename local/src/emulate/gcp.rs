//! Google Cloud: two services of Cloud Run, a subscription of Pub/Sub that pushes to the second, and Cloud Scheduler.
//!
//! Shapes and limits: Google's "Receive messages with push subscriptions", "Cloud Run quotas and limits", "Cloud Run request
//! timeout", "Create and configure cron jobs".

mod call;
mod front;

use std::time::Duration;

use async_trait::async_trait;
use autopgo_cloudrun::worker::Options;
use autopgo_core::error::Result;
use autopgo_http::Api;
use axum::Router;
use axum::extract::Request;
use axum::response::Response;

use super::message::Message;
use super::platform::{Parts, Platform, Trigger};
use super::schedule::Tick;

/// Bytes of a request or an answer over HTTP/1.
const BODY: u64 = 32 << 20;
/// How long a service may take over a request, where nothing else is set.
const REQUEST: Duration = Duration::from_secs(300);
/// How long a push waits: the longest deadline that a subscription may have, and the one for a worker that merges.
const PUSH: Duration = Duration::from_secs(600);
/// How long Cloud Scheduler waits, where nothing else is set.
const SCHEDULE: Duration = Duration::from_secs(180);
/// How many pushes there are at once: as many as one instance takes by default.
const AT_ONCE: usize = 80;
/// Whose project it would be.
const PROJECT: &str = "autopgo";

/// Google Cloud, played.
pub(super) struct Gcp {
    server: Router,
    worker: Router,
}

impl Gcp {
    /// The services made of `parts`. Called within a runtime, where the worker's begins to work at once.
    pub(super) fn new(parts: Parts) -> Self {
        tracing::info!(
            cloud = "gcp",
            body_bytes = BODY,
            request_timeout_ms = millis(REQUEST),
            push_timeout_ms = millis(PUSH),
            at_once = AT_ONCE,
            "playing Google Cloud: Cloud Run, Pub/Sub that pushes, and Cloud Scheduler; these are its limits"
        );
        let Parts { served, worker, access, config, stop } = parts;
        let checks = served.checks.clone();
        let server = Api::new(served.server, served.checks, access).router();
        // Tokens are checked by whoever deploys it with some: here nobody but this process reaches the worker.
        let options =
            Options { tokens: None, sweep_after: config.sweep_after, sweep_timeout: SCHEDULE * 5 / 6, stop };
        Self { server, worker: autopgo_cloudrun::worker::router(worker, checks, options) }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[async_trait]
impl Platform for Gcp {
    async fn request(&self, request: Request) -> Response {
        front::answer(self.server.clone(), request).await
    }

    fn trigger(&self) -> Trigger {
        Trigger { batch: 1, at_once: AT_ONCE }
    }

    async fn deliver(&self, messages: &[Message]) -> Result<Vec<bool>> {
        for message in messages {
            call::push(self.worker.clone(), message).await?;
        }
        Ok(vec![true; messages.len()])
    }

    async fn tick(&self, tick: Tick) -> Result<()> {
        call::schedule(self.worker.clone(), tick).await
    }
}
