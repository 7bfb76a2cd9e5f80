//! A batch in hand: handled, kept from running out meanwhile, and settled message by message.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;

use crate::clock::Clock;
use crate::error::{Kind, Result};
use crate::port::bus::{Delivery, Subscription};
use crate::worker::{Outcome, Worker};

/// Messages that were received together.
pub(super) struct Batch {
    deliveries: Vec<Delivery>,
    /// Those that nobody has begun to settle.
    open: Mutex<BTreeSet<usize>>,
    /// Of those, the ones that are ours no more.
    lost: Mutex<BTreeSet<usize>>,
    /// Whether any of it got through.
    through: AtomicBool,
}

impl Batch {
    pub(super) fn new(deliveries: Vec<Delivery>) -> Self {
        let open = Mutex::new((0..deliveries.len()).collect());
        Self { deliveries, open, lost: Mutex::default(), through: AtomicBool::new(false) }
    }

    /// Handles and settles it: the messages of an application as soon as that one is done, for the others may have to
    /// wait for their turn. Whether any of it got through.
    pub(super) async fn carry(&self, worker: &Worker, subscription: &dyn Subscription) -> bool {
        let bodies: Vec<Bytes> = self.deliveries.iter().map(|delivery| delivery.body.clone()).collect();
        let handled = worker.handled(&bodies).for_each_concurrent(None, |outcomes| async move {
            join_all(outcomes.into_iter().map(|(index, outcome)| self.settle(subscription, index, outcome)))
                .await;
        });
        tokio::select! {
            biased;
            () = handled => {}
            () = self.keep(&*worker.host().clock, subscription) => {}
        }
        self.through.load(Ordering::Relaxed)
    }

    /// Whether every message was settled, or somebody is at it.
    pub(super) fn is_over(&self) -> bool {
        lock(&self.open).is_empty()
    }

    /// Gives back what is not settled.
    pub(super) async fn hand_back(&self, subscription: &dyn Subscription) {
        let open = std::mem::take(&mut *lock(&self.open));
        join_all(open.into_iter().map(|index| async move {
            told(subscription.nack(&self.deliveries[index]).await);
        }))
        .await;
    }

    async fn settle(&self, subscription: &dyn Subscription, index: usize, outcome: Outcome) {
        // Before it is settled, so that nobody extends what is gone.
        lock(&self.open).remove(&index);
        let delivery = &self.deliveries[index];
        told(match outcome {
            Outcome::Done => {
                self.through.store(true, Ordering::Relaxed);
                subscription.ack(delivery).await
            }
            Outcome::HandBack(_) => subscription.nack(delivery).await,
        });
    }

    /// Asks for more time for what is still open, at every third of the time there is: one request may be lost, and the
    /// next still comes in time. It ends with what it is raced against.
    async fn keep(&self, clock: &dyn Clock, subscription: &dyn Subscription) {
        let Some(hold) = subscription.hold() else { return std::future::pending().await };
        let third = hold / 3;
        clock.sleep(third).await;
        loop {
            let mut next = clock.sleep(third);
            let (indices, deliveries) = self.ours();
            if !deliveries.is_empty() {
                tokio::select! {
                    biased;
                    extended = subscription.extend(&deliveries) => self.note(&indices, extended),
                    () = &mut next => {
                        tracing::warn!(messages = deliveries.len(), "the bus does not answer whether messages in hand stay here; asking again");
                        continue;
                    }
                }
            }
            next.await;
        }
    }

    /// What is still open and ours.
    fn ours(&self) -> (Vec<usize>, Vec<Delivery>) {
        let (open, lost) = (lock(&self.open), lock(&self.lost));
        open.difference(&lost).map(|index| (*index, self.deliveries[*index].clone())).unzip()
    }

    fn note(&self, indices: &[usize], extended: Vec<Result<()>>) {
        let (open, mut lost) = (lock(&self.open), lock(&self.lost));
        for (index, result) in indices.iter().zip(extended) {
            // What was settled while the bus was asked is gone for a good reason.
            let Some(error) = result.err().filter(|_| open.contains(index)) else { continue };
            if error.kind() == Kind::NotFound {
                metrics::counter!("autopgo_messages_total", "outcome" => "lost").increment(1);
                tracing::warn!(
                    error = error.chain(),
                    "a message in hand is held no more and will be delivered again, which is harmless"
                );
                lost.insert(*index);
            } else {
                tracing::warn!(
                    error = error.chain(),
                    "a message in hand could not be held for longer; asking again"
                );
            }
        }
    }
}

/// Says what could not be settled. It comes back by itself.
fn told(settled: Result<()>) {
    if let Err(error) = settled {
        tracing::warn!(error = error.chain(), "a message could not be settled and will be delivered again");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code above panics while it holds a lock, so what it guards is always whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
