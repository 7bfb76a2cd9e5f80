//! A consumer that ends, in good order or not.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{Harness, body, drain, message, publish, receive};
use crate::verdict::{Broken, Verdict, ensure};

/// How long one waits who may not be given anything.
const PUSHED: Duration = Duration::from_millis(500);

/// In good order: what it had fetched and not begun is with others long before its time runs out.
pub(super) async fn a_closed_consumer_leaves_the_rest_to_others(harness: &dyn Harness) -> Verdict {
    harness.hold_for_long();
    let facts = harness.facts();
    let topic = harness.topic().await?;
    let (ends, stays) = (harness.subscription().await?, harness.subscription().await?);
    let bodies: BTreeSet<String> = (0..40).map(|n| n.to_string()).collect();
    for (n, body) in bodies.iter().enumerate() {
        topic.publish(message(&format!("app-{}", n % 5), body)).await?;
    }
    let mut left = bodies;
    for delivery in receive(&*ends, 2).await? {
        ends.ack(&delivery).await?;
        left.remove(&body(&delivery));
    }
    ends.close().await;
    let closed = Instant::now();
    // Once more is harmless.
    ends.close().await;
    while !left.is_empty() {
        for delivery in receive(&*stays, 10).await? {
            stays.ack(&delivery).await?;
            left.remove(&body(&delivery));
        }
    }
    let took = closed.elapsed();
    ensure(took < facts.ack_deadline, || {
        format!("the others had the rest after {took:?} only, as if nobody had handed it back")
    })?;
    publish(&*topic, ["one more"]).await?;
    let late = tokio::time::timeout(Duration::from_millis(100), ends.receive(1)).await;
    ensure(!matches!(late, Ok(Ok(_))), || "what is closed receives still".to_owned())?;
    drain(&*stays, &["one more"]).await
}

/// Not in good order: nothing of it has the time to say a word.
pub(super) async fn a_killed_consumer_loses_nothing(harness: &dyn Harness) -> Verdict {
    let topic = harness.topic().await?;
    let stays = harness.subscription().await?;
    publish(&*topic, ["1", "2", "3"]).await?;
    killed(harness)?;
    drain(&*stays, &["1", "2", "3"]).await
}

/// Receives in a runtime of its own, which ends with all its tasks and connections while messages are in hand.
fn killed(harness: &dyn Harness) -> Verdict {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Broken::new(format!("starting a runtime: {error}")))?;
    let lived = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let life = scope.spawn(|| {
                runtime.block_on(async {
                    let subscription = harness.subscription().await?;
                    let patience = if harness.pushes() { PUSHED } else { harness.patience() };
                    let some = tokio::time::timeout(patience, receive(&*subscription, 2)).await;
                    // It is not dropped, for that could hand something back.
                    std::mem::forget(subscription);
                    match some {
                        Ok(received) => received.map(drop),
                        Err(_) if harness.pushes() => Ok(()),
                        Err(_) => Err(Broken::new("the consumer has nothing to be killed with")),
                    }
                })
            });
            life.join().unwrap_or_else(|_| Err(Broken::new("the consumer panicked")))
        })
    });
    runtime.shutdown_background();
    lived
}
