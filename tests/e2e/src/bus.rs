//! A bus of a story's own, whatever is behind it.

use std::time::Duration;

use autopgo_conformance::brokers::{Ministack, Nats};
use autopgo_conformance::bus::Broker;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_fakes::servicebus;
use aws_config::BehaviorVersion;
use aws_config::Region;
use aws_config::profile::ProfileFileCredentialsProvider;

use crate::skip;

/// As which a client of MiniStack comes, in the files that `tests/services env` names.
const PROFILE: &str = "ministack";
const REGION: &str = "us-east-1";
/// The account of whoever has no other on MiniStack.
const ACCOUNT: &str = "000000000000";

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
        let address = broker.address();
        let endpoint = format!("http://{address}");
        let credentials = ProfileFileCredentialsProvider::builder().profile_name(PROFILE).build();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .endpoint_url(&endpoint)
            .credentials_provider(credentials)
            .load()
            .await;
        let (sns, sqs) = (aws_sdk_sns::Client::new(&config), aws_sdk_sqs::Client::new(&config));
        let queue = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:story");
        sqs.create_queue().queue_name("story").send().await.expect("a queue");
        let topic = sns.create_topic().name("story").send().await.expect("a topic");
        let topic = topic.topic_arn().expect("its name").to_owned();
        sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(queue).send().await.expect("subscribed");
        let access = format!("region={REGION}&endpoint={endpoint}&profile={PROFILE}");
        Some(Self {
            writer: format!("awssns:///{topic}?{access}"),
            reader: format!("awssqs://{address}/{ACCOUNT}/story?waittime=2s&{access}"),
            variables: Vec::new(),
            broker: Box::new(broker),
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
