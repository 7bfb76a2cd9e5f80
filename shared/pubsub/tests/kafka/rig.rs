//! A bus of its own on a broker: a topic and a group.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use autopgo_conformance::brokers::Kafka as Own;
use autopgo_conformance::bus::{Broker, Facts, Harness, Missing};
use autopgo_conformance::{Gap, gaps, skip};
use autopgo_core::clock::{Clock, System};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::bus::{Message, Subscription, Topic};
use autopgo_pubsub::open::{Environment, subscription, topic};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::metadata::MetadataTopic;
use tokio::sync::OnceCell;

/// What the server is called by `tests/services`.
const SERVER: &str = "kafka";
const VARIABLE: &str = "AUTOPGO_TEST_KAFKA_BROKERS";
/// So many that of two or four consumers each has one with an application of the laws in it.
const PARTITIONS: i32 = 4;

/// A bus of its own.
pub(crate) struct Kafka {
    brokers: Option<String>,
    pub(crate) name: String,
    made: OnceCell<()>,
    restarts: Restarts,
}

/// A broker of its own for whoever wants to stop it; the others share one.
#[derive(Default)]
struct Restarts {
    wanted: AtomicBool,
    own: OnceCell<Own>,
}

#[async_trait]
impl Broker for Restarts {
    async fn stop(&self) -> Result<()> {
        self.own().await?.stop().await
    }

    async fn start(&self) -> Result<()> {
        self.own().await?.start().await
    }
}

impl Restarts {
    async fn own(&self) -> Result<&Own> {
        self.own.get_or_try_init(|| Own::started(&[])).await
    }
}

impl Kafka {
    pub(crate) fn new() -> Self {
        let name = format!("laws-{:016x}", System.random());
        Self { brokers: brokers(), name, made: OnceCell::new(), restarts: Restarts::default() }
    }

    /// The same, if there is a broker, with its topic made.
    pub(crate) async fn here() -> Option<Self> {
        let kafka = Self::new();
        kafka.brokers.as_ref()?;
        kafka.make().await.expect("a topic");
        Some(kafka)
    }

    pub(crate) fn brokers(&self) -> Result<String> {
        match (self.restarts.own.get(), &self.brokers) {
            (Some(own), _) => Ok(own.brokers()),
            (None, Some(brokers)) => Ok(brokers.clone()),
            (None, None) => Err(Error::new(Kind::Internal, format!("there is no {SERVER}"))),
        }
    }

    pub(crate) fn environment(&self) -> Result<Environment> {
        Ok(environment(&self.brokers()?))
    }

    async fn make(&self) -> Result<()> {
        let make = || async {
            if self.restarts.wanted.load(Ordering::Relaxed) {
                self.restarts.own().await?;
            }
            make_topic(&self.brokers()?, &self.name, PARTITIONS).await
        };
        self.made.get_or_try_init(make).await.map(drop)
    }
}

pub(crate) fn environment(brokers: &str) -> Environment {
    let brokers = brokers.to_owned();
    Environment::new(Arc::new(System))
        .with_variables(move |name| (name == "KAFKA_BROKERS").then(|| brokers.clone()))
}

pub(crate) async fn make_topic(brokers: &str, name: &str, partitions: i32) -> Result<()> {
    let failed = |error: String| Error::new(Kind::Internal, format!("making a topic: {error}"));
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()
        .map_err(|error| failed(error.to_string()))?;
    let wait = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    let made = admin.create_topics([&topic], &wait).await.map_err(|error| failed(error.to_string()))?;
    made.into_iter().try_for_each(|made| made.map(drop).map_err(|(_, code)| failed(code.to_string())))?;
    // The controller has it; the broker hears of it a moment later.
    let until = Instant::now() + Duration::from_secs(30);
    while !tokio::task::block_in_place(|| is_there(&admin, name, partitions)) {
        if Instant::now() > until {
            return Err(failed(format!("{name} is not there")));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn is_there(admin: &AdminClient<DefaultClientContext>, name: &str, partitions: i32) -> bool {
    let Ok(metadata) = admin.inner().fetch_metadata(Some(name), Duration::from_secs(5)) else { return false };
    let led = metadata.topics().iter().flat_map(MetadataTopic::partitions).filter(|part| part.leader() >= 0);
    i32::try_from(led.count()) == Ok(partitions)
}

pub(crate) fn message(key: &str, body: &str) -> Message {
    Message { body: body.to_owned().into(), key: key.to_owned() }
}

/// Where a broker is, or `None`, said aloud.
pub(crate) fn brokers() -> Option<String> {
    let brokers = std::env::var(VARIABLE).ok().filter(|brokers| !brokers.is_empty());
    if brokers.is_none() {
        skip(SERVER, &format!("{VARIABLE} names no broker; `tests/run services` starts one"));
    }
    brokers
}

#[async_trait]
impl Harness for Kafka {
    async fn topic(&self) -> Result<Arc<dyn Topic>> {
        self.make().await?;
        topic(&format!("kafka://{}", self.name), &self.environment()?).await
    }

    async fn subscription(&self) -> Result<Arc<dyn Subscription>> {
        self.make().await?;
        let url = format!("kafka://{0}-workers?topic={0}&offset=oldest", self.name);
        subscription(&url, &self.environment()?).await
    }

    async fn missing(&self) -> Result<(Missing, String)> {
        let other = Self::new().name;
        Ok((Missing::Topic(topic(&format!("kafka://{other}"), &self.environment()?).await?), other))
    }

    /// Asked for before anything is made, it is one of this bus alone.
    fn broker(&self) -> Option<&dyn Broker> {
        self.restarts.wanted.store(true, Ordering::Relaxed);
        Some(&self.restarts)
    }

    fn facts(&self) -> Facts {
        // A record has no deadline; this is how long one waits for what should not come.
        Facts { ordered_by_key: true, ack_deadline: Duration::from_secs(3), many: 10_000 }
    }

    /// Partitions are given to whoever is in the group.
    fn pushes(&self) -> bool {
        true
    }

    fn lacking(&self) -> Option<String> {
        self.brokers.is_none().then(|| SERVER.to_owned())
    }

    fn gaps(&self) -> &[Gap] {
        gaps::KAFKA
    }

    fn patience(&self) -> Duration {
        // What never comes back is waited for in vain.
        Duration::from_secs(60)
    }
}
