//! A push subscription of Pub/Sub: who sends the requests, and again what was not acknowledged.
//!
//! Written from <https://cloud.google.com/pubsub/docs/push> (the request, the codes that acknowledge, the deadline that is
//! the time-out of the request too), <https://cloud.google.com/pubsub/docs/payload-unwrapping>,
//! <https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions>,
//! <https://cloud.google.com/pubsub/docs/handling-failures> (backoff, dead letters),
//! <https://cloud.google.com/pubsub/docs/ordering> (one message of a key at a time) and
//! <https://cloud.google.com/eventarc/docs/cloudevents#pubsub>.
//!
//! What it does not have: the pace at which Pub/Sub begins, and the least of 10 s that a deadline and a backoff have there,
//! for tests would wait long.

mod request;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

pub use request::{Message, Shape};

/// How many requests it makes at once.
const AT_ONCE: usize = 100;

/// What gives the token for a request.
pub type Token = Arc<dyn Fn() -> String + Send + Sync>;

/// How the subscription is set up.
#[derive(Clone)]
pub struct Setup {
    /// `pushEndpoint`
    pub endpoint: String,
    /// How a request is made of a message.
    pub shape: Shape,
    /// `ackDeadlineSeconds`
    pub ack_deadline: Duration,
    /// `enableMessageOrdering`
    pub ordered: bool,
    /// `maxDeliveryAttempts`, with a dead-letter topic.
    pub deliveries: Option<u32>,
    /// `minimumBackoff` and `maximumBackoff`
    pub backoff: (Duration, Duration),
    /// `oidcToken`
    pub token: Option<Token>,
}

impl Setup {
    /// One that pushes to `endpoint`, wrapped, in any order, for ever, and quickly.
    pub fn to(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            shape: Shape::Wrapped,
            ack_deadline: Duration::from_secs(10),
            ordered: false,
            deliveries: None,
            backoff: (Duration::from_millis(50), Duration::from_secs(1)),
            token: None,
        }
    }
}

/// One request, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The message's id.
    pub id: String,
    /// Which of its deliveries it was, from 1 on.
    pub attempt: u32,
    /// The status of the answer, unless there was none in time.
    pub answer: Option<u16>,
}

impl Delivery {
    /// Whether it acknowledges the message.
    pub fn acknowledges(&self) -> bool {
        matches!(self.answer, Some(102 | 200 | 201 | 202 | 204))
    }
}

/// A subscription, until it is dropped: requests are given up then. To be used inside a Tokio runtime.
pub struct Push {
    shared: Arc<Shared>,
    tasks: Mutex<JoinSet<()>>,
}

struct Shared {
    setup: Setup,
    client: Client,
    room: Semaphore,
    world: Mutex<World>,
}

#[derive(Default)]
struct World {
    published: u64,
    outstanding: usize,
    under_way: usize,
    /// Of each key that is under way, those that wait for the one before.
    queues: BTreeMap<String, VecDeque<Message>>,
    deliveries: Vec<Delivery>,
    dead: Vec<Message>,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers a message until it is acknowledged, or dead.
    async fn deliver(&self, message: Message) {
        let (mut pause, longest) = self.setup.backoff;
        for attempt in 1.. {
            if self.ended(self.once(&message, attempt).await, &message) {
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// Whether this delivery of the message was its last.
    fn ended(&self, delivery: Delivery, message: &Message) -> bool {
        let acknowledged = delivery.acknowledges();
        let dead = !acknowledged && self.setup.deliveries.is_some_and(|most| delivery.attempt >= most);
        let mut world = self.world();
        world.deliveries.push(delivery);
        if dead {
            world.dead.push(message.clone());
        }
        if acknowledged || dead {
            world.outstanding -= 1;
        }
        acknowledged || dead
    }

    async fn once(&self, message: &Message, attempt: u32) -> Delivery {
        let _room = self.room.acquire().await;
        let counted = self.setup.deliveries.map(|_| attempt);
        let mut request = self.setup.shape.request(&self.client, &self.setup.endpoint, message, counted);
        if let Some(token) = &self.setup.token {
            request = request.bearer_auth(token());
        }
        self.world().under_way += 1;
        let answer = request.timeout(self.setup.ack_deadline).send().await;
        self.world().under_way -= 1;
        let answer = answer.ok().map(|answer| answer.status()).as_ref().map(StatusCode::as_u16);
        Delivery { id: message.id.clone(), attempt, answer }
    }

    /// Delivers what a key has, one message after the other.
    async fn deliver_all(&self, key: String) {
        loop {
            let next = {
                let mut world = self.world();
                let next = world.queues.get_mut(&key).and_then(VecDeque::pop_front);
                if next.is_none() {
                    world.queues.remove(&key);
                }
                next
            };
            let Some(message) = next else { return };
            self.deliver(message).await;
        }
    }
}

impl Push {
    /// A subscription with nothing in it.
    ///
    /// # Errors
    /// There is no client to be had.
    pub fn start(setup: Setup) -> reqwest::Result<Self> {
        // A redirect is an answer, and none that acknowledges.
        let client = Client::builder().redirect(Policy::none()).build()?;
        let shared = Shared { setup, client, room: Semaphore::new(AT_ONCE), world: Mutex::default() };
        Ok(Self { shared: Arc::new(shared), tasks: Mutex::default() })
    }

    /// Takes a message with a key for its order, which may be empty; its id.
    pub fn publish(&self, data: impl Into<Bytes>, key: &str) -> String {
        let mut world = self.shared.world();
        world.published += 1;
        world.outstanding += 1;
        let id = (2_070_443_601_311_540 + world.published).to_string();
        let (attributes, published) = (BTreeMap::new(), Timestamp::now());
        let message =
            Message { data: data.into(), attributes, key: key.to_owned(), id: id.clone(), published };
        let shared = Arc::clone(&self.shared);
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.shared.setup.ordered || key.is_empty() {
            tasks.spawn(async move { shared.deliver(message).await });
        } else if let Some(queue) = world.queues.get_mut(key) {
            queue.push_back(message);
        } else {
            let key = key.to_owned();
            world.queues.insert(key.clone(), VecDeque::from([message]));
            tasks.spawn(async move { shared.deliver_all(key).await });
        }
        id
    }

    /// How many messages are neither acknowledged nor dead.
    pub fn outstanding(&self) -> usize {
        self.shared.world().outstanding
    }

    /// How many requests are sent and not answered.
    pub fn under_way(&self) -> usize {
        self.shared.world().under_way
    }

    /// Every request so far that has ended, in the order of their ends.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.world().deliveries.clone()
    }

    /// What was not acknowledged in as many deliveries as there are.
    pub fn dead(&self) -> Vec<Message> {
        self.shared.world().dead.clone()
    }
}
