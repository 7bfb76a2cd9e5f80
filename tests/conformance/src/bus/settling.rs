//! What an ack does, and what one too many does.

use super::{Harness, body, is_quiet, publish, receive, wait_for};
use crate::verdict::{Verdict, same};

pub(super) async fn an_acked_message_stays_away(harness: &dyn Harness) -> Verdict {
    let (subscription, other) = (harness.subscription().await?, harness.subscription().await?);
    let topic = harness.topic().await?;
    publish(&*topic, ["1", "2", "3"]).await?;
    // Some buses give a message to whoever asks, and some to whom they choose.
    let mut left = vec!["1", "2", "3"];
    while !left.is_empty() {
        let (who, batch) = tokio::select! {
            batch = receive(&*subscription, 10) => (&subscription, batch?),
            batch = receive(&*other, 10) => (&other, batch?),
        };
        for delivery in batch {
            who.ack(&delivery).await?;
            left.retain(|left| *left != body(&delivery));
        }
    }
    is_quiet(&*subscription, harness.facts()).await?;
    // Nor does it come to the other, who was there all the time.
    is_quiet(&*other, harness.facts()).await
}

pub(super) async fn settling_twice_is_harmless(harness: &dyn Harness) -> Verdict {
    let (subscription, topic) = (harness.subscription().await?, harness.topic().await?);
    publish(&*topic, ["1"]).await?;
    let batch = receive(&*subscription, 1).await?;
    subscription.ack(&batch[0]).await?;
    subscription.ack(&batch[0]).await?;
    // The one after it is not taken for it.
    publish(&*topic, ["2"]).await?;
    subscription.ack(&batch[0]).await?;
    let next = receive(&*subscription, 1).await?;
    same("the next", &body(&next[0]).as_str(), &"2")?;
    subscription.ack(&batch[0]).await?;
    subscription.nack(&next[0]).await?;
    let (again, _) = wait_for(&*subscription, "2").await?;
    subscription.ack(&again).await?;
    subscription.ack(&next[0]).await?;
    is_quiet(&*subscription, harness.facts()).await
}

pub(super) async fn a_late_ack_is_harmless(harness: &dyn Harness) -> Verdict {
    let (subscription, topic) = (harness.subscription().await?, harness.topic().await?);
    publish(&*topic, ["1"]).await?;
    let (late, _) = wait_for(&*subscription, "1").await?;
    let (again, _) = wait_for(&*subscription, "1").await?;
    subscription.ack(&late).await?;
    subscription.nack(&late).await?;
    subscription.ack(&again).await?;
    publish(&*topic, ["2"]).await?;
    // A bus may have taken the late one for good, or not at all: what came after it comes in either case.
    let (next, _) = wait_for(&*subscription, "2").await?;
    subscription.ack(&next).await.map_err(Into::into)
}
