//! `kafka://TOPIC` and `kafka://GROUP?topic=TOPIC`: Apache Kafka. `KAFKA_BROKERS` says where: `host:9092`, or several with
//! commas between them. As with the Go original there is neither TLS nor a password: a URL cannot ask for them, no other
//! variable is read, and this build has none.
//!
//! | parameter | where | default | meaning |
//! |---|---|---|---|
//! | `key_name` | topic | none | accepted, and without effect: the key of a record is always the application's name |
//! | `topic` | subscription | | which topic to receive; may be given more than once |
//! | `offset` | subscription | `newest` | where a group begins that has received nothing yet: `oldest`, or `newest`, which never sees what was published before its first worker was there (but begins with the oldest if the brokers do not tell a worker in time that there is no offset) |
//!
//! A record is an envelope as JSON, its key the application's name, without headers; its partition is the one that the Go
//! original's hash gives, so that both ends may be either's. A topic that is missing is made on first use, if the brokers
//! do so (`auto.create.topics.enable`), with as many partitions as they like: one partition has one worker.
//!
//! At least once. A group has one offset for each partition: everything before it is done. So what is acked behind a
//! record that is not done yet is remembered here alone, and delivered again if this process ends before that record
//! is done too. Kafka takes nothing back either: a record that is handed back rests here, comes again to this consumer,
//! and the offset waits for it. When partitions change hands, whoever gets one begins at its offset.

mod consumer;
mod fail;
mod inbox;
mod link;
mod rebalance;
mod settings;
mod subscription;
mod topic;
mod track;

use std::sync::Arc;

use autopgo_core::address::Address;
use autopgo_core::error::Result;
use autopgo_core::port::bus::{Subscription, Topic};

use settings::{Brokers, Reader, Writer};

/// The scheme of these URLs.
pub const SCHEME: &str = "kafka";
/// Says where the brokers are. The Go original knows it too.
pub const BROKERS: &str = "KAFKA_BROKERS";

/// Opens a topic. Brokers that cannot be reached are looked for in the background: [`Topic::check`] tells.
pub(crate) async fn topic(address: &Address, brokers: Option<String>) -> Result<Arc<dyn Topic>> {
    let writer = Writer::of(address)?;
    Ok(Arc::new(topic::KafkaTopic::open(&Brokers::parse(brokers)?, writer).await?))
}

/// Opens a subscription, as [`topic`] opens a topic.
pub(crate) fn subscription(address: &Address, brokers: Option<String>) -> Result<Arc<dyn Subscription>> {
    let reader = Reader::of(address)?;
    Ok(Arc::new(subscription::KafkaSubscription::open(&Brokers::parse(brokers)?, reader)?))
}
