//! A bus of a story's own, whatever is behind it.

use std::time::Duration;

use autopgo_conformance::brokers::{Cable, Kafka, Ministack, Nats};
use autopgo_conformance::bus::Broker;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_fakes::servicebus;

use crate::original::Original;
use crate::skip;
use crate::sns::Aws;

/// Both ends, and what stops and starts what is between them.
pub struct Bus {
    /// As `--event-writer-url` has it.
    pub writer: String,
    /// As `--event-reader-url` has it.
    pub reader: String,
    /// The variables that open it.
    pub variables: Vec<(&'static str, String)>,
    /// What can be stopped and started again.
    pub broker: Box<dyn Broker>,
}

impl Bus {
    /// Core NATS, which forgets a message when it hands it over; `None`, said aloud, where there is no server.
    pub fn nats() -> Option<Self> {
        Self::on_nats("nats://story", "nats://story?queue=workers")
    }

    /// JetStream; `None`, said aloud, where there is no server.
    pub fn jetstream() -> Option<Self> {
        let url = "nats://story?jetstream=STORY";
        Self::on_nats(url, url)
    }

    fn on_nats(writer: &str, reader: &str) -> Option<Self> {
        let broker = Nats::start()?;
        Some(Self {
            writer: writer.to_owned(),
            reader: reader.to_owned(),
            variables: vec![("NATS_SERVER_URL", broker.url())],
            broker: Box::new(broker),
        })
    }

    /// A topic of SNS before a queue of SQS, which wraps what it hands on; `None`, said aloud, where there is no
    /// server.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn sns_and_sqs() -> Option<Self> {
        skip::server("ministack")?;
        let broker = Ministack::started().await.expect("a server of its own");
        let aws = Aws::at(format!("http://{}", broker.address()), false).await;
        Some(Self {
            writer: aws.topic().await,
            reader: aws.subscribed("workers", false).await,
            variables: Vec::new(),
            broker: Box::new(broker),
        })
    }

    /// A topic of Kafka in six partitions, and a group; `None`, said aloud, where there is no server.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn kafka() -> Option<Self> {
        skip::variable("kafka", "AUTOPGO_TEST_KAFKA")?;
        let broker = Kafka::started(&["auto.create.topics.enable=true", "num.partitions=6"]).await;
        let broker = broker.expect("a server of its own");
        Some(Self {
            writer: "kafka://story".to_owned(),
            reader: "kafka://workers?topic=story&offset=oldest".to_owned(),
            variables: vec![("KAFKA_BROKERS", broker.brokers())],
            broker: Box::new(broker),
        })
    }

    /// A topic of Google Cloud Pub/Sub and a subscription to it, on Google's fake. That keeps all in memory, so that its
    /// restart is a cable that is cut; and if it keeps the order, it gives one message of a key at a time, which is slower
    /// than the sweep. `None`, said aloud, where there is no server.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn pubsub() -> Option<Self> {
        let server = skip::server("pstest")?.trim_start_matches("http://").to_owned();
        let project = format!("story-{:016x}", fastrand::u64(..));
        let make = ["make", "gcppubsub", &project, "profile", "unordered", "workers"];
        Original::new()?.with("PUBSUB_EMULATOR_HOST", &server).run(&make, b"").await;
        let cable = Cable::to(server.parse().expect("IP:PORT")).await.expect("a port");
        Some(Self {
            writer: format!("gcppubsub://projects/{project}/topics/profile"),
            reader: format!("gcppubsub://{project}/workers"),
            variables: vec![("PUBSUB_EMULATOR_HOST", cable.address().to_string())],
            broker: Box::new(cable),
        })
    }

    /// A topic of Azure Service Bus and a subscription to it, on the peer in this repository.
    ///
    /// # Panics
    /// When it does not start.
    pub fn service_bus() -> Self {
        let peer = servicebus::Fake::start().expect("a peer");
        // A lock that a worker lets go when it is killed is free again while the story lasts.
        peer.make("story", "workers", servicebus::Setup { lock: Duration::from_secs(5), deliveries: 10 });
        Self {
            writer: "azuresb://story".to_owned(),
            reader: "azuresb://story?subscription=workers".to_owned(),
            variables: vec![("SERVICEBUS_CONNECTION_STRING", peer.connection_string("manager"))],
            broker: Box::new(Peer(peer)),
        }
    }
}

struct Peer(servicebus::Fake);

#[async_trait::async_trait]
impl Broker for Peer {
    async fn stop(&self) -> Result<()> {
        self.0.stop();
        Ok(())
    }

    async fn start(&self) -> Result<()> {
        let started = self.0.start_again();
        started.map_err(|error| Error::new(Kind::Internal, "starting the peer again").because(error))
    }
}
