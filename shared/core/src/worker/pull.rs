//! The loop of hosts that poll a bus.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::{Outcome, Worker};
use crate::clock::backoff;
use crate::port::bus::{Delivery, Subscription};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Receives, handles and settles batch after batch until `stop`: what is in hand then is finished, and nothing new
/// taken. A bus that does not answer is asked again, with growing pauses.
pub async fn pull(worker: &Worker, subscription: &dyn Subscription, stop: CancellationToken) {
    let clock = &*worker.host().clock;
    let mut failures = 0;
    loop {
        let received = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            received = subscription.receive(worker.host().limits.merge_batch) => received,
        };
        match received {
            Ok(batch) => {
                if handle(worker, subscription, &batch).await {
                    failures = 0;
                    continue;
                }
            }
            Err(error) => {
                tracing::error!(error = error.chain(), "no messages could be received; trying again");
            }
        }
        // Nothing got through: whatever is in the way needs time, and asking without a pause would not help it.
        let pause = FIRST_PAUSE + backoff(clock, failures, FIRST_PAUSE, LONGEST_PAUSE);
        failures = failures.saturating_add(1);
        tokio::select! {
            () = stop.cancelled() => return,
            () = clock.sleep(pause) => {}
        }
    }
}

/// Handles and settles a batch; whether any of it got through.
async fn handle(worker: &Worker, subscription: &dyn Subscription, batch: &[Delivery]) -> bool {
    let bodies: Vec<Bytes> = batch.iter().map(|delivery| delivery.body.clone()).collect();
    let outcomes = worker.handle(&bodies).await;
    let through = outcomes.iter().any(Outcome::is_done);
    join_all(batch.iter().zip(outcomes).map(|(delivery, outcome)| async move {
        let settled = match outcome {
            Outcome::Done => subscription.ack(delivery).await,
            Outcome::HandBack(_) => subscription.nack(delivery).await,
        };
        if let Err(error) = settled {
            tracing::warn!(
                error = error.chain(),
                "a message could not be settled and will be delivered again"
            );
        }
    }))
    .await;
    through
}
