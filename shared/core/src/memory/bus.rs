//! A bus in memory: one queue, at least once, each message to one consumer.
//!
//! A message that comes back again and again is dropped in the end: the store has what it stands for, and the sweep
//! finds it. Otherwise one application that cannot be merged would fill the bus for all.
//!
//! A message that is received and neither acked, nacked nor extended in time comes back, and so does one whose consumer
//! was dropped. One that is nacked comes back after a pause that grows with each try, so that a message which cannot be
//! handled now does not keep the process busy.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::error::{Error, Kind, Result};
use crate::port::bus::{Delivery, Message, Subscription, Topic};

/// How long a consumer has until a message comes back, where nothing else is said.
pub const ACK_DEADLINE: Duration = Duration::from_secs(60);
/// How many messages wait at the most. Publishing one more is refused: what is not published, the sweep finds.
pub const CAPACITY: usize = 100_000;

/// How often a message is given out. With the pauses between, that is some seven minutes.
pub const TRIES: u32 = 20;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A bus in memory: both ends of it. What is in it ends with the process.
pub struct MemoryBus {
    clock: Arc<dyn Clock>,
    ack_deadline: Duration,
    state: Mutex<State>,
    arrived: Notify,
}

/// A consumer of a [`MemoryBus`] with a time of its own until what it received comes back.
struct Consumer {
    bus: Arc<MemoryBus>,
    ack_deadline: Duration,
    closed: AtomicBool,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Waiting>,
    /// Received and not settled, or nacked and pausing: each comes back at its time.
    away: BTreeMap<u64, Away>,
    deliveries: u64,
}

struct Away {
    back: Timestamp,
    /// Whether it was handed back: then it is nobody's while it pauses.
    nacked: bool,
    message: Waiting,
}

#[derive(Clone)]
struct Waiting {
    body: Bytes,
    tries: u32,
}

impl MemoryBus {
    /// An empty one whose messages come back after `ack_deadline`.
    pub fn new(clock: Arc<dyn Clock>, ack_deadline: Duration) -> Self {
        Self { clock, ack_deadline, state: Mutex::default(), arrived: Notify::new() }
    }

