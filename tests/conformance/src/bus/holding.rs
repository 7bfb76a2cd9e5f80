//! Work that takes longer than a message waits.

use std::time::{Duration, Instant};

use autopgo_core::port::bus::{Delivery, Subscription, Topic};

use super::{Facts, Harness, is_quiet, message, publish, receive, wait_for};
use crate::verdict::{Broken, Verdict, ensure, same};

/// Publishes as many messages, each of another key, and receives them all.
async fn in_hand(
    topic: &dyn Topic,
    subscription: &dyn Subscription,
    bodies: &[&str],
) -> Result<Vec<Delivery>, Broken> {
    for body in bodies {
        topic.publish(message(&format!("app-{body}"), body)).await?;
    }
    let mut in_hand = Vec::new();
    while in_hand.len() < bodies.len() {
        in_hand.extend(receive(subscription, bodies.len() - in_hand.len()).await?);
    }
    Ok(in_hand)
}

/// Asks for more time again and again, for so long.
async fn hold(
    subscription: &dyn Subscription,
    deliveries: &[Delivery],
    facts: Facts,
    time: Duration,
) -> Verdict {
    let start = Instant::now();
    while start.elapsed() < time {
        let extended = subscription.extend(deliveries).await;
        same("how many answers there are", &extended.len(), &deliveries.len())?;
        for answer in extended {
            answer?;
        }
        tokio::time::sleep(facts.ack_deadline / 4).await;
    }
    Ok(())
}

/// Nobody else has it in the meantime, and the ack at the end counts.
pub(super) async fn long_work_is_held(harness: &dyn Harness) -> Verdict {
    let facts = harness.facts();
    let (subscription, topic) = (harness.subscription().await?, harness.topic().await?);
    let in_hand = in_hand(&*topic, &*subscription, &["1", "2"]).await?;
    if let Some(hold) = subscription.hold() {
        ensure(hold.abs_diff(facts.ack_deadline) <= harness.grain(), || {
            format!("it says that it holds for {hold:?}, and does for {:?}", facts.ack_deadline)
        })?;
    }
    let other = harness.subscription().await?;
    let work = hold(&*subscription, &in_hand, facts, facts.ack_deadline * 3);
    tokio::select! {
        worked = work => worked?,
        batch = other.receive(10) => {
            let bodies: Vec<String> = batch?.iter().map(super::body).collect();
            return Err(Broken::new(format!("{bodies:?} came to somebody else while it was held")));
        }
    }
    for delivery in &in_hand {
        subscription.ack(delivery).await?;
    }
    is_quiet(&*other, facts).await
}

pub(super) async fn what_is_held_no_more_comes_back(harness: &dyn Harness) -> Verdict {
    let facts = harness.facts();
    let (subscription, topic) = (harness.subscription().await?, harness.topic().await?);
    let in_hand = in_hand(&*topic, &*subscription, &["1"]).await?;
    hold(&*subscription, &in_hand, facts, facts.ack_deadline).await?;
    let (again, took) = wait_for(&*harness.subscription().await?, "1").await?;
    ensure(took < facts.ack_deadline * 3, || format!("it came back after {took:?} only"))?;
    subscription.ack(&again).await?;
    is_quiet(&*subscription, facts).await
}

/// Whatever is answered: what was settled stays so.
pub(super) async fn holding_what_is_settled_is_harmless(harness: &dyn Harness) -> Verdict {
    let (subscription, topic) = (harness.subscription().await?, harness.topic().await?);
    let in_hand = in_hand(&*topic, &*subscription, &["1", "2"]).await?;
    for delivery in &in_hand {
        subscription.ack(delivery).await?;
    }
    let extended = subscription.extend(&in_hand).await;
    same("how many answers there are", &extended.len(), &in_hand.len())?;
    same("how many answers there are to nothing", &subscription.extend(&[]).await.len(), &0)?;
    is_quiet(&*subscription, harness.facts()).await?;
    publish(&*topic, ["3"]).await?;
    let (next, _) = wait_for(&*subscription, "3").await?;
    subscription.ack(&next).await.map_err(Into::into)
}
