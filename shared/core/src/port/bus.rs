//! What the core needs from an event bus.
//!
//! Delivery is at least once, in any order, to one of the consumers of a subscription; a bus that can do less says so
//! in its adapter. The store is the truth and the bus is a hint: what it loses, the sweep finds.

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;

/// A message to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The body: an envelope as JSON.
    pub body: Bytes,
    /// The ordering or partition key, wherever the bus has one: the application's name.
    pub key: String,
}

/// A message that was received and is neither acked nor nacked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The body as it was published, whatever the bus wrapped it in.
    pub body: Bytes,
    /// What the adapter needs to ack or nack it. Opaque.
    pub receipt: String,
}

/// Where events are published.
#[async_trait]
pub trait Topic: Send + Sync {
    /// Publishes and waits until the bus has confirmed it. An error leaves it unknown whether the message went out:
    /// publishing twice is harmless.
    async fn publish(&self, message: Message) -> Result<()>;

    /// Whether the bus answers.
    async fn check(&self) -> Result<()>;
}

/// Where events are received.
#[async_trait]
pub trait Subscription: Send + Sync {
    /// Waits for messages and gives at least one and at most `max`. Dropping the future loses none: what had been
    /// received by then is redelivered.
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>>;

    /// The message is done. A second ack, or one that comes too late, is no error.
    async fn ack(&self, delivery: &Delivery) -> Result<()>;

    /// The message is handed back for redelivery, soon. On a bus that cannot, it comes back when its lock runs out.
    async fn nack(&self, delivery: &Delivery) -> Result<()>;

    /// Whether the bus answers.
    async fn check(&self) -> Result<()>;
}
