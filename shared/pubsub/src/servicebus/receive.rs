//! Receiving. A request brings one message at the most: one waits until something comes, and then others, which do not wait,
//! bring what else is there, twice as many at once with each that had luck.
//!
//! A request that nobody waits for any more is not cut off: the service may have locked a message for it that would then be
//! nobody's until the lock runs out. It ends by itself, and what it brings is handed back. So that the end can wait for
//! it, no request waits for longer than 2 s, whatever `listener_timeout` says: an idle worker asks 1.3 million times a
//! month, where with the 60 s that the service allows it would be 43,000.
//!
//! A message that could not be handled stays locked for a while before it is unlocked, longer with each delivery: unlocked
//! at once, the next request would bring it back, and a few seconds of trouble would use up the deliveries that it has
//! until it is a dead letter.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::bus::{self, Delivery};
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client::Client;
use super::fail::Failure;
use super::settings::Reader;
use super::wire;
use crate::patience::{ATTEMPT, OPERATION, patiently};

/// Requests for messages at once, of one subscription.
const REQUESTS: usize = 16;
/// Requests to keep messages at once.
const RENEWALS: usize = 16;
/// Requests to unlock messages at once.
const UNLOCKS: usize = 32;
/// How long a request waits at the most.
const A_REQUEST: Duration = Duration::from_secs(2);
/// What an answer that brings nothing takes at the least: somebody may say so at once.
const PAUSE: Duration = Duration::from_millis(250);
/// What a message that is handed back waits after its first delivery; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What does not wait is here by then, or is handed back.
const AT_ONCE: Duration = Duration::from_secs(2);
/// How long the end waits for requests that are under way, and for what they bring to be handed back.
const LEAVING: Duration = Duration::from_millis(2500);
/// What a lock lasts until a message has said it: the least that the portal proposes.
const HOLD: Duration = Duration::from_secs(30);

/// A consumer of one subscription.
pub(super) struct Subscription {
    reading: Arc<Reading>,
    wait: Duration,
    batch: usize,
}

/// What the requests under way share with it, and outlive it by.
struct Reading {
    client: Client,
    /// How long a lock lasts, in milliseconds.
    hold: AtomicU64,
    requests: Arc<Semaphore>,
    unlocks: Semaphore,
    /// Requests under way, and what is handed back.
    tasks: TaskTracker,
    closed: CancellationToken,
}

impl Subscription {
    pub(super) fn new(client: Client, reader: &Reader) -> Self {
        let reading = Reading {
            client,
            hold: AtomicU64::new(millis(HOLD)),
            requests: Arc::new(Semaphore::new(REQUESTS)),
            unlocks: Semaphore::new(UNLOCKS),
            tasks: TaskTracker::new(),
            closed: CancellationToken::new(),
        };
        Self { reading: Arc::new(reading), wait: reader.wait.min(A_REQUEST), batch: reader.batch }
    }

    fn error(&self, failure: Failure) -> Error {
        self.reading.client.error(failure)
    }

    fn closed(&self) -> Error {
        Error::new(Kind::Unavailable, format!("{}: it was closed", self.reading.client.name()))
    }

    /// One message that was waited for, and those that could be had with it; none if none came in time.
    async fn batch(&self, wanted: usize) -> Result<Vec<Delivery>, Failure> {
        let mut round = Round::new(&self.reading);
        // There is no other error than that of a semaphore that is closed, which this one never is.
        let Ok(permit) = Arc::clone(&self.reading.requests).acquire_owned().await else {
            return Ok(Vec::new());
        };
        round.ask(self.wait, permit);
        if !round.next().await? {
            return Ok(Vec::new());
        }
        let end = Instant::now() + AT_ONCE;
        let (mut at_once, mut more) = (1, true);
        loop {
            while more && round.under_way < at_once && round.got.len() + round.under_way < wanted {
                // Others of this process may have them all.
                let Ok(permit) = Arc::clone(&self.reading.requests).try_acquire_owned() else { break };
                round.ask(Duration::ZERO, permit);
            }
            if round.under_way == 0 {
                break;
            }
            match timeout_at(end, round.next()).await {
                Ok(Ok(true)) => at_once = (at_once * 2).min(REQUESTS),
                // What is wrong will be wrong with the next that waits, too.
                Ok(Ok(false) | Err(_)) => more = false,
                Err(_) => break,
            }
        }
        Ok(std::mem::take(&mut round.got))
    }
}

