//! A bus of its own on the server: a queue, and before it a topic or none.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_aws::access::Access;
use autopgo_conformance::brokers::Ministack;
use autopgo_conformance::bus::{Broker, Facts, Harness, Hold, Missing};
use autopgo_conformance::{Gap, gaps, skip};
use autopgo_core::clock::{Clock, System};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::bus::{Message, Subscription, Topic};
use autopgo_pubsub::open::{Environment, subscription, topic};
use aws_sdk_sqs::types::QueueAttributeName;
use tokio::sync::OnceCell;

/// What the server is called by `tests/services`, and the profile with its credentials.
pub(crate) const SERVER: &str = "ministack";
const VARIABLE: &str = "AUTOPGO_TEST_MINISTACK_URL";
const REGION: &str = "us-east-1";
/// The account of whoever has no other on the server.
const ACCOUNT: &str = "000000000000";

/// What stands before a queue, and what kind it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A standard queue alone.
    Queue,
    /// A FIFO queue alone.
    FifoQueue,
    /// A standard topic that wraps what it hands on.
    Wrapped,
    /// A standard topic with raw delivery.
    Raw,
    /// A FIFO topic that wraps, before a FIFO queue.
    FifoTopic,
}

impl Shape {
    fn has_topic(self) -> bool {
        matches!(self, Self::Wrapped | Self::Raw | Self::FifoTopic)
    }

    pub(crate) fn is_fifo(self) -> bool {
        matches!(self, Self::FifoQueue | Self::FifoTopic)
    }
}

/// A bus of its own.
pub(crate) struct Aws {
    pub(crate) shape: Shape,
    address: Option<SocketAddr>,
    name: String,
    /// What the queue holds a message for.
    hold: Hold,
    /// How long its subscriptions are to wait.
    waittime: &'static str,
    made: OnceCell<()>,
    restarts: Restarts,
}

/// A server of its own for whoever wants to stop it; the others share one.
#[derive(Default)]
struct Restarts {
    wanted: AtomicBool,
    own: OnceCell<Ministack>,
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
    async fn own(&self) -> Result<&Ministack> {
        self.own.get_or_try_init(Ministack::started).await
    }
}

impl Aws {
    pub(crate) fn new(shape: Shape) -> Self {
        Self::holding(shape, Duration::from_secs(2))
    }

    /// One whose queue holds a message for this long.
    pub(crate) fn holding(shape: Shape, hold: Duration) -> Self {
        let end = if shape.is_fifo() { ".fifo" } else { "" };
        let name = format!("laws-{:016x}{end}", System.random());
        Self {
            shape,
            address: address(),
            name,
            hold: Hold::of(hold),
            waittime: "1s",
            made: OnceCell::new(),
            restarts: Restarts::default(),
        }
    }

    /// The same, with subscriptions that are to wait for this long.
    pub(crate) fn waiting(self, waittime: &'static str) -> Self {
        Self { waittime, ..self }
    }

    /// The same, if there is a server.
    pub(crate) fn here(shape: Shape, hold: Duration) -> Option<Self> {
        let aws = Self::holding(shape, hold);
        aws.address.map(|_| aws)
    }

    pub(crate) fn reached(&self) -> Result<SocketAddr> {
        if let Some(own) = self.restarts.own.get() {
            return Ok(own.address());
        }
        self.address.ok_or_else(|| Error::new(Kind::Internal, format!("there is no {SERVER}")))
    }

    /// The server's own clients, for what a bus does not do.
    pub(crate) async fn clients(&self) -> Result<(aws_sdk_sns::Client, aws_sdk_sqs::Client)> {
        let access =
            Access { region: Some(REGION.to_owned()), profile: Some(SERVER.to_owned()), ..Access::default() };
        let config = access.load(SERVER).await?;
        let endpoint = format!("http://{}", self.reached()?);
        let config = config.into_builder().endpoint_url(endpoint).build();
        Ok((aws_sdk_sns::Client::new(&config), aws_sdk_sqs::Client::new(&config)))
    }

    pub(crate) fn queue_url(&self) -> Result<String> {
        Ok(format!("https://{}/{ACCOUNT}/{}", self.reached()?, self.name))
    }

    fn topic_arn(&self) -> String {
        format!("arn:aws:sns:{REGION}:{ACCOUNT}:{}", self.name)
    }

    /// Makes them, once.
    pub(crate) async fn make(&self) -> Result<()> {
        let failed = |error| Error::new(Kind::Internal, "making a bus").because(error);
        let make = || async {
            if self.restarts.wanted.load(Ordering::Relaxed) {
                self.restarts.own().await?;
            }
            self.create().await.map_err(failed)
        };
        self.made.get_or_try_init(make).await.map(drop)
    }

