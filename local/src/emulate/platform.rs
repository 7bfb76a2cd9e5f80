//! What every cloud does around its functions, and what those are made of.

use async_trait::async_trait;
use autopgo_boot::{Config, Served};
use autopgo_core::error::Result;
use autopgo_core::worker::Worker;
use autopgo_http::Access;
use axum::extract::Request;
use axum::response::Response;
use tokio_util::sync::CancellationToken;

use super::message::Message;
use super::schedule::Tick;

/// How a cloud hands messages to the worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trigger {
    /// How many at the most in one call.
    pub(crate) batch: usize,
    /// How many calls at once.
    pub(crate) at_once: usize,
}

/// What a cloud does around its functions.
#[async_trait]
pub(crate) trait Platform: Send + Sync {
    /// Answers a request as the cloud would: by its own refusal, or by what the function says.
    async fn request(&self, request: Request) -> Response;

    /// How messages come to the worker.
    fn trigger(&self) -> Trigger;

    /// Gives messages to the worker in one call, and says for each, in their order, whether the answer makes it done.
    ///
    /// # Errors
    /// Why none of them is.
    async fn deliver(&self, messages: &[Message]) -> Result<Vec<bool>>;

    /// Does what the cloud's schedule does.
    ///
    /// # Errors
    /// Why the cloud would say that it failed.
    async fn tick(&self, tick: Tick) -> Result<()>;
}

/// What a cloud's functions are made of: that which a process of that cloud would make at its start.
pub(crate) struct Parts {
    pub(crate) served: Served,
    pub(crate) worker: Worker,
    pub(crate) access: Access,
    pub(crate) config: Config,
    /// Cancelled when the cloud would say that the process is to end.
    pub(crate) stop: CancellationToken,
}
