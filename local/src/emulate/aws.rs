//! AWS: an HTTP API before the server's Lambda function, a queue of SQS before the worker's, and a rule of EventBridge.
//!
//! Event shapes and limits: Amazon's "Working with AWS Lambda proxy integrations for HTTP APIs", "Using Lambda with
//! Amazon SQS", "Quotas for configuring and running an HTTP API", "Lambda quotas".

mod answer;
mod event;
mod function;
mod gateway;
mod queue;
mod sizes;

use std::sync::Arc;

use async_trait::async_trait;
use autopgo_core::error::Result;
use autopgo_core::limits::Limits;
use axum::extract::Request;
use axum::response::Response;

use super::message::Message;
use super::platform::{Parts, Platform, Trigger};
use super::schedule::Tick;
use function::{Call, Function};
use gateway::Gateway;

/// Whose account it would be: the one of Amazon's examples.
const ACCOUNT: &str = "123456789012";
/// Where it would be.
const REGION: &str = "eu-central-1";

/// AWS, played.
pub(super) struct Aws {
    gateway: Gateway,
    worker: Arc<dyn Function>,
}

/// `limits` with the largest download that the function answers by default, unless a smaller one is set.
pub(super) fn limits(limits: &Limits) -> Limits {
    let default = |name: &str| {
        autopgo_lambda::DEFAULTS
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    };
    // Its own defaults are good values, and a test of its own says so.
    let most = Limits::from_lookup(&default).map_or(u64::MAX, |function| function.download_bytes);
    Limits { download_bytes: limits.download_bytes.min(most), ..limits.clone() }
}

impl Aws {
    /// The functions made of `parts`, behind an API with this `stage`.
    pub(super) fn new(stage: Option<&str>, parts: Parts) -> Self {
        tracing::info!(
            cloud = "aws",
            stage = stage.unwrap_or(event::DEFAULT_STAGE),
            request_bytes = sizes::GATEWAY,
            event_bytes = sizes::EVENT,
            download_bytes = parts.config.limits.download_bytes,
            request_timeout_ms = millis(sizes::INTEGRATION),
            worker_timeout_ms = millis(sizes::WORKER),
            batch = sizes::BATCH,
            "playing AWS: an HTTP API, Lambda, SNS before SQS, and EventBridge; these are its limits"
        );
        let (server, worker) = function::made_of(parts);
        Self { gateway: Gateway::new(stage, server), worker }
    }

    /// Calls the worker with an event, for as long as it may take.
    async fn work(&self, event: &serde_json::Value) -> Result<Vec<u8>> {
        function::invoke(&*self.worker, Call::new("worker", sizes::WORKER), event).await
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[async_trait]
impl Platform for Aws {
    async fn request(&self, request: Request) -> Response {
        self.gateway.answer(request).await
    }

    fn trigger(&self) -> Trigger {
        Trigger { batch: sizes::BATCH, at_once: sizes::AT_ONCE }
    }

    async fn deliver(&self, messages: &[Message]) -> Result<Vec<bool>> {
        let answer = self.work(&queue::event(messages)).await?;
        queue::done(messages, &answer)
    }

    /// The rule's event is delivered without an answer that anybody reads: an error has it tried again, as here the next
    /// tick does.
    async fn tick(&self, tick: Tick) -> Result<()> {
        self.work(&event::scheduled(tick.now)).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_download_fits_into_an_answer() {
        let most = limits(&Limits::default()).download_bytes;
        let encoded = most.div_ceil(3) * 4;
        assert!(encoded + (100 << 10) < sizes::EVENT as u64, "{encoded}");
        assert_eq!(limits(&Limits { download_bytes: 5, ..Limits::default() }).download_bytes, 5);
    }
}
