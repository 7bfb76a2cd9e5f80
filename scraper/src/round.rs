//! Rounds: every so often a random few of the targets are scraped at once. Ticks do not drift, a target is never
//! scraped twice at the same time, and no more than the sample size are in hand at any moment.

use std::collections::{HashMap, HashSet};
use std::future::pending;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::clock::{Clock, System};
use reqwest::Url;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::counts;
use crate::outcome::Outcome;
use crate::source::Targets;
use crate::target::Target;

/// What is done with a target that was drawn.
#[async_trait]
pub(crate) trait Work: Send + Sync + 'static {
    /// Scrapes `target` and reports how that went. Once `stop` is cancelled it begins nothing new.
    async fn scrape(&self, target: &Target, stop: &CancellationToken);
}

/// When and how many.
pub(crate) struct Rounds {
    /// From the start of one round to the start of the next.
    pub(crate) frequency: Duration,
    /// The most targets in hand at once.
    pub(crate) sample_size: NonZeroUsize,
    /// How long scrapes in hand may take to end once rounds are stopped.
    pub(crate) grace: Duration,
}

impl Rounds {
    /// Scrapes `targets` by `work` until `stop`; then waits for what is in hand, and drops what takes too long.
    pub(crate) async fn run(
        &self,
        work: Arc<dyn Work>,
        mut targets: watch::Receiver<Targets>,
        stop: &CancellationToken,
    ) {
        let mut hand = Hand::default();
        let mut known = Targets::clone(&targets.borrow_and_update());
        counts::targets(known.len());
        let mut ticks = interval(self.frequency);
        // A round that comes late is the late one, not two: the next comes when it would have come.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = hand.ended() => {}
                Ok(()) = targets.changed() => {
                    let new = Targets::clone(&targets.borrow_and_update());
                    if known.is_empty() && !new.is_empty() {
                        // Whoever waited for targets need not wait for a tick as well.
                        ticks.reset_immediately();
                    }
                    known = new;
                    counts::targets(known.len());
                }
                _ = ticks.tick(), if !known.is_empty() => self.round(&known, &mut hand, &work, stop),
            }
        }
        self.finish(hand).await;
    }

    /// Begins one round.
    fn round(&self, known: &Targets, hand: &mut Hand, work: &Arc<dyn Work>, stop: &CancellationToken) {
        let free = self.sample_size.get().saturating_sub(hand.busy.len());
        let drawn = draw(known, &hand.busy(), free, random_below);
        let (targets, busy) = (known.len(), hand.busy.len());
        counts::round(free > 0);
        if free == 0 {
            tracing::info!(
                targets,
                busy,
                "a round without targets: as many as the sample size are still in hand"
            );
        } else {
            tracing::debug!(targets, busy, drawn = drawn.len(), "round begins");
        }
        for target in drawn {
            hand.take(target, Arc::clone(work), stop.clone());
        }
    }

    async fn finish(&self, mut hand: Hand) {
        let all = async {
            while !hand.busy.is_empty() {
                hand.ended().await;
            }
        };
        if timeout(self.grace, all).await.is_err() {
            for target in hand.busy.values() {
                Outcome::Stopped.count();
                tracing::warn!(target.url = %target, app = %target.app(), outcome = Outcome::Stopped.name(), "profile lost: it could not be uploaded before the scraper stopped");
            }
            hand.tasks.shutdown().await;
        }
    }
}

/// The scrapes in hand.
#[derive(Default)]
struct Hand {
    tasks: JoinSet<()>,
    busy: HashMap<Id, Arc<Target>>,
}

impl Hand {
    fn take(&mut self, target: Arc<Target>, work: Arc<dyn Work>, stop: CancellationToken) {
        let scraped = Arc::clone(&target);
        let task = self.tasks.spawn(async move { work.scrape(&scraped, &stop).await });
        self.busy.insert(task.id(), target);
    }

    /// Returns when the next one ends, never if there is none.
    async fn ended(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => {
                self.broke(&error);
                error.id()
            }
            None => return pending().await,
        };
        self.busy.remove(&id);
    }

    /// A scrape that panicked is a bug of ours, and no reason to stop the others.
    fn broke(&self, error: &JoinError) {
        let target = self.busy.get(&error.id()).map(ToString::to_string);
        Outcome::Failed.count();
        tracing::error!(target.url = target, %error, outcome = Outcome::Failed.name(), "scrape failed");
    }

    fn busy(&self) -> HashSet<&Url> {
        self.busy.values().map(|target| target.url()).collect()
    }
}

/// At most `most` of `targets` that are not `busy`, each set of them as likely as any other, no URL twice.
fn draw(
    targets: &Targets,
    busy: &HashSet<&Url>,
    most: usize,
    random_below: impl Fn(usize) -> usize,
) -> Vec<Arc<Target>> {
    let mut pool: Vec<_> = targets.iter().filter(|target| !busy.contains(target.url())).collect();
    let mut drawn = Vec::new();
    let mut taken = HashSet::new();
    while drawn.len() < most && !pool.is_empty() {
        let target = pool.swap_remove(random_below(pool.len()));
        if taken.insert(target.url()) {
            drawn.push(Arc::clone(target));
        }
    }
    drawn
}

/// A random number below `bound`, which is above 0. The bias of the remainder is below one in 2^40 for any real set.
fn random_below(bound: usize) -> usize {
    (System.random() % bound.max(1) as u64) as usize
}

#[cfg(test)]
mod tests;
