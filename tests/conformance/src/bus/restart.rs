//! A broker that is stopped and started again under those who use it.

use std::io::Write;
use std::time::{Duration, Instant};

use super::{Broker, Harness, body, drain, message, publish, receive};
use crate::verdict::{Broken, Verdict, ensure};

/// How long a topic may take to say that it cannot publish, and a check that nobody answers.
const GIVES_UP: Duration = Duration::from_secs(3);

/// The broker, or `None`, said aloud.
fn broker(harness: &dyn Harness) -> Option<&dyn Broker> {
    let broker = harness.broker();
    if broker.is_none() {
        // Past libtest's capture.
        let _ = writeln!(std::io::stderr(), "nothing to restart: this bus has no broker but the process");
    }
    broker
}

/// Both ends say that it is gone, and both work again when it is back.
pub(super) async fn a_broker_that_restarts_is_found_again(harness: &dyn Harness) -> Verdict {
    let Some(broker) = broker(harness) else { return Ok(()) };
    let (subscription, topic) = (harness.subscription().await?, harness.topic().await?);
    publish(&*topic, ["before"]).await?;
    drain(&*subscription, &["before"]).await?;
    broker.stop().await?;
    let start = Instant::now();
    let sent = topic.publish(message("app", "meanwhile")).await;
    ensure(sent.is_err(), || "a message was published where there is no broker".to_owned())?;
    ensure(start.elapsed() < GIVES_UP, || format!("publishing gave up after {:?} only", start.elapsed()))?;
    for (end, checked) in [("topic", topic.check().await), ("subscription", subscription.check().await)] {
        ensure(checked.is_err(), || format!("the {end} is said to be healthy while there is no broker"))?;
    }
    broker.start().await?;
    // The others need a moment to find it again. Until then a message may be refused, or get lost.
    let mut n = 0;
    loop {
        let again = async {
            loop {
                let came = subscription.receive(10).await;
                match came {
                    Ok(batch) => break batch,
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        };
        n += 1;
        let _ = topic.publish(message("app", &format!("after {n}"))).await;
        match tokio::time::timeout(Duration::from_millis(300), again).await {
            Err(_) => {}
            Ok(batch) => {
                let mut after = false;
                for delivery in batch {
                    after |= body(&delivery).starts_with("after");
                    subscription.ack(&delivery).await?;
                }
                if after {
                    break;
                }
            }
        }
    }
    topic.check().await?;
    subscription.check().await.map_err(Into::into)
}

/// What was confirmed and not acked comes after the restart, to a consumer that waited all the time.
pub(super) async fn what_a_broker_has_outlives_its_restart(harness: &dyn Harness) -> Verdict {
    let Some(broker) = broker(harness) else { return Ok(()) };
    let (subscription, topic) = (harness.subscription().await?, harness.topic().await?);
    let bodies: Vec<String> = (0..30).map(|n| n.to_string()).collect();
    publish(&*topic, bodies.iter().map(String::as_str)).await?;
    let mut left: Vec<&str> = bodies.iter().map(String::as_str).collect();
    for delivery in receive(&*subscription, 5).await? {
        subscription.ack(&delivery).await?;
        left.retain(|left| *left != body(&delivery));
    }
    // Some are in hand when it goes. Where a hold never runs out they stay there, and come to nobody.
    let in_hand = receive(&*subscription, 5).await?;
    if subscription.hold().is_none() {
        left.retain(|left| in_hand.iter().all(|delivery| body(delivery) != *left));
    }
    broker.stop().await?;
    broker.start().await?;
    while !left.is_empty() {
        let batch = match subscription.receive(10).await {
            Ok(batch) => batch,
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        for delivery in batch {
            // An ack may get lost as well; then the message comes again.
            if subscription.ack(&delivery).await.is_ok() {
                left.retain(|left| *left != body(&delivery));
            }
        }
    }
    // Those that were in hand are done by now, and a late ack of them is harmless.
    for delivery in &in_hand {
        let _ = subscription.ack(delivery).await;
    }
    publish(&*topic, ["one more"]).await?;
    let one_more = async {
        loop {
            for delivery in receive(&*subscription, 10).await? {
                subscription.ack(&delivery).await?;
                if body(&delivery) == "one more" {
                    return Ok::<(), Broken>(());
                }
            }
        }
    };
    one_more.await
}
