//! Many consumers, many messages.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Harness, body, message, receive};
use crate::verdict::{Broken, Verdict, ensure};

const CONSUMERS: usize = 4;

pub(super) async fn consumers_share_the_work(harness: &dyn Harness) -> Verdict {
    let shares = share(harness, 400).await?;
    let came: usize = shares.iter().sum();
    // Each comes once as long as nobody is slow; a few twice are no harm, everything to everybody is.
    ensure(came < 600, || format!("400 messages came {came} times to {CONSUMERS} consumers: {shares:?}"))?;
    let idle = shares.iter().filter(|share| **share == 0).count();
    ensure(idle == 0, || format!("{idle} of {CONSUMERS} consumers got nothing: {shares:?}"))
}

pub(super) async fn many_messages_all_arrive(harness: &dyn Harness) -> Verdict {
    share(harness, harness.facts().many).await.map(drop)
}

/// Publishes this many messages while consumers receive and ack until each has come. How many each consumer got.
async fn share(harness: &dyn Harness, count: usize) -> Result<Vec<usize>, Broken> {
    let came = Arc::new(Mutex::new(BTreeSet::new()));
    let (done, ended) = watch::channel(false);
    let done = Arc::new(done);
    let mut consumers = JoinSet::new();
    for _ in 0..CONSUMERS {
        let subscription = harness.subscription().await?;
        let (came, done, mut ended) = (Arc::clone(&came), Arc::clone(&done), ended.clone());
        consumers.spawn(async move {
            let mut share = 0;
            loop {
                let batch = tokio::select! {
                    batch = receive(&*subscription, 10) => batch?,
                    _ = ended.wait_for(|ended| *ended) => return Ok::<usize, Broken>(share),
                };
                for delivery in batch {
                    share += 1;
                    let all = {
                        let mut came = came.lock().unwrap_or_else(PoisonError::into_inner);
                        came.insert(body(&delivery));
                        came.len() == count
                    };
                    subscription.ack(&delivery).await?;
                    if all {
                        done.send_replace(true);
                    }
                }
            }
        });
    }
    let topic = harness.topic().await?;
    let publishing = (0..count).map(|n| topic.publish(message(&format!("app-{}", n % 5), &n.to_string())));
    stream::iter(publishing).buffer_unordered(64).try_collect::<Vec<()>>().await?;
    let mut shares = Vec::new();
    while let Some(share) = consumers.join_next().await {
        shares.push(share??);
    }
    Ok(shares)
}
