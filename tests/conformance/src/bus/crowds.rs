//! Many consumers, many messages.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::{Barrier, watch};
use tokio::task::JoinSet;

use super::{Harness, body, message, receive};
use crate::verdict::{Broken, Verdict};

const CONSUMERS: usize = 4;

pub(super) async fn consumers_share_the_work(harness: &dyn Harness) -> Verdict {
    // Nobody takes a second batch before everybody has had one: it ends only if all get some.
    consume(harness, 400, Some(Barrier::new(CONSUMERS))).await
}

pub(super) async fn many_messages_all_arrive(harness: &dyn Harness) -> Verdict {
    consume(harness, harness.facts().many, None).await
}

/// Publishes this many messages while consumers receive and ack until each has come.
async fn consume(harness: &dyn Harness, count: usize, pace: Option<Barrier>) -> Verdict {
    let came = Arc::new(Mutex::new(BTreeSet::new()));
    let pace = Arc::new(pace);
    let (done, ended) = watch::channel(false);
    let mut consumers = JoinSet::new();
    for _ in 0..CONSUMERS {
        let subscription = harness.subscription().await?;
        let (came, pace) = (Arc::clone(&came), Arc::clone(&pace));
        let (done, mut ended) = (done.clone(), ended.clone());
        consumers.spawn(async move {
            let mut first = true;
            loop {
                let batch = tokio::select! {
                    batch = receive(&*subscription, 10) => batch?,
                    _ = ended.wait_for(|ended| *ended) => return Ok::<(), Broken>(()),
                };
                if let (Some(pace), true) = (&*pace, first) {
                    pace.wait().await;
                }
                first = false;
                for delivery in batch {
                    subscription.ack(&delivery).await?;
                    let mut came = came.lock().unwrap_or_else(PoisonError::into_inner);
                    came.insert(body(&delivery));
                    if came.len() == count {
                        done.send_replace(true);
                    }
                }
            }
        });
    }
    let topic = harness.topic().await?;
    let publishing = (0..count).map(|n| topic.publish(message(&format!("app-{}", n % 5), &n.to_string())));
    stream::iter(publishing).buffer_unordered(64).try_collect::<Vec<()>>().await?;
    while let Some(ended) = consumers.join_next().await {
        ended??;
    }
    Ok(())
}
