//! The loop of hosts that poll a bus: a few batches in hand, each message settled when its work is durable, and an end
//! that leaves nothing half done.

mod batch;
mod pace;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::Worker;
use crate::clock::Clock;
use crate::port::bus::Subscription;
use batch::Batch;
use pace::{Pace, Trouble};

/// How long the end may take once the work in hand is done or given up: handing back, and leaving the bus.
const LEAVING: Duration = Duration::from_secs(3);

/// Receives, handles and settles until `stop`. Several batches are in hand at once, and no more is received while they
/// are: what lies in the bus another worker can take. A bus that does not answer is asked again, with growing pauses.
///
/// After `stop` nothing new is taken. What is in hand is finished if that takes no longer than the limit `drain`, the
/// rest is handed back, and the subscription is closed.
pub async fn pull(worker: &Worker, subscription: &dyn Subscription, stop: CancellationToken) {
    let clock = &*worker.host().clock;
    let undone = work(worker, subscription, stop).await;
    let leave = async {
        if !undone.is_empty() {
            tracing::warn!(batches = undone.len(), "work was left undone and is handed back");
            join_all(undone.iter().map(|batch| batch.hand_back(subscription))).await;
        }
        subscription.close().await;
    };
    tokio::select! {
        biased;
        () = leave => {}
        () = clock.sleep(LEAVING) => {
            tracing::warn!("the bus did not answer in the end; what was in hand will be delivered again");
        }
    }
}

/// The work until `stop`, and what was in hand then and could not be finished in time.
async fn work(worker: &Worker, subscription: &dyn Subscription, stop: CancellationToken) -> Vec<Arc<Batch>> {
    let (clock, limits) = (&*worker.host().clock, &*worker.host().limits);
    let mut held: Vec<Arc<Batch>> = Vec::new();
    let mut hands = FuturesUnordered::new();
    let mut pace = Pace::default();
    // Kept from turn to turn: a wish to receive that is dropped may take messages with it, which then are late.
    let mut receiving = None;
    let mut pausing = None;
    loop {
        if receiving.is_none() && pausing.is_none() && hands.len() < limits.worker_batches {
            receiving = Some(subscription.receive(limits.merge_batch));
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(through) = hands.next() => {
                held.retain(|batch| !batch.is_over());
                if through {
                    pace.over(Trouble::Fruitless);
                    pausing.take_if(|(trouble, _)| *trouble == Trouble::Fruitless);
                } else if pausing.is_none() {
                    // Whatever is in the way needs time, and going on without a pause would not help it.
                    let pause = pace.pause(clock, Trouble::Fruitless);
                    pausing = Some((Trouble::Fruitless, clock.sleep(pause)));
                }
            }
            received = wait(receiving.as_mut()) => {
                receiving = None;
                match received {
                    Ok(deliveries) => {
                        pace.over(Trouble::Deaf);
                        let batch = Arc::new(Batch::new(deliveries));
                        held.push(Arc::clone(&batch));
                        hands.push(async move { batch.carry(worker, subscription).await });
                    }
                    Err(error) => {
                        tracing::error!(error = error.chain(), "no messages could be received; trying again");
                        pausing = Some((Trouble::Deaf, clock.sleep(pace.pause(clock, Trouble::Deaf))));
                    }
                }
            }
            () = wait(pausing.as_mut().map(|(_, pause)| pause)) => pausing = None,
        }
    }
    drop(receiving);
    drain(clock, limits.drain, async { while hands.next().await.is_some() {} }).await;
    drop(hands);
    held.retain(|batch| !batch.is_over());
    held
}

/// Waits for what there is, or for ever if there is nothing.
async fn wait<F: Future + Unpin>(future: Option<&mut F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn drain(clock: &dyn Clock, most: Duration, work: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        () = work => {}
        () = clock.sleep(most) => {}
    }
}