    async fn create(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let (sns, sqs) = self.clients().await?;
        let queue_arn = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", self.name);
        let allowed = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"sns.amazonaws.com"}},"Action":"sqs:SendMessage","Resource":"{queue_arn}"}}]}}"#
        );
        let mut queue = sqs
            .create_queue()
            .queue_name(&self.name)
            .attributes(QueueAttributeName::VisibilityTimeout, self.hold.get().as_secs().to_string())
            .attributes(QueueAttributeName::Policy, allowed);
        if self.shape.is_fifo() {
            queue = queue.attributes(QueueAttributeName::FifoQueue, "true");
        }
        queue.send().await?;
        if !self.shape.has_topic() {
            return Ok(());
        }
        let mut topic = sns.create_topic().name(&self.name);
        if self.shape.is_fifo() {
            topic = topic.attributes("FifoTopic", "true");
        }
        topic.send().await?;
        let raw = if self.shape == Shape::Raw { "true" } else { "false" };
        let subscribe = sns.subscribe().topic_arn(self.topic_arn()).protocol("sqs").endpoint(queue_arn);
        subscribe.attributes("RawMessageDelivery", raw).send().await?;
        Ok(())
    }

    /// Where one publishes, reached through `address`.
    pub(crate) fn topic_url(&self, address: SocketAddr) -> String {
        let access = access(address);
        if self.shape.has_topic() {
            format!("awssns:///{}?{access}", self.topic_arn())
        } else {
            format!("awssqs://{address}/{ACCOUNT}/{}?{access}", self.name)
        }
    }

    /// Where one receives, reached through `address`.
    pub(crate) fn subscription_url(&self, address: SocketAddr) -> String {
        let (raw, waittime) = (self.shape == Shape::Raw, self.waittime);
        format!(
            "awssqs://{address}/{ACCOUNT}/{}?waittime={waittime}&raw={raw}&{}",
            self.name,
            access(address)
        )
    }

    /// Where one receives, with these parameters beside the usual ones.
    pub(crate) async fn subscription_with(&self, more: &str) -> Result<Arc<dyn Subscription>> {
        self.make().await?;
        subscription(&(self.subscription_url(self.reached()?) + more), &environment()).await
    }

    pub(crate) async fn publish(&self, body: impl Into<bytes::Bytes>) -> Result<()> {
        let message = Message { body: body.into(), key: "checkout".to_owned() };
        self.topic().await?.publish(message).await
    }
}

/// How the server is reached through `address`, and as whom.
pub(crate) fn access(address: SocketAddr) -> String {
    format!("region={REGION}&endpoint=http://{address}&profile={SERVER}")
}

pub(crate) fn environment() -> Environment {
    Environment::new(Arc::new(System))
}

/// Where the server is, or `None`, said aloud.
pub(crate) fn address() -> Option<SocketAddr> {
    let url = std::env::var(VARIABLE).ok().filter(|url| !url.is_empty());
    if url.is_none() {
        skip(SERVER, &format!("{VARIABLE} names no server; `tests/run services` starts one"));
    }
    let address = url?.trim_start_matches("http://").parse();
    Some(address.unwrap_or_else(|error| panic!("{VARIABLE} is no http://IP:PORT: {error}")))
}

#[async_trait]
impl Harness for Aws {
    async fn topic(&self) -> Result<Arc<dyn Topic>> {
        self.make().await?;
        topic(&self.topic_url(self.reached()?), &environment()).await
    }

    async fn subscription(&self) -> Result<Arc<dyn Subscription>> {
        self.make().await?;
        subscription(&self.subscription_url(self.reached()?), &environment()).await
    }

    async fn missing(&self) -> Result<(Missing, String)> {
        let other = Self::new(self.shape);
        let url = other.topic_url(self.reached()?);
        if self.shape.has_topic() {
            return Ok((Missing::Topic(topic(&url, &environment()).await?), other.name));
        }
        let url = other.subscription_url(self.reached()?);
        Ok((Missing::Subscription(subscription(&url, &environment()).await?), other.name))
    }

    /// Asked for before anything is made, it is one of this bus alone.
    fn broker(&self) -> Option<&dyn Broker> {
        self.restarts.wanted.store(true, Ordering::Relaxed);
        Some(&self.restarts)
    }

    fn hold_for_long(&self) {
        self.hold.lengthen();
    }

    fn facts(&self) -> Facts {
        Facts { ordered_by_key: self.shape.is_fifo(), ack_deadline: self.hold.get(), many: 1_000 }
    }

    fn lacking(&self) -> Option<String> {
        self.address.is_none().then(|| SERVER.to_owned())
    }

    fn gaps(&self) -> &[Gap] {
        gaps::MINISTACK
    }
}
