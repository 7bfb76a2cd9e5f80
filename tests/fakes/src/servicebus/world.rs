//! The topics, their subscriptions and what is in them
//! (<https://learn.microsoft.com/azure/service-bus-messaging/message-transfers-locks-settlement>,
//! <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-dead-letter-queues>).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Setup;
use super::broker::Refusal;

/// Everything there is. Names have no case.
#[derive(Default)]
pub(super) struct World {
    topics: BTreeMap<String, Topic>,
    /// The topics and subscriptions that there were.
    removed: BTreeSet<String>,
}

#[derive(Default)]
struct Topic {
    subscriptions: BTreeMap<String, Subscription>,
    sequence: u64,
    /// The ids that were sent, where a second one is dropped.
    seen: Option<BTreeSet<String>>,
}

struct Subscription {
    setup: Setup,
    messages: BTreeMap<u64, Stored>,
    dead: Vec<Stored>,
}

/// A message, as it was sent, and what became of it since.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) body: Bytes,
    pub(super) content_type: Option<String>,
    /// The properties that its sender gave it.
    pub(super) properties: Map<String, Value>,
    sequence: u64,
    enqueued: Timestamp,
    deliveries: u32,
    lock: Option<Lock>,
}

#[derive(Clone, Copy)]
struct Lock {
    token: Uuid,
    ends: Instant,
    ends_utc: Timestamp,
}

impl World {
    pub(super) fn make(&mut self, topic: &str, subscription: &str, setup: Setup) {
        let topic = self.topics.entry(topic.to_lowercase()).or_default();
        let empty = Subscription { setup, messages: BTreeMap::new(), dead: Vec::new() };
        topic.subscriptions.entry(subscription.to_lowercase()).or_insert(empty);
    }

    /// Removes a topic, or one subscription to it.
    pub(super) fn remove(&mut self, topic: &str, subscription: Option<&str>) -> Result<(), Refusal> {
        let name = match subscription {
            None => self.topics.remove(topic).map(|_| topic.to_owned()),
            Some(subscription) => {
                let all = self.topics.get_mut(topic).map(|topic| &mut topic.subscriptions);
                let removed = all.and_then(|all| all.remove(subscription));
                removed.map(|_| path(topic, subscription))
            }
        };
        self.removed.insert(name.ok_or_else(|| Refusal::no_entity(topic, false))?);
        Ok(())
    }

    pub(super) fn detect_duplicates(&mut self, topic: &str) {
        if let Some(topic) = self.topics.get_mut(&topic.to_lowercase()) {
            topic.seen = Some(BTreeSet::new());
        }
    }

    /// What is to be known of a topic, or of a subscription to it.
    pub(super) fn describe(&self, topic: &str, subscription: Option<&str>) -> Option<(&'static str, String)> {
        let topic = self.topics.get(topic)?;
        let Some(name) = subscription else {
            let once = topic.seen.is_some();
            let properties = format!("<RequiresDuplicateDetection>{once}</RequiresDuplicateDetection>");
            return Some(("TopicDescription", properties));
        };
        let Setup { lock, deliveries } = topic.subscriptions.get(name)?.setup;
        let properties = format!(
            "<LockDuration>PT{}S</LockDuration><RequiresSession>false</RequiresSession>\
             <MaxDeliveryCount>{deliveries}</MaxDeliveryCount>",
            lock.as_secs()
        );
        Some(("SubscriptionDescription", properties))
    }

    pub(super) fn count(&mut self, topic: &str, subscription: &str) -> (usize, usize) {
        self.subscription(topic, subscription).map_or((0, 0), |all| {
            all.lapse();
            (all.messages.len(), all.dead.len())
        })
    }

    pub(super) fn lock_duration(&mut self, topic: &str, subscription: &str) -> Result<Duration, Refusal> {
        self.subscription(topic, subscription).map(|all| all.setup.lock)
    }

    pub(super) fn properties(&mut self, topic: &str, subscription: &str) -> Vec<Value> {
        let all = self.subscription(topic, subscription).ok();
        all.map_or_else(Vec::new, |all| all.messages.values().map(Stored::as_received).collect())
    }

    pub(super) fn send(
        &mut self,
        topic: &str,
        body: &Bytes,
        content_type: Option<&str>,
        mut properties: Map<String, Value>,
    ) -> Result<(), Refusal> {
        let was = self.removed.contains(topic);
        let topic = self.topics.get_mut(topic).ok_or_else(|| Refusal::no_entity(topic, was))?;
        let id = properties.entry("MessageId").or_insert_with(|| Uuid::new_v4().simple().to_string().into());
        if let (Some(seen), Some(id)) = (&mut topic.seen, id.as_str())
            && !seen.insert(id.to_owned())
        {
            return Ok(());
        }
        topic.sequence += 1;
        let (sequence, enqueued) = (topic.sequence, Timestamp::now());
        for subscription in topic.subscriptions.values_mut() {
            let (body, properties) = (body.clone(), properties.clone());
            let content_type = content_type.map(str::to_owned);
            let stored =
                Stored { body, content_type, properties, sequence, enqueued, deliveries: 0, lock: None };
            subscription.messages.insert(sequence, stored);
        }
        Ok(())
    }

