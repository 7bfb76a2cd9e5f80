//! Azure Service Bus, in memory: topics and subscriptions over its REST API, and the places that give tokens for it.
//!
//! Written from <https://learn.microsoft.com/rest/api/servicebus/service-bus-runtime-rest> (send, peek-lock, delete, unlock,
//! renew-lock), <https://learn.microsoft.com/rest/api/servicebus/message-headers-and-properties>,
//! <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas> and
//! <https://learn.microsoft.com/azure/service-bus-messaging/message-transfers-locks-settlement>. Microsoft's emulator speaks
//! AMQP alone. Its newer clients do too; `tests/python.rs` drives this by the last that spoke REST, `azure-servicebus`
//! 0.21.1 for Python.
//!
//! What it keeps: who asks and what they may, locks and how long they last, how often a message was delivered, the
//! dead letters, what is sent twice. It has no sessions, filters, batches or scheduled messages, and nothing is ever too
//! old.

mod broker;
mod rights;
mod tokens;
mod world;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::server::{self, Server};
use rights::Rules;
use tokens::Tokens;
use world::World;

pub use tokens::{CLIENT, SECRET, TENANT};

/// A server on the loopback address, until it is dropped.
pub struct Fake {
    address: SocketAddr,
    server: Mutex<Option<Server>>,
    state: Arc<State>,
}

/// What its handlers share.
struct State {
    rules: Rules,
    tokens: Tokens,
    world: Mutex<World>,
    /// Something may be there to be received.
    news: Notify,
    /// How many requests for a message are not answered yet.
    waiting: AtomicUsize,
}

impl State {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a subscription is set up.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// `LockDuration`: how long a message is its receiver's.
    pub lock: Duration,
    /// `MaxDeliveryCount`: a message that comes back after so many deliveries becomes a dead letter.
    pub deliveries: u32,
}

impl Default for Setup {
    /// As the service sets it up of itself.
    fn default() -> Self {
        Self { lock: Duration::from_secs(60), deliveries: 10 }
    }
}

impl Fake {
    /// One on a port that is free.
    ///
    /// # Errors
    /// There is no port to be had.
    pub fn start() -> io::Result<Self> {
        Self::start_on(0)
    }

