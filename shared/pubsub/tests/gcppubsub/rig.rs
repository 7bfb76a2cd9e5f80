//! A topic and a subscription to it, each test's own, on a server that they share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_conformance::brokers::Cable;
use autopgo_conformance::bus::{Broker, Facts, Harness, Hold, Missing};
use autopgo_conformance::{Gap, gaps, skip};
use autopgo_core::clock::{Clock, System};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::bus::{Subscription, Topic};
use autopgo_pubsub::open::{Environment, subscription, topic};
use http::uri::PathAndQuery;
use tokio::sync::OnceCell;
use tonic::client::Grpc;
use tonic::transport::Endpoint;
use tonic_prost::ProstCodec;

/// A server, as `tests/services` calls it.
pub(crate) struct Server {
    name: &'static str,
    variable: &'static str,
    why: &'static str,
    gaps: &'static [Gap],
    gaps_of_ordered: &'static [Gap],
}

/// What a subscription holds a message for. Google's own least is 10 s, which neither server insists on.
const HOLD: Duration = Duration::from_secs(2);

/// Google's fake, for tests of its Go client.
pub(crate) const PSTEST: Server = Server {
    name: "pstest",
    variable: "AUTOPGO_TEST_PSTEST_URL",
    why: "`tests/run services` builds and starts it",
    gaps: gaps::PSTEST,
    gaps_of_ordered: gaps::PSTEST_ORDERED,
};
/// Google's emulator, for whoever develops with Pub/Sub.
pub(crate) const EMULATOR: Server = Server {
    name: "pubsub-emulator",
    variable: "AUTOPGO_TEST_PUBSUB_EMULATOR_URL",
    why: "`tests/run services` starts it where Google Cloud's SDK has it",
    gaps: gaps::PUBSUB_EMULATOR,
    gaps_of_ordered: gaps::PUBSUB_EMULATOR,
};

impl Server {
    /// Where it is, or `None`, said aloud.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        let Self { name, variable, why, .. } = self;
        let url = std::env::var(variable).ok().filter(|url| !url.is_empty());
        if url.is_none() {
            skip(name, &format!("{variable} names no server; {why}"));
        }
        let address = url?.trim_start_matches("http://").parse();
        Some(address.unwrap_or_else(|error| panic!("{variable} is no http://IP:PORT: {error}")))
    }
}

/// A bus of its own.
pub(crate) struct Google {
    server: &'static Server,
    address: Option<SocketAddr>,
    project: String,
    ordered: bool,
    hold: Hold,
    made: OnceCell<()>,
    line: Line,
}

/// A cable for whoever wants to cut it.
#[derive(Default)]
struct Line {
    wanted: AtomicBool,
    cable: OnceCell<Cable>,
}

#[async_trait]
impl Broker for Line {
    async fn stop(&self) -> Result<()> {
        self.cable()?.stop().await
    }

    async fn start(&self) -> Result<()> {
        self.cable()?.start().await
    }
}

impl Line {
    fn cable(&self) -> Result<&Cable> {
        self.cable.get().ok_or_else(|| Error::new(Kind::Internal, "nothing was opened yet"))
    }
}

impl Google {
    pub(crate) fn new(server: &'static Server, ordered: bool) -> Self {
        let project = format!("laws-{:016x}", System.random());
        let address = server.address();
        let hold = Hold::of(HOLD);
        Self { server, address, project, ordered, hold, made: OnceCell::new(), line: Line::default() }
    }

    /// The environment of whoever uses it, once it is made.
    pub(crate) async fn environment(&self) -> Result<Environment> {
        let server =
            self.address.ok_or_else(|| Error::new(Kind::Internal, format!("no {}", self.server.name)))?;
        self.made.get_or_try_init(|| self.make(server)).await?;
        Ok(environment(self.line.cable.get().map_or(server, Cable::address)))
    }

