//! Where messages are published.

use std::sync::Arc;

use async_trait::async_trait;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::bus::{Message, Topic};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::{ClientConfig, ClientContext};

use super::link::{self, Link, PATIENCE};
use super::settings::{Brokers, Writer};

/// Where messages are published.
pub(super) struct KafkaTopic {
    link: Arc<Link>,
    producer: FutureProducer<Told>,
    topic: String,
}

/// Where the client tells of itself.
struct Told(Arc<Link>);

impl ClientContext for Told {
    fn log(&self, level: RDKafkaLogLevel, what: &str, text: &str) {
        self.0.log(level, what, text);
    }

    /// It is in the log already, in more words.
    fn error(&self, _: KafkaError, _: &str) {}
}

/// The Go original is content when the leader of a partition has a record. Ours waits for those who stand in for it too: it
/// is the producer's choice alone, and readers see the same.
///
/// Not idempotent: for that a producer asks for a number after each outage, at the cost of a message that waits meanwhile,
/// and publishing twice is harmless. What is sent one after the other stays in order all the same, as each is confirmed
/// before the next.
fn config(brokers: &Brokers) -> ClientConfig {
    let mut config = link::config(brokers);
    config
        .set("acks", "all")
        // The hash of the Go client: FNV-1a, read as a signed number. An application keeps its partition with both.
        .set("partitioner", "fnv1a")
        // What is older the client gives up when it looks, which it does every second.
        .set("message.timeout.ms", "1800")
        .set("request.timeout.ms", "1800")
        .set("retry.backoff.ms", "50")
        // A message goes out at once, together with those that wait already.
        .set("linger.ms", "0")
        // The limit of the Go client. A broker's own may be less, and then it says so.
        .set("message.max.bytes", "1048576")
        .set("queue.buffering.max.messages", "10000")
        .set("queue.buffering.max.kbytes", "65536");
    config
}

impl KafkaTopic {
    /// # Errors
    /// Only what no broker could change.
    pub(super) async fn open(brokers: &Brokers, Writer { topic }: Writer) -> Result<Self> {
        let link = Arc::new(Link::new(&format!("the topic {topic}"), brokers));
        let producer: FutureProducer<Told> = config(brokers)
            .create_with_context(Told(Arc::clone(&link)))
            .map_err(|error| link.failed("setting up a client for", error))?;
        let topic = Self { link, producer, topic };
        // Mostly a broker is there in a moment, and the first message need not wait for it. Where none is, a check says so.
        let _ = topic.check().await;
        Ok(topic)
    }

    fn unpublished(&self, error: KafkaError) -> Error {
        self.link.failed("publishing to", error)
    }
}

#[async_trait]
impl Topic for KafkaTopic {
    async fn publish(&self, message: Message) -> Result<()> {
        let record = FutureRecord::to(&self.topic).key(&message.key).payload(&message.body[..]);
        let sent = self.producer.send_result(record).map_err(|(error, _)| self.unpublished(error))?;
        match tokio::time::timeout(PATIENCE, sent).await {
            Ok(Ok(Ok(_))) => {
                self.link.works();
                Ok(())
            }
            Ok(Ok(Err((error, _)))) => Err(self.unpublished(error)),
            Ok(Err(_)) => Err(self.link.fail(Kind::Internal, "the client has ended amid publishing to")),
            Err(_) => Err(self.link.silent()),
        }
    }

    async fn check(&self) -> Result<()> {
        let producer = self.producer.clone();
        let ask = move |topic: &str, left| producer.client().fetch_metadata(Some(topic), left);
        self.link.check(std::slice::from_ref(&self.topic), ask).await
    }
}