    /// A consumer to which messages come back after an `ack_deadline` of its own.
    pub fn subscription(self: Arc<Self>, ack_deadline: Duration) -> Arc<dyn Subscription> {
        Arc::new(Consumer { bus: self, ack_deadline, closed: AtomicBool::new(false) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code below panics while it holds the lock, so what it guards is always whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, max: usize, ack_deadline: Duration) -> Vec<Delivery> {
        let now = self.clock.now();
        let mut state = self.state();
        let due: Vec<u64> =
            state.away.iter().filter(|(_, away)| away.back <= now).map(|(id, _)| *id).collect();
        for id in due {
            match state.away.remove(&id).map(|away| away.message) {
                Some(message) if message.tries < TRIES => state.ready.push_back(message),
                Some(_) => tracing::warn!(
                    tries = TRIES,
                    "a message could not be handled and is dropped; the sweep goes on trying"
                ),
                None => {}
            }
        }
        let count = max.min(state.ready.len());
        let taken: Vec<Waiting> = state.ready.drain(..count).collect();
        taken
            .into_iter()
            .map(|message| {
                state.deliveries += 1;
                let id = state.deliveries;
                let delivery = Delivery { body: message.body.clone(), receipt: id.to_string() };
                let message = Waiting { tries: message.tries + 1, ..message };
                state.away.insert(id, Away { back: later(now, ack_deadline), nacked: false, message });
                delivery
            })
            .collect()
    }

    /// When the next message comes back by itself.
    fn next_back(&self) -> Option<Timestamp> {
        self.state().away.values().map(|away| away.back).min()
    }
}

#[async_trait]
impl Topic for MemoryBus {
    async fn publish(&self, message: Message) -> Result<()> {
        {
            let mut state = self.state();
            state.has_room()?;
            state.ready.push_back(Waiting { body: message.body, tries: 0 });
        }
        self.arrived.notify_one();
        Ok(())
    }

    async fn check(&self) -> Result<()> {
        self.state().has_room()
    }
}

impl State {
    fn has_room(&self) -> Result<()> {
        if self.ready.len() + self.away.len() < CAPACITY {
            return Ok(());
        }
        let what = format!("{CAPACITY} messages are waiting already; is the worker running?");
        Err(Error::new(Kind::Unavailable, what))
    }
}

impl MemoryBus {
    async fn receive(&self, max: usize, ack_deadline: Duration) -> Vec<Delivery> {
        loop {
            // Before the look: what arrives, or is handed back, after it wakes us all the same.
            let arrived = self.arrived.notified();
            let taken = self.take(max.max(1), ack_deadline);
            if !taken.is_empty() {
                // Whoever else waits must know of more that is here, and of the time at which this comes back.
                self.arrived.notify_waiters();
                return taken;
            }
            match self.next_back() {
                None => arrived.await,
                Some(back) => {
                    let pause = crate::clock::since(self.clock.now(), back);
                    tokio::select! {
                        () = arrived => {}
                        () = self.clock.sleep(pause) => {}
                    }
                }
            }
        }
    }

    fn ack(&self, delivery: &Delivery) {
        if let Ok(id) = delivery.receipt.parse::<u64>() {
            self.state().away.remove(&id);
        }
    }

    fn extend(&self, deliveries: &[Delivery], ack_deadline: Duration) -> Vec<Result<()>> {
        let back = later(self.clock.now(), ack_deadline);
        let mut state = self.state();
        let mut extend = |delivery: &Delivery| {
            let id: Option<u64> = delivery.receipt.parse().ok();
            let away = id.and_then(|id| state.away.get_mut(&id)).filter(|away| !away.nacked);
            let Some(away) = away else {
                return Err(Error::new(Kind::NotFound, "the message was settled, or given to somebody else"));
            };
            away.back = back;
            Ok(())
        };
        deliveries.iter().map(&mut extend).collect()
    }

    fn nack(&self, delivery: &Delivery) {
        if let Ok(id) = delivery.receipt.parse::<u64>()
            && let Some(away) = self.state().away.get_mut(&id)
        {
            let pause = FIRST_PAUSE.saturating_mul(1 << away.message.tries.min(16)).min(LONGEST_PAUSE);
            away.back = later(self.clock.now(), pause);
            away.nacked = true;
        }
        // Whoever sleeps until another time must look again.
        self.arrived.notify_waiters();
    }
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[async_trait]
impl Subscription for MemoryBus {
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        Ok(self.receive(max, self.ack_deadline).await)
    }

    fn hold(&self) -> Option<Duration> {
        Some(self.ack_deadline)
    }

    async fn extend(&self, deliveries: &[Delivery]) -> Vec<Result<()>> {
        self.extend(deliveries, self.ack_deadline)
    }

    async fn ack(&self, delivery: &Delivery) -> Result<()> {
        self.ack(delivery);
        Ok(())
    }

    async fn nack(&self, delivery: &Delivery) -> Result<()> {
        self.nack(delivery);
        Ok(())
    }

    /// The bus itself goes on: it is the other end too.
    async fn close(&self) {}

    async fn check(&self) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Subscription for Consumer {
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(Error::new(Kind::Unavailable, "this consumer of a bus in memory is closed"));
        }
        Ok(self.bus.receive(max, self.ack_deadline).await)
    }

    fn hold(&self) -> Option<Duration> {
        Some(self.ack_deadline)
    }

    async fn extend(&self, deliveries: &[Delivery]) -> Vec<Result<()>> {
        self.bus.extend(deliveries, self.ack_deadline)
    }

    async fn ack(&self, delivery: &Delivery) -> Result<()> {
        self.bus.ack(delivery);
        Ok(())
    }

    async fn nack(&self, delivery: &Delivery) -> Result<()> {
        self.bus.nack(delivery);
        Ok(())
    }

    /// Nothing is fetched ahead, and there is no group to leave.
    async fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }
}