#[async_trait]
impl bus::Subscription for Subscription {
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        let wanted = max.clamp(1, self.batch);
        let some = async {
            loop {
                let begun = Instant::now();
                let batch = patiently(OPERATION, |_| self.batch(wanted)).await;
                let batch = batch.map_err(|failure| self.error(failure))?;
                if !batch.is_empty() {
                    return Ok(batch);
                }
                sleep_until(begun + PAUSE).await;
            }
        };
        tokio::select! {
            biased;
            () = self.reading.closed.cancelled() => Err(self.closed()),
            batch = some => batch,
        }
    }

    fn hold(&self) -> Option<Duration> {
        Some(self.reading.hold())
    }

    async fn extend(&self, deliveries: &[Delivery]) -> Vec<Result<()>> {
        // One that is not through by the next time is late anyway.
        let all = self.reading.hold() / 3;
        let renewals: Vec<_> = deliveries
            .iter()
            .map(|delivery| async move {
                let renew = |limit| self.reading.client.renew(&delivery.receipt, limit);
                patiently(all, renew).await.map_err(|failure| self.error(failure))
            })
            .collect();
        stream::iter(renewals).buffered(RENEWALS).collect().await
    }

    async fn ack(&self, delivery: &Delivery) -> Result<()> {
        let delete = |limit| self.reading.client.delete(&delivery.receipt, limit);
        match patiently(OPERATION, delete).await {
            // Settled before, or somebody else's by now.
            Err(failure) if failure.is_lost() => {
                tracing::debug!(bus = self.reading.client.name(), error = %failure, "an ack came too late");
                Ok(())
            }
            outcome => outcome.map_err(|failure| self.error(failure)),
        }
    }

    /// Whoever hands back does not wait for it: what cannot be unlocked comes back when its lock runs out.
    async fn nack(&self, delivery: &Delivery) -> Result<()> {
        let (reading, receipt) = (Arc::clone(&self.reading), delivery.receipt.clone());
        let pause = pause(wire::deliveries(&receipt), reading.hold());
        let unlock = async move {
            tokio::select! {
                biased;
                () = reading.closed.cancelled() => {}
                () = sleep(pause) => {}
            }
            reading.hand_back(&receipt).await;
        };
        if self.reading.closed.is_cancelled() {
            unlock.await;
        } else {
            self.reading.tasks.spawn(unlock);
        }
        Ok(())
    }

    async fn close(&self) {
        self.reading.closed.cancel();
        self.reading.tasks.close();
        if timeout(LEAVING, self.reading.tasks.wait()).await.is_err() {
            let bus = self.reading.client.name();
            tracing::debug!(bus, "closed while a request was under way");
        }
    }

    async fn check(&self) -> Result<()> {
        let knock = |limit| self.reading.client.knock(limit);
        patiently(OPERATION, knock).await.map_err(|failure| self.error(failure))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.reading.closed.cancel();
    }
}

impl Reading {
    fn hold(&self) -> Duration {
        Duration::from_millis(self.hold.load(Ordering::Relaxed))
    }

    /// Unlocks a message that nobody here has any more. It may be late for that, and then there is nothing to do.
    async fn hand_back(&self, receipt: &str) {
        // There is no other error than that of a semaphore that is closed, which this one never is.
        let _permit = self.unlocks.acquire().await;
        let unlock = |limit| self.client.unlock(receipt, limit);
        match patiently(ATTEMPT, unlock).await {
            Err(failure) if !failure.is_lost() => {
                tracing::warn!(
                    bus = self.client.name(),
                    error = %failure,
                    "a message could not be handed back and will be delivered again when its lock runs out"
                );
            }
            _ => {}
        }
    }
}

