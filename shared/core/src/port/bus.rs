//! What the core needs from an event bus.
//!
//! Delivery is at least once, in any order, to one of the consumers of a subscription; a bus that can do less says so
//! in its adapter. The store is the truth and the bus is a hint: what it loses, the sweep finds.

use std::time::Duration;

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

    /// How long a delivery stays ours without a sign of life: an ack deadline, a visibility timeout, a lock. After it
    /// the message is redelivered. `None`: it never runs out.
    fn hold(&self) -> Option<Duration>;

    /// Asks for another [`hold`](Self::hold), counted from now, for each of these deliveries, and says in their order
    /// what came of it. `NotFound`: it is not ours any more, and asking again is no use. Where nothing runs out there
    /// is nothing to ask for, and it is `Ok`.
    async fn extend(&self, deliveries: &[Delivery]) -> Vec<Result<()>>;

    /// The message is done, and the bus has confirmed it. A second ack, or one that comes too late, is no error.
    async fn ack(&self, delivery: &Delivery) -> Result<()>;

    /// The message is handed back for redelivery, soon. On a bus that cannot, it comes back when its lock runs out.
    async fn nack(&self, delivery: &Delivery) -> Result<()>;

    /// The end of consumption: what was fetched and not given out yet is handed back, and the group is left, so that
    /// others have it at once and not only when a hold runs out. What was given out is settled before; nothing is
    /// received after. Closing twice is harmless. What goes wrong here is logged: nobody could do better.
    async fn close(&self);

    /// Whether the bus answers.
    async fn check(&self) -> Result<()>;
}
