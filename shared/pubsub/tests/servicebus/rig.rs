//! A topic with a subscription, on a peer of a test's own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use autopgo_conformance::bus::{Broker, Facts, Harness, Missing};
use autopgo_conformance::proxy::Proxy;
use autopgo_conformance::wire::Request;
use autopgo_core::clock::System;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::bus::{Message, Subscription, Topic};
use autopgo_fakes::servicebus::{Fake, Setup};
use autopgo_pubsub::open::{Environment, subscription, topic};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What nothing takes that goes well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A peer with one topic and one subscription to it.
pub(crate) struct Peer {
    pub(crate) fake: Fake,
    pub(crate) environment: Environment,
    /// How long the requests of its readers are to wait.
    listener_timeout: &'static str,
    lock: Duration,
}

impl Peer {
    pub(crate) fn new(lock: Duration) -> Self {
        // The most that the service allows: a law may hand back what it likes.
        Self::with(Setup { lock, deliveries: 2000 })
    }

    pub(crate) fn with(setup: Setup) -> Self {
        let fake = Fake::start().expect("a peer");
        fake.make("laws", "worker", setup);
        let environment =
            environment(&[("SERVICEBUS_CONNECTION_STRING", &fake.connection_string("manager"))]);
        Self { fake, environment, listener_timeout: "1s", lock: setup.lock }
    }

    /// The same, with readers whose requests are to wait for so long.
    pub(crate) fn waiting(self, listener_timeout: &'static str) -> Self {
        Self { listener_timeout, ..self }
    }

    pub(crate) async fn topic(&self) -> Arc<dyn Topic> {
        topic("azuresb://laws", &self.environment).await.expect("a topic")
    }

    pub(crate) async fn reader(&self) -> Arc<dyn Subscription> {
        let url = format!("azuresb://laws?subscription=worker&listener_timeout={}", self.listener_timeout);
        subscription(&url, &self.environment).await.expect("a subscription")
    }

    pub(crate) async fn published(&self, bodies: impl IntoIterator<Item = &str>) {
        let topic = self.topic().await;
        for body in bodies {
            topic.publish(message(body)).await.expect("published");
        }
    }

    /// Both ends behind a proxy.
    pub(crate) async fn behind(&self) -> (Proxy, Arc<dyn Topic>, Arc<dyn Subscription>) {
        let proxy = Proxy::before(self.fake.address()).await.expect("a proxy");
        let environment = self.environment_at(proxy.address());
        let topic = topic("azuresb://laws", &environment).await.expect("a topic");
        let url = "azuresb://laws?subscription=worker&listener_timeout=1s";
        let subscription = subscription(url, &environment).await.expect("a subscription");
        (proxy, topic, subscription)
    }

    /// One that reaches it at another address.
    pub(crate) fn environment_at(&self, address: SocketAddr) -> Environment {
        let string = self.fake.connection_string("manager");
        let string = string.replace(&self.fake.address().to_string(), &address.to_string());
        environment(&[("SERVICEBUS_CONNECTION_STRING", &string)])
    }

    /// Where the next message that is received breaks off before its end. It ends with the test.
    pub(crate) async fn breaking_off(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (address, upstream) = (listener.local_addr().expect("an address"), self.fake.address());
        tokio::spawn(async move {
            let mut whole = false;
            while let Ok((client, _)) = listener.accept().await {
                // A client that is gone is its own affair.
                whole |= pass(client, upstream, whole).await.unwrap_or(true);
            }
        });
        address
    }
}

/// Passes on one request, and its answer, the first message without its last byte; whether there was one.
async fn pass(mut client: TcpStream, upstream: SocketAddr, whole: bool) -> std::io::Result<bool> {
    let Some(request) = Request::read(&mut client).await? else { return Ok(false) };
    let mut server = TcpStream::connect(upstream).await?;
    request.send(&mut server).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    let is_message = request.target.contains("/messages/head") && answer.starts_with(b"HTTP/1.1 201");
    if is_message && !whole {
        answer.pop();
    }
    client.write_all(&answer).await?;
    client.shutdown().await?;
    Ok(is_message)
}

pub(crate) fn message(body: &str) -> Message {
    Message { body: body.to_owned().into(), key: "hello-world".to_owned() }
}

pub(crate) fn environment(variables: &[(&str, &str)]) -> Environment {
    let variables: Vec<(String, String)> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Environment::new(Arc::new(System)).with_variables(move |name| {
        variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    })
}

/// `future`, which does not take long.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it ends")
}

/// Until `condition` holds.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[async_trait]
impl Harness for Peer {
    async fn topic(&self) -> Result<Arc<dyn Topic>> {
        Ok(self.topic().await)
    }

    async fn subscription(&self) -> Result<Arc<dyn Subscription>> {
        Ok(self.reader().await)
    }

    async fn missing(&self) -> Result<(Missing, String)> {
        let url = "azuresb://laws?subscription=nobody";
        Ok((Missing::Subscription(subscription(url, &self.environment).await?), "nobody".to_owned()))
    }

    fn broker(&self) -> Option<&dyn Broker> {
        Some(self)
    }

    fn grain(&self) -> Duration {
        // The end of a lock comes in whole seconds.
        Duration::from_secs(1)
    }

    fn facts(&self) -> Facts {
        // The order needs sessions.
        Facts { ordered_by_key: false, ack_deadline: self.lock, many: 1_000 }
    }
}

#[async_trait]
impl Broker for Peer {
    async fn stop(&self) -> Result<()> {
        self.fake.stop();
        Ok(())
    }

    async fn start(&self) -> Result<()> {
        self.fake
            .start_again()
            .map_err(|error| Error::new(Kind::Internal, "starting it again").because(error))
    }
}
