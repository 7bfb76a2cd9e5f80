//! At least once: whatever happens to a consumer, the message comes back.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::select_all;

use super::{Harness, body, drain, is_quiet, publish, receive, wait_for};
use crate::verdict::{Verdict, ensure};

pub(super) async fn a_nacked_message_comes_back(harness: &dyn Harness) -> Verdict {
    let (subscription, topic) = (harness.subscription().await?, harness.topic().await?);
    publish(&*topic, ["1"]).await?;
    let (first, _) = wait_for(&*subscription, "1").await?;
    subscription.nack(&first).await?;
    let (second, _) = wait_for(&*subscription, "1").await?;
    subscription.nack(&second).await?;
    // To whom is for the bus to choose.
    let other = harness.subscription().await?;
    let (who, third) = tokio::select! {
        third = wait_for(&*subscription, "1") => (&subscription, third?.0),
        third = wait_for(&*other, "1") => (&other, third?.0),
    };
    who.ack(&third).await?;
    is_quiet(&*subscription, harness.facts()).await?;
    is_quiet(&*other, harness.facts()).await
}

pub(super) async fn a_message_comes_back_after_a_lost_ack(harness: &dyn Harness) -> Verdict {
    let (subscription, topic) = (harness.subscription().await?, harness.topic().await?);
    publish(&*topic, ["1"]).await?;
    receive(&*subscription, 1).await?;
    // Its ack never gets through. Meanwhile it is nobody else's.
    let (again, took) = wait_for(&*subscription, "1").await?;
    let least = harness.facts().ack_deadline / 2;
    ensure(took >= least, || format!("it was given to two consumers at once: again after {took:?}"))?;
    subscription.ack(&again).await?;
    is_quiet(&*subscription, harness.facts()).await
}

pub(super) async fn a_dropped_consumer_loses_nothing(harness: &dyn Harness) -> Verdict {
    let topic = harness.topic().await?;
    let (one, two) = (harness.subscription().await?, harness.subscription().await?);
    publish(&*topic, ["1", "2", "3"]).await?;
    // Some buses give a message to whoever asks, and some to whom they choose.
    let (dropped, stays) = tokio::select! {
        batch = receive(&*one, 2) => batch.map(|_| (&one, &two))?,
        batch = receive(&*two, 2) => batch.map(|_| (&two, &one))?,
    };
    let stays = Arc::clone(stays);
    let dropped = Arc::clone(dropped);
    drop((one, two));
    drop(dropped);
    drain(&*stays, &["1", "2", "3"]).await
}

/// Of three that wait, one takes the message and is gone, and so is the one that might have stood in for it.
pub(super) async fn a_message_comes_back_to_whoever_still_waits(harness: &dyn Harness) -> Verdict {
    let topic = harness.topic().await?;
    let (one, two, three) =
        (harness.subscription().await?, harness.subscription().await?, harness.subscription().await?);
    // Of its own body each time: a bus may take the same one twice for one that was published twice.
    for (who_is_left, wanted) in [(0, "1"), (1, "2")] {
        let mut waiting = vec![one.receive(1), two.receive(1), three.receive(1)];
        for receive in &mut waiting {
            let early = futures_util::poll!(receive);
            ensure(early.is_pending(), || "something came from nothing".to_owned())?;
        }
        publish(&*topic, [wanted]).await?;
        let (taken, _, mut left) = select_all(waiting).await;
        ensure(body(&taken?[0]) == wanted, || "another message came".to_owned())?;
        for receive in &mut left {
            let again = futures_util::poll!(receive);
            ensure(again.is_pending(), || "the message came to two consumers at once".to_owned())?;
        }
        let stays = left.swap_remove(who_is_left);
        drop(left);
        let back = stays.await?;
        ensure(body(&back[0]) == wanted, || "another message came back".to_owned())?;
        one.ack(&back[0]).await?;
    }
    Ok(())
}

pub(super) async fn a_dropped_receive_loses_nothing(harness: &dyn Harness) -> Verdict {
    let (subscription, topic) = (harness.subscription().await?, harness.topic().await?);
    let bodies: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let mut left: Vec<&str> = bodies.iter().map(String::as_str).collect();
    for new in &bodies {
        // Dropped while it waits, and dropped between the news that there is something and the look at it.
        let soon = Duration::from_millis(1);
        if let Ok(batch) = tokio::time::timeout(soon, subscription.receive(1)).await {
            for delivery in batch? {
                subscription.ack(&delivery).await?;
                left.retain(|left| *left != body(&delivery));
            }
        }
        let mut waiting = subscription.receive(10);
        let given = match futures_util::poll!(&mut waiting) {
            Poll::Ready(batch) => batch?,
            Poll::Pending => Vec::new(),
        };
        publish(&*topic, [new.as_str()]).await?;
        drop(waiting);
        for delivery in given {
            subscription.ack(&delivery).await?;
            left.retain(|left| *left != body(&delivery));
        }
    }
    drain(&*subscription, &left).await
}

pub(super) async fn poison_blocks_nothing(harness: &dyn Harness) -> Verdict {
    let (subscription, topic) = (harness.subscription().await?, harness.topic().await?);
    let good: Vec<String> = (0..30).map(|n| n.to_string()).collect();
    publish(&*topic, ["poison"]).await?;
    publish(&*topic, good.iter().map(String::as_str)).await?;
    let mut left: Vec<&str> = good.iter().map(String::as_str).collect();
    while !left.is_empty() {
        for delivery in receive(&*subscription, 4).await? {
            match body(&delivery).as_str() {
                "poison" => subscription.nack(&delivery).await?,
                body => {
                    left.retain(|good| *good != body);
                    subscription.ack(&delivery).await?;
                }
            }
        }
    }
    // Nor is it lost itself.
    let (poison, _) = wait_for(&*subscription, "poison").await?;
    subscription.ack(&poison).await?;
    is_quiet(&*subscription, harness.facts()).await
}
