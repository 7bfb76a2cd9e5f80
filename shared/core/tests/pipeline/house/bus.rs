//! A bus in memory that can be dead at either end, and keeps a record of what was asked of it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::clock::Clock;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::memory::bus::{ACK_DEADLINE, MemoryBus};
use autopgo_core::port::bus::{Delivery, Message, Subscription, Topic};
use jiff::Timestamp;

/// How publishing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Works,
    Refuses,
    Hangs,
}

/// How asking for more time goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extending {
    Works,
    Fails(Kind),
    Hangs,
}

/// A bus with a mood.
pub(crate) struct Moody {
    memory: MemoryBus,
    clock: Arc<dyn Clock>,
    mood: Mutex<Mood>,
    deaf: AtomicUsize,
    published: AtomicUsize,
    received: Mutex<Vec<Timestamp>>,
    hold: Mutex<Option<Duration>>,
    extending: Mutex<Extending>,
    extended: Mutex<Vec<(Timestamp, usize)>>,
    settled: Mutex<Vec<(Delivery, bool)>>,
    last_settled: Mutex<Option<Timestamp>>,
    stuck: AtomicBool,
    closed: Mutex<Vec<Timestamp>>,
}

impl Moody {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            memory: MemoryBus::new(Arc::clone(&clock), ACK_DEADLINE),
            clock,
            mood: Mutex::new(Mood::Works),
            deaf: AtomicUsize::new(0),
            published: AtomicUsize::new(0),
            received: Mutex::default(),
            hold: Mutex::default(),
            extending: Mutex::new(Extending::Works),
            extended: Mutex::default(),
            settled: Mutex::default(),
            last_settled: Mutex::default(),
            stuck: AtomicBool::new(false),
            closed: Mutex::default(),
        }
    }

    /// How publishing goes from now on.
    pub(crate) fn be(&self, mood: Mood) {
        *self.mood.lock().expect("no panic") = mood;
    }

    /// The next `times` that somebody wants to receive fail.
    pub(crate) fn fail_receiving(&self, times: usize) {
        self.deaf.store(times, Ordering::Relaxed);
    }

    /// How often somebody tried to publish.
    pub(crate) fn published(&self) -> usize {
        self.published.load(Ordering::Relaxed)
    }

    /// When somebody wanted to receive.
    pub(crate) fn received(&self) -> Vec<Timestamp> {
        self.received.lock().expect("no panic").clone()
    }

    /// What was settled, and whether it was done.
    pub(crate) fn settled(&self) -> Vec<(Delivery, bool)> {
        self.settled.lock().expect("no panic").clone()
    }

    /// For how long it says from now on that it holds a message.
    pub(crate) fn holds(&self, hold: Duration) {
        *self.hold.lock().expect("no panic") = Some(hold);
    }

    /// How asking for more time goes from now on.
    pub(crate) fn extending(&self, how: Extending) {
        *self.extending.lock().expect("no panic") = how;
    }

    /// When more time was asked for, and for how many messages.
    pub(crate) fn extended(&self) -> Vec<(Timestamp, usize)> {
        self.extended.lock().expect("no panic").clone()
    }

    /// When the last message was settled.
    pub(crate) fn last_settled(&self) -> Option<Timestamp> {
        *self.last_settled.lock().expect("no panic")
    }

    /// From now on closing has no end.
    pub(crate) fn never_close(&self) {
        self.stuck.store(true, Ordering::Relaxed);
    }

    /// When it was closed.
    pub(crate) fn closed(&self) -> Vec<Timestamp> {
        self.closed.lock().expect("no panic").clone()
    }

    fn note(&self, delivery: &Delivery, done: bool) {
        *self.last_settled.lock().expect("no panic") = Some(self.clock.now());
        self.settled.lock().expect("no panic").push((delivery.clone(), done));
    }
}

#[async_trait]
impl Topic for Moody {
    async fn publish(&self, message: Message) -> Result<()> {
        self.published.fetch_add(1, Ordering::Relaxed);
        let mood = *self.mood.lock().expect("no panic");
        match mood {
            Mood::Works => self.memory.publish(message).await,
            Mood::Refuses => Err(Error::new(Kind::Unavailable, "the bus is down")),
            Mood::Hangs => std::future::pending().await,
        }
    }

    async fn check(&self) -> Result<()> {
        Topic::check(&self.memory).await
    }
}

#[async_trait]
impl Subscription for Moody {
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        self.received.lock().expect("no panic").push(self.clock.now());
        let deaf = self.deaf.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if deaf.is_ok() {
            return Err(Error::new(Kind::Unavailable, "the bus is down"));
        }
        Subscription::receive(&self.memory, max).await
    }

    fn hold(&self) -> Option<Duration> {
        self.hold.lock().expect("no panic").or_else(|| Subscription::hold(&self.memory))
    }

    async fn extend(&self, deliveries: &[Delivery]) -> Vec<Result<()>> {
        self.extended.lock().expect("no panic").push((self.clock.now(), deliveries.len()));
        let how = *self.extending.lock().expect("no panic");
        match how {
            Extending::Works => Subscription::extend(&self.memory, deliveries).await,
            Extending::Fails(kind) => {
                deliveries.iter().map(|_| Err(Error::new(kind, "the bus says no"))).collect()
            }
            Extending::Hangs => std::future::pending().await,
        }
    }

    async fn ack(&self, delivery: &Delivery) -> Result<()> {
        self.note(delivery, true);
        Subscription::ack(&self.memory, delivery).await
    }

    async fn nack(&self, delivery: &Delivery) -> Result<()> {
        self.note(delivery, false);
        Subscription::nack(&self.memory, delivery).await
    }

    async fn close(&self) {
        self.closed.lock().expect("no panic").push(self.clock.now());
        if self.stuck.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        Subscription::close(&self.memory).await;
    }

    async fn check(&self) -> Result<()> {
        Subscription::check(&self.memory).await
    }
}
