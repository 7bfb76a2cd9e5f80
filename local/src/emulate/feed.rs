//! From the bus to the function: a call for what has come, and then each message done or handed back, as the answer says
//! and by nothing else. While the function is at it, its messages are held, as the cloud's queue holds them.

use std::time::Duration;

use autopgo_core::clock::Clock;
use autopgo_core::error::{Error, Kind};
use autopgo_core::port::bus::{Delivery, Subscription};
use autopgo_core::worker::{Hand, Outcome, Pace, Trouble};
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::message::Memory;
use super::platform::{Platform, Trigger};

/// Receives, calls and settles until `stop`. What is under way then may take `drain`; what it has not done is handed
/// back, and the bus is left.
pub(super) async fn feed(
    platform: &dyn Platform,
    subscription: &dyn Subscription,
    clock: &dyn Clock,
    drain: Duration,
    stop: CancellationToken,
) {
    let feed = Feed { platform, subscription, clock, hand: Hand::default(), memory: Memory::default() };
    feed.work(drain, stop).await;
    feed.hand.leave(clock, subscription).await;
}

struct Feed<'a> {
    platform: &'a dyn Platform,
    subscription: &'a dyn Subscription,
    clock: &'a dyn Clock,
    hand: Hand,
    memory: Memory,
}

impl Feed<'_> {
    /// The work until `stop`, and what of it is finished in time after. The rest stays in the hand.
    async fn work(&self, drain: Duration, stop: CancellationToken) {
        let (clock, subscription) = (self.clock, self.subscription);
        let Trigger { batch, at_once } = self.platform.trigger();
        let mut calls = FuturesUnordered::new();
        let mut pace = Pace::default();
        // Kept from turn to turn: a wish to receive that is dropped may take messages with it, which then are late.
        let (mut receiving, mut pausing, mut keeping, mut drained) = (None, None, None, None);
        let mut stopped = false;
        loop {
            if calls.is_empty() {
                keeping = None;
                if stopped {
                    return;
                }
            } else if keeping.is_none() {
                keeping = Some(Box::pin(self.hand.keep(clock, subscription)));
            }
            if !stopped && receiving.is_none() && pausing.is_none() && calls.len() < at_once {
                receiving = Some(subscription.receive(batch));
            }
            tokio::select! {
                biased;
                () = stop.cancelled(), if !stopped => {
                    stopped = true;
                    (receiving, pausing) = (None, None);
                    drained = Some(clock.sleep(drain));
                }
                Some(through) = calls.next() => {
                    if through {
                        pace.over(Trouble::Fruitless);
                    } else if !stopped && pausing.is_none() {
                        // Whatever is in the way needs time, and calling again at once would not help it.
                        pausing = Some(clock.sleep(pace.pause(clock, Trouble::Fruitless)));
                    }
                }
                received = wait(receiving.as_mut()) => {
                    receiving = None;
                    match received {
                        Ok(deliveries) => {
                            pace.over(Trouble::Deaf);
                            calls.push(self.call(deliveries));
                        }
                        Err(error) => {
                            tracing::error!(error = error.chain(), "no messages could be received; trying again");
                            pausing = Some(clock.sleep(pace.pause(clock, Trouble::Deaf)));
                        }
                    }
                }
                () = wait(pausing.as_mut()) => pausing = None,
                () = wait(keeping.as_mut()) => keeping = None,
                () = wait(drained.as_mut()) => return,
            }
        }
    }

    /// One call with these messages, each settled by its answer. Whether any got through.
    async fn call(&self, deliveries: Vec<Delivery>) -> bool {
        let now = self.clock.now();
        let mut messages = Vec::with_capacity(deliveries.len());
        let mut numbers = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            messages.push(self.memory.take(delivery.body.clone(), now));
            numbers.push(self.hand.take(delivery));
        }
        let done = match self.platform.deliver(&messages).await {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(
                    messages = messages.len(),
                    error = error.chain(),
                    "the function failed, and its messages come again"
                );
                Vec::new()
            }
        };
        let through = done.contains(&true);
        let settled = messages.into_iter().zip(numbers).enumerate().map(|(index, (message, number))| {
            // What the answer says nothing of is not done.
            let outcome = if done.get(index) == Some(&true) {
                Outcome::Done
            } else {
                self.memory.handed_back(message);
                Outcome::HandBack(Error::new(Kind::Unavailable, "the function handed it back"))
            };
            async move { self.hand.settle(self.subscription, number, &outcome).await }
        });
        join_all(settled).await;
        through
    }
}

/// Waits for what there is, or for ever if there is nothing.
async fn wait<F: Future + Unpin>(future: Option<&mut F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