    /// Locks the first message that nobody has, or says when that of somebody may be free.
    pub(super) fn lock(
        &mut self,
        topic: &str,
        subscription: &str,
    ) -> Result<Result<Stored, Option<Instant>>, Refusal> {
        let all = self.subscription(topic, subscription)?;
        all.lapse();
        let duration = all.setup.lock;
        let Some(free) = all.messages.values_mut().find(|message| message.lock.is_none()) else {
            return Ok(Err(all.messages.values().filter_map(|message| Some(message.lock?.ends)).min()));
        };
        free.deliveries += 1;
        free.lock = Some(Lock {
            token: Uuid::new_v4(),
            ends: Instant::now() + duration,
            ends_utc: Timestamp::now() + duration,
        });
        Ok(Ok(free.clone()))
    }

    /// The message is done with.
    pub(super) fn delete(
        &mut self,
        topic: &str,
        subscription: &str,
        id: &str,
        token: &str,
    ) -> Result<(), Refusal> {
        let all = self.subscription(topic, subscription)?;
        let sequence = all.locked(id, token).ok_or_else(|| Refusal::no_lock(topic, subscription))?;
        all.messages.remove(&sequence);
        Ok(())
    }

    /// The message is given back.
    pub(super) fn unlock(
        &mut self,
        topic: &str,
        subscription: &str,
        id: &str,
        token: &str,
    ) -> Result<(), Refusal> {
        let all = self.subscription(topic, subscription)?;
        let sequence = all.locked(id, token).ok_or_else(|| Refusal::no_lock(topic, subscription))?;
        all.release(sequence);
        Ok(())
    }

    /// The message is kept, from now on for another lock duration.
    pub(super) fn renew(
        &mut self,
        topic: &str,
        subscription: &str,
        id: &str,
        token: &str,
    ) -> Result<(), Refusal> {
        let all = self.subscription(topic, subscription)?;
        let sequence = all.locked(id, token).ok_or_else(|| Refusal::no_lock(topic, subscription))?;
        let duration = all.setup.lock;
        if let Some(lock) = all.messages.get_mut(&sequence).and_then(|message| message.lock.as_mut()) {
            (lock.ends, lock.ends_utc) = (Instant::now() + duration, Timestamp::now() + duration);
        }
        Ok(())
    }

    fn subscription(&mut self, topic: &str, subscription: &str) -> Result<&mut Subscription, Refusal> {
        let all = self.topics.get_mut(&topic.to_lowercase()).map(|topic| &mut topic.subscriptions);
        let name = path(&topic.to_lowercase(), &subscription.to_lowercase());
        all.and_then(|all| all.get_mut(&subscription.to_lowercase()))
            .ok_or_else(|| Refusal::no_entity(&name, self.removed.contains(&name)))
    }
}

impl Subscription {
    /// Which message this lock is on, by its sequence number or its message id.
    fn locked(&mut self, id: &str, token: &str) -> Option<u64> {
        self.lapse();
        let is_it = |message: &&Stored| {
            let named = message.sequence.to_string() == id
                || message.properties.get("MessageId").and_then(Value::as_str) == Some(id);
            named && message.lock.is_some_and(|lock| lock.token.to_string() == token.to_lowercase())
        };
        self.messages.values().find(is_it).map(|message| message.sequence)
    }

    /// Whoever had one for too long has it no more.
    fn lapse(&mut self) {
        let now = Instant::now();
        let over = |message: &&Stored| message.lock.is_some_and(|lock| lock.ends <= now);
        let over: Vec<u64> = self.messages.values().filter(over).map(|message| message.sequence).collect();
        for sequence in over {
            self.release(sequence);
        }
    }

    /// Back to where it stood, or to the dead letters.
    fn release(&mut self, sequence: u64) {
        let Some(message) = self.messages.get_mut(&sequence) else { return };
        message.lock = None;
        if message.deliveries >= self.setup.deliveries {
            self.dead.extend(self.messages.remove(&sequence));
        }
    }
}

impl Stored {
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) fn token(&self) -> String {
        self.lock.map_or_else(String::new, |lock| lock.token.to_string())
    }

    /// What stands in `BrokerProperties` for a receiver.
    pub(super) fn as_received(&self) -> Value {
        let mut all = self.properties.clone();
        let mut put = |name: &str, value: Value| all.insert(name.to_owned(), value);
        put("DeliveryCount", self.deliveries.into());
        put("EnqueuedSequenceNumber", 0.into());
        put("EnqueuedTimeUtc", date(self.enqueued).into());
        put("SequenceNumber", self.sequence.into());
        put("State", "Active".into());
        if let Some(lock) = self.lock {
            put("LockToken", lock.token.to_string().into());
            put("LockedUntilUtc", date(lock.ends_utc).into());
        }
        json!(all)
    }
}

fn path(topic: &str, subscription: &str) -> String {
    format!("{topic}/subscriptions/{subscription}")
}

/// As HTTP writes dates.
fn date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
