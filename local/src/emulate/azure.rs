//! Azure: the Functions host before our custom handler. It forwards requests as it does with
//! `enableForwardingHttpRequest`, which loses what comes in chunks; newer hosts that proxy them lose nothing, so whatever
//! works here works there.
//!
//! What is cited as the host's is <https://github.com/Azure/azure-functions-host>, below `src/WebJobs.Script/Workers/Http`;
//! the limits are those of "Azure Functions hosting options" and "HTTP triggers: limits".

mod forward;
mod invoke;

use std::time::Duration;

use async_trait::async_trait;
use autopgo_azure::Options;
use autopgo_core::error::Result;
use autopgo_http::Api;
use axum::Router;
use axum::extract::Request;
use axum::response::Response;

use super::message::Message;
use super::platform::{Parts, Platform, Trigger};
use super::schedule::Tick;

/// Bytes of a request that the host takes.
const REQUEST: u64 = 104_857_600;
/// How long the load balancer before the host waits for an answer, whatever else is set.
const ANSWER: Duration = Duration::from_secs(230);
/// `functionTimeout` of our `host.json`.
const FUNCTION: Duration = Duration::from_secs(600);
/// `maxConcurrentCalls` of our `host.json`.
const AT_ONCE: usize = 4;
/// What the host says of itself.
const VERSION: &str = "4.1036.0.0";

/// Azure, played.
pub(super) struct Azure {
    handler: Router,
}

impl Azure {
    /// The handler made of `parts`, behind the host.
    pub(super) fn new(parts: Parts) -> Self {
        tracing::info!(
            cloud = "azure",
            request_bytes = REQUEST,
            request_timeout_ms = millis(ANSWER),
            function_timeout_ms = millis(FUNCTION),
            at_once = AT_ONCE,
            "playing Azure: the Functions host, Service Bus and the timer; these are its limits, and a body without a length is lost"
        );
        let Parts { served, worker, access, config, stop } = parts;
        let server = Api::new(served.server, served.checks, access).router();
        let options = Options { sweep_after: config.sweep_after, timeout: FUNCTION, stop };
        Self { handler: autopgo_azure::router(server, worker, options) }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[async_trait]
impl Platform for Azure {
    async fn request(&self, request: Request) -> Response {
        forward::answer(self.handler.clone(), request).await
    }

    fn trigger(&self) -> Trigger {
        Trigger { batch: 1, at_once: AT_ONCE }
    }

    /// The host knows no result a message, so that a failure is one of all there are.
    async fn deliver(&self, messages: &[Message]) -> Result<Vec<bool>> {
        for message in messages {
            invoke::call(self.handler.clone(), "worker", &invoke::message(message)).await?;
        }
        Ok(vec![true; messages.len()])
    }

    async fn tick(&self, tick: Tick) -> Result<()> {
        invoke::call(self.handler.clone(), "sweep", &invoke::timer(tick)).await
    }
}