    /// The same on this port.
    ///
    /// # Errors
    /// Those of [`Fake::start`].
    pub fn start_on(port: u16) -> io::Result<Self> {
        let (listener, address) = server::listen(port)?;
        let state = State {
            rules: Rules::new(),
            tokens: Tokens::default(),
            world: Mutex::default(),
            news: Notify::new(),
            waiting: AtomicUsize::new(0),
        };
        let state = Arc::new(state);
        let server = Server::start(listener, router(Arc::clone(&state)))?;
        Ok(Self { address, server: Mutex::new(Some(server)), state })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it, with every connection; what it has it keeps.
    pub fn stop(&self) {
        drop(self.server().take());
    }

    /// Starts it where it was.
    ///
    /// # Errors
    /// Somebody else has its port by now.
    pub fn start_again(&self) -> io::Result<()> {
        self.stop();
        let (listener, _) = server::listen(self.address.port())?;
        *self.server() = Some(Server::start(listener, router(Arc::clone(&self.state)))?);
        Ok(())
    }

    fn server(&self) -> MutexGuard<'_, Option<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key of a rule: `manager`, `sender` or `listener`, by what they may.
    pub fn key(&self, rule: &str) -> &str {
        self.state.rules.key(rule)
    }

    /// The connection string with that key.
    pub fn connection_string(&self, rule: &str) -> String {
        let (address, key) = (self.address(), self.key(rule));
        format!(
            "Endpoint=sb://{address}/;SharedAccessKeyName={rule};SharedAccessKey={key};UseDevelopmentEmulator=true"
        )
    }

    /// A signature with that key for one topic, which is good until `end`.
    pub fn signature(&self, rule: &str, topic: &str, end: Timestamp) -> String {
        self.state.rules.sign(rule, &format!("http://{}/{topic}", self.address()), end)
    }

    /// Makes a topic with one subscription, or one more for a topic that is there.
    pub fn make(&self, topic: &str, subscription: &str, setup: Setup) {
        self.state.world().make(topic, subscription, setup);
    }

    /// Removes a subscription, with what it has. Whether it was there.
    pub fn remove(&self, topic: &str, subscription: &str) -> bool {
        self.state.world().remove(topic, Some(subscription)).is_ok()
    }

    /// How many requests for a message are not answered yet.
    pub fn waiting(&self) -> usize {
        self.state.waiting.load(Ordering::SeqCst)
    }

    /// Sends a message to a topic as a sender would that speaks AMQP, with its partition key. Whether there is that topic.
    pub fn send(&self, topic: &str, body: &Bytes, key: &str) -> bool {
        let properties = serde_json::Map::from_iter([("PartitionKey".to_owned(), key.into())]);
        let sent = self.state.world().send(&topic.to_lowercase(), body, None, properties).is_ok();
        self.state.news.notify_waiters();
        sent
    }

    /// A receiver that speaks AMQP: what it does needs no request.
    pub fn receiver(&self, topic: &str, subscription: &str) -> Receiver {
        let (topic, subscription) = (topic.to_lowercase(), subscription.to_lowercase());
        Receiver { state: Arc::clone(&self.state), topic, subscription }
    }

    /// From now on, this topic takes no message a second time (`RequiresDuplicateDetection`).
    pub fn detect_duplicates(&self, topic: &str) {
        self.state.world().detect_duplicates(topic);
    }

    /// How many messages a subscription has, whoever they are locked by, and how many dead letters.
    pub fn count(&self, topic: &str, subscription: &str) -> (usize, usize) {
        self.state.world().count(topic, subscription)
    }

    /// The properties of the messages of a subscription, as a receiver would see them.
    pub fn properties(&self, topic: &str, subscription: &str) -> Vec<serde_json::Value> {
        self.state.world().properties(topic, subscription)
    }

    /// How many tokens it has given.
    pub fn tokens(&self) -> usize {
        self.state.tokens.given()
    }

    /// The tokens that it gives from now on last so long.
    pub fn tokens_last(&self, life: Duration) {
        self.state.tokens.last(life);
    }
}

/// Receives from a subscription, message by message.
pub struct Receiver {
    state: Arc<State>,
    topic: String,
    subscription: String,
}

/// A message that is locked.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its body.
    pub body: Bytes,
    /// Its properties, those that its sender gave it and those of this delivery.
    pub properties: serde_json::Value,
    id: String,
    token: String,
}

impl Receiver {
    /// Locks the first message that nobody has.
    pub fn receive(&self) -> Option<Received> {
        let stored = self.state.world().lock(&self.topic, &self.subscription).ok()?.ok()?;
        Some(Received {
            properties: stored.as_received(),
            id: stored.sequence().to_string(),
            token: stored.token(),
            body: stored.body,
        })
    }

    /// The message is done with. Whether it was still its receiver's.
    pub fn complete(&self, message: &Received) -> bool {
        self.state.world().delete(&self.topic, &self.subscription, &message.id, &message.token).is_ok()
    }

    /// The message is given back. Whether it was still its receiver's.
    pub fn abandon(&self, message: &Received) -> bool {
        let given_back =
            self.state.world().unlock(&self.topic, &self.subscription, &message.id, &message.token).is_ok();
        self.state.news.notify_waiters();
        given_back
    }

    /// The message is kept for another lock duration. Whether it was still its receiver's.
    pub fn renew(&self, message: &Received) -> bool {
        self.state.world().renew(&self.topic, &self.subscription, &message.id, &message.token).is_ok()
    }

    /// How long a lock lasts.
    pub fn lock_duration(&self) -> Duration {
        self.state.world().lock_duration(&self.topic, &self.subscription).unwrap_or_default()
    }
}

fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(tokens::entra))
        .route("/metadata/identity/oauth2/token", get(tokens::machine))
        .route("/msi/token", get(tokens::place))
        .fallback(broker::serve)
        .with_state(state)
}
