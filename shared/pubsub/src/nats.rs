//! `nats://SUBJECT`: NATS. `NATS_SERVER_URL` says where: `localhost:4222`, `nats://user:password@host:4222`,
//! `nats://token@host`, `tls://host`, or several with commas between them, each with the same credentials.
//!
//! Core NATS, as the Go original has it: at most once. A message is gone once it is handed over, so that an ack does
//! nothing and a nack cannot; what is lost, the sweep finds. Publishing waits until the server has taken the message.
//!
//! | parameter | where | default | meaning |
//! |---|---|---|---|
//! | `natsv2` | both | off | how bodies with metadata are written. Ours have none and are the same in both, so that either end may say either |
//! | `queue` | subscription | none | the queue group, of which one member gets each message. Without it every worker gets every event |
//!
//! With `jetstream=STREAM`, which is ours, the messages are kept in that stream until they are acked, and redelivered
//! when they are not:
//!
//! | parameter | where | default | meaning |
//! |---|---|---|---|
//! | `jetstream` | both | | the stream, made if it is missing: a work queue of this subject, on disk, of one replica, with no bound on its size, that forgets after 7 days |
//! | `consumer` | subscription | `autopgo` | the durable consumer that all workers share, made if it is missing |
//! | `ack_wait` | subscription | `30s` | how long a message is a worker's without a sign of life |
//! | `max_deliver` | subscription | 20 | how often a message is delivered before the sweep alone has it; -1: for ever |
//!
//! A stream or a consumer that is there is taken as it is, but for what the URL says of it. A consumer must be one that
//! is asked for its messages, wants each of them acked, and takes the URL's subject and no other: what it took of others
//! would be acked here. So two environments on one stream need a subject and a consumer each.

mod body;
mod core;
mod gob;
mod jetstream;
mod link;
mod made;
mod servers;
mod settings;

use std::sync::Arc;

use autopgo_core::address::Address;
use autopgo_core::error::Result;
use autopgo_core::port::bus::{Subscription, Topic};

use link::{Link, Wants};
use servers::Servers;
use settings::Settings;

/// The scheme of these URLs.
pub const SCHEME: &str = "nats";
/// Says where the servers are. The Go original knows it too.
pub const SERVERS: &str = "NATS_SERVER_URL";

/// Opens a topic. A server that cannot be reached is looked for in the background: [`Topic::check`] tells.
pub(crate) async fn topic(address: &Address, servers: Option<String>) -> Result<Arc<dyn Topic>> {
    let settings = Settings::of_topic(address)?;
    let wants = Wants { subject: settings.subject.clone(), keeps: settings.kept.is_some() };
    let link = Link::open(Servers::parse(servers)?, wants).await?;
    Ok(match settings.kept {
        None => Arc::new(core::CoreTopic::new(link, settings.subject)),
        Some(kept) => Arc::new(jetstream::StreamTopic::open(link, settings.subject, kept).await),
    })
}

/// Opens a subscription, as [`topic`] opens a topic.
pub(crate) async fn subscription(
    address: &Address,
    servers: Option<String>,
) -> Result<Arc<dyn Subscription>> {
    let Settings { subject, v2, queue, kept } = Settings::of_subscription(address)?;
    let wants = Wants { subject: subject.clone(), keeps: kept.is_some() };
    let link = Link::open(Servers::parse(servers)?, wants).await?;
    Ok(match kept {
        None => Arc::new(core::CoreSubscription::open(link, subject, queue, v2).await?),
        Some(kept) => Arc::new(jetstream::StreamSubscription::open(link, subject, kept, v2).await),
    })
}