type Came = Result<Option<Delivery>, Failure>;

/// The requests of one call of `receive`, and what they have brought so far. Dropped in the middle, it hands that back.
struct Round {
    reading: Arc<Reading>,
    sender: mpsc::UnboundedSender<Came>,
    receiver: mpsc::UnboundedReceiver<Came>,
    under_way: usize,
    got: Vec<Delivery>,
}

impl Round {
    fn new(reading: &Arc<Reading>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { reading: Arc::clone(reading), sender, receiver, under_way: 0, got: Vec::new() }
    }

    /// Sends a request, in a task of its own.
    fn ask(&mut self, wait: Duration, permit: OwnedSemaphorePermit) {
        self.under_way += 1;
        let (reading, sender) = (Arc::clone(&self.reading), self.sender.clone());
        self.reading.tasks.spawn(async move {
            let came = reading.client.peek_lock(wait).await;
            drop(permit);
            let (came, broken) = match came {
                Ok(Some((locked, body))) => {
                    if let Some(hold) = locked.hold {
                        reading.hold.store(millis(hold), Ordering::Relaxed);
                    }
                    let receipt = locked.receipt;
                    match body {
                        Ok(body) => (Ok(Some(Delivery { body, receipt })), None),
                        Err(failure) => (Err(failure), Some(receipt)),
                    }
                }
                Ok(None) => (Ok(None), None),
                Err(failure) => (Err(failure), None),
            };
            let orphan = match sender.send(came) {
                Err(mpsc::error::SendError(Ok(Some(orphan)))) => Some(orphan.receipt),
                _ => broken,
            };
            if let Some(receipt) = orphan {
                reading.hand_back(&receipt).await;
            }
        });
    }

    /// Waits for one of the requests; whether it had luck.
    async fn next(&mut self) -> Result<bool, Failure> {
        // There is a sender as long as this is here, so that the end never comes.
        let Some(came) = self.receiver.recv().await else { return Ok(false) };
        self.under_way -= 1;
        let came = came?;
        let luck = came.is_some();
        self.got.extend(came);
        Ok(luck)
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        // From here on, what a request brings is its own affair.
        self.receiver.close();
        let mut orphans = std::mem::take(&mut self.got);
        while let Ok(came) = self.receiver.try_recv() {
            orphans.extend(came.ok().flatten());
        }
        // Without a runtime the process is at its end, and the locks run out.
        if let (false, Ok(runtime)) = (orphans.is_empty(), tokio::runtime::Handle::try_current()) {
            let reading = Arc::clone(&self.reading);
            let hand_back = async move {
                join_all(orphans.iter().map(|orphan| reading.hand_back(&orphan.receipt))).await;
            };
            self.reading.tasks.spawn_on(hand_back, &runtime);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How long a message that was handed back stays locked after so many deliveries. Of its lock, which was kept at every
/// third at the latest, that leaves enough to unlock it.
fn pause(deliveries: u32, hold: Duration) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << deliveries.saturating_sub(1).min(16));
    doubled.min(LONGEST_PAUSE).min(hold / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_within_the_lock() {
        for (deliveries, hold, millis) in [
            (0, 60, 200),
            (1, 60, 200),
            (2, 60, 400),
            (5, 60, 3_200),
            (8, 60, 25_600),
            (9, 60, 30_000),
            (u32::MAX, 300, 30_000),
            (9, 30, 15_000),
            (3, 1, 500),
        ] {
            let pause = pause(deliveries, Duration::from_secs(hold));
            assert_eq!(pause, Duration::from_millis(millis), "{deliveries} of {hold} s");
        }
    }
}