    async fn make(&self, server: SocketAddr) -> Result<()> {
        let failed = |error| Error::new(Kind::Internal, "making a bus").because(error);
        self.create(server).await.map_err(failed)
    }

    async fn create(&self, server: SocketAddr) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        if self.line.wanted.load(Ordering::Relaxed) {
            self.line.cable.get_or_try_init(|| Cable::to(server)).await?;
        }
        let channel = Endpoint::from_shared(format!("http://{server}"))?.connect().await?;
        let mut grpc = Grpc::new(channel);
        let name = format!("projects/{}/topics/pgo", self.project);
        let new = NewTopic { name: name.clone() };
        let path = PathAndQuery::from_static("/google.pubsub.v1.Publisher/CreateTopic");
        grpc.ready().await?;
        grpc.unary::<_, NewTopic, _>(tonic::Request::new(new), path, ProstCodec::default()).await?;
        let new = NewSubscription {
            name: format!("projects/{}/subscriptions/worker", self.project),
            topic: name,
            ack_deadline_seconds: i32::try_from(self.hold.get().as_secs())?,
            enable_message_ordering: self.ordered,
        };
        let path = PathAndQuery::from_static("/google.pubsub.v1.Subscriber/CreateSubscription");
        grpc.ready().await?;
        grpc.unary::<_, NewSubscription, _>(tonic::Request::new(new), path, ProstCodec::default()).await?;
        Ok(())
    }
}

/// `Topic`
#[derive(Clone, PartialEq, prost::Message)]
struct NewTopic {
    #[prost(string, tag = "1")]
    name: String,
}

/// `Subscription`
#[derive(Clone, PartialEq, prost::Message)]
struct NewSubscription {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    topic: String,
    #[prost(int32, tag = "5")]
    ack_deadline_seconds: i32,
    #[prost(bool, tag = "10")]
    enable_message_ordering: bool,
}

/// One whose Pub/Sub is at this address.
pub(crate) fn environment(address: SocketAddr) -> Environment {
    let host = address.to_string();
    Environment::new(Arc::new(System))
        .with_variables(move |name| (name == "PUBSUB_EMULATOR_HOST").then(|| host.clone()))
}

#[async_trait]
impl Harness for Google {
    async fn topic(&self) -> Result<Arc<dyn Topic>> {
        topic(&format!("gcppubsub://{}/pgo", self.project), &self.environment().await?).await
    }

    async fn subscription(&self) -> Result<Arc<dyn Subscription>> {
        let url = format!("gcppubsub://projects/{}/subscriptions/worker", self.project);
        subscription(&url, &self.environment().await?).await
    }

    async fn missing(&self) -> Result<(Missing, String)> {
        let url = format!("gcppubsub://{}/nobody", self.project);
        let environment = self.environment().await?;
        Ok(match self.ordered {
            true => (Missing::Topic(topic(&url, &environment).await?), "topics/nobody".to_owned()),
            false => {
                let missing = subscription(&url, &environment).await?;
                (Missing::Subscription(missing), "subscriptions/nobody".to_owned())
            }
        })
    }

    /// Asked for before anything is made, it is the line of this bus alone.
    fn broker(&self) -> Option<&dyn Broker> {
        self.line.wanted.store(true, Ordering::Relaxed);
        Some(&self.line)
    }

    fn hold_for_long(&self) {
        self.hold.lengthen();
    }

    fn facts(&self) -> Facts {
        Facts { ordered_by_key: self.ordered, ack_deadline: self.hold.get(), many: 1_000 }
    }

    fn lacking(&self) -> Option<String> {
        self.address.is_none().then(|| self.server.name.to_owned())
    }

    fn gaps(&self) -> &[Gap] {
        if self.ordered { self.server.gaps_of_ordered } else { self.server.gaps }
    }

    fn patience(&self) -> Duration {
        // What stands in the way of an order is waited for in vain.
        Duration::from_secs(if self.ordered { 20 } else { 120 })
    }
}
