//! One merge of uploads into the base profile of an application: the attempt, its steps in the order that makes it
//! exact, and the loop that starts it again when somebody else wrote first.
//!
//! The order: the base is read; *after that* the staged objects, and which old ids of the ledger are still staged
//! (nothing of it is unpacked before those are here, see `worker/next.rs`); then one conditional write of data and ledger together. What a step read before the base may be older than the
//! base, and an upload that was merged and settled in between would be merged again. Nothing is set aside for not
//! fitting before the write has won: another attempt may have merged it by then. Once the write has won, or when there
//! is nothing to write, what did not fit the base that was written or read is set aside.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::Worker;
use super::fold::Fold;
use super::gather::Gathered;
use super::next::{Made, Next, Present};
use crate::app::App;
use crate::clock::{backoff, since};
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::key::Id;
use crate::ledger::Ledger;
use crate::store::Reason;

/// How often an attempt is started before the messages are handed back.
const TRIES: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How many staged objects are looked up at once.
const LOOK_UP_AT_ONCE: usize = 16;
/// From this many old ids on, one listing is cheaper than looking each of them up.
const LIST_FROM: usize = 16;
/// How many events are published at once.
const PUBLISH_AT_ONCE: usize = 8;
/// How long the bus has for one event.
const PUBLISHING: Duration = Duration::from_secs(5);

/// What a merge did, upload by upload. One that is in none of these was gone: somebody else has decided it.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// In the base now, by this merge or an earlier one.
    pub(super) decided: Vec<Id>,
    /// Set aside.
    pub(super) rejected: Vec<Id>,
    /// Neither, for now.
    pub(super) failed: Vec<(Id, Error)>,
}

/// What one attempt did, and what it left for the next.
struct Attempt {
    merged: Merged,
    waiting: BTreeSet<Id>,
}

/// By what an upload was found.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    /// A message told of it.
    Message,
    /// No message did, or none in time.
    Sweep,
}

impl By {
    /// As the log has it.
    fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Sweep => "sweep",
        }
    }
}

/// Why an attempt ended before its write was known to have won.
enum Broken {
    /// The write was refused, or its outcome is unknown: never assume, read the base again.
    Again(Error),
    /// Another attempt would end no better.
    Over(Error),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Over(error)
    }
}

impl Worker {
    /// Merges the uploads `ids` of `app`, at most a batch of them, into its base profile: in one write, or in a few
    /// when they are too large to be held together.
    ///
    /// # Errors
    /// When the store or the base does not let any of it be merged: the messages are to be handed back. What was
    /// written stays, and the next try finds it.
    pub(super) async fn merge(&self, app: &App, ids: BTreeSet<Id>, by: By) -> Result<Merged> {
        let _turn = self.turns.of(app).await;
        let mut all = Merged::default();
        let mut waiting = ids;
        while !waiting.is_empty() {
            let start = self.host.clock.now();
            let attempt = self.persist(app, &waiting, by).await?;
            let took = since(start, self.host.clock.now());
            metrics::histogram!("autopgo_merge_seconds").record(took.as_secs_f64());
            all.decided.extend(attempt.merged.decided);
            all.rejected.extend(attempt.merged.rejected);
            all.failed.extend(attempt.merged.failed);
            waiting = attempt.waiting;
        }
        Ok(all)
    }

    /// Makes attempts until one goes through, a bounded number of times.
    async fn persist(&self, app: &App, ids: &BTreeSet<Id>, by: By) -> Result<Attempt> {
        let clock = &*self.host.clock;
        let mut last = None;
        for attempt in 0..TRIES {
            if attempt > 0 {
                clock.sleep(backoff(clock, attempt - 1, FIRST_PAUSE, LONGEST_PAUSE)).await;
            }
            match self.attempt(app, ids, by).await {
                Ok(attempt) => return Ok(attempt),
                Err(Broken::Again(error)) => {
                    let outcome = if error.kind() == Kind::Conflict { "lost" } else { "unknown" };
                    metrics::counter!("autopgo_conflicts_total", "outcome" => outcome).increment(1);
                    tracing::debug!(app = %app, attempt, error = error.chain(), "a merge starts again");
                    last = Some(error);
                }
                Err(Broken::Over(error)) => {
                    metrics::counter!("autopgo_merges_total", "outcome" => "failed").increment(1);
                    return Err(error);
                }
            }
        }
        metrics::counter!("autopgo_merges_total", "outcome" => "gave_up").increment(1);
        let what = format!("merging into {app}: the base profile could not be written in {TRIES} tries");
        let error = Error::new(Kind::Unavailable, what);
        Err(match last {
            Some(cause) => error.because(cause),
            None => error,
        })
    }

    async fn attempt(&self, app: &App, ids: &BTreeSet<Id>, by: By) -> Result<Attempt, Broken> {
        let object = self.host.store.base(app).await?;
        let (bytes, version) = object.map(|object| (object.bytes, object.version)).unzip();
        let Gathered { uploads, mut oversize, mut failed, mut waiting } =
            self.gather(app, ids.iter().cloned().collect()).await;
        let Made { named, merged, rejected, left, squeezed, next } =
            self.make(app, Present { bytes, ids: ids.clone(), uploads }).await?;
        // Whatever was read of those that are decided already.
        oversize.retain(|(id, _)| !named.contains(id));
        failed.retain(|(id, _)| !named.contains(id));
        waiting.retain(|id| !named.contains(id));

        if let Some(next) = next {
            let bytes = match next {
                Next::Whole(bytes) => bytes,
                Next::Waits(unwritten) => {
                    let gone = self.gone(app, unwritten.old()).await?;
                    self.host.compute(move || unwritten.without(&gone)).await?
                }
            };
            let size = bytes.len();
            let written = self.host.store.replace(app, bytes, version.as_ref()).await;
            written.map_err(|error| match error.kind() {
                Kind::Conflict | Kind::Unavailable => Broken::Again(error),
                _ => Broken::Over(error),
            })?;
            metrics::counter!("autopgo_merges_total", "outcome" => "merged").increment(merged.len() as u64);
            tracing::info!(app = %app, by = by.name(), uploads = merged.len(), size_bytes = size, compacted = squeezed || self.options.compact, "base profile written");
            if squeezed {
                self.warn_of_squeezing(app);
            }
        }
        let mut decided: Vec<Id> = named.into_iter().collect();
        decided.extend(merged);
        self.tell(app, &decided).await;
        let mut merged = Merged { decided, rejected: Vec::new(), failed };
        self.set_aside(app, oversize.into_iter().chain(rejected), &mut merged).await;
        waiting.extend(left);
        Ok(Attempt { merged, waiting })
    }

    async fn make(&self, app: &App, present: Present) -> Result<Made> {
        let fold = Fold {
            app: app.clone(),
            limits: Arc::clone(&self.host.limits),
            rules: Arc::clone(&self.options.rules),
            compact: self.options.compact,
            cpu: Arc::clone(&self.host.cpu),
        };
        let (now, write) = (self.host.clock.now(), self.host.clock.uuid());
        self.host.compute(move || present.next(fold, now, write)).await
    }

    /// Says that uploads are in the base, so that their staged objects go. The bus is a hint: from the first event on
    /// that it does not take, those objects go at once.
    async fn tell(&self, app: &App, decided: &[Id]) {
        let mut heard = true;
        for few in decided.chunks(PUBLISH_AT_ONCE) {
            let published = join_all(few.iter().map(|id| self.publish_merged(app, id, heard))).await;
            let untold: Vec<Id> = few
                .iter()
                .zip(published)
                .filter(|(_, published)| !published)
                .map(|(id, _)| id.clone())
                .collect();
            heard &= untold.is_empty();
            for (id, error) in self.host.store.unstage_all(app, untold).await {
                tracing::warn!(app = %app, profile.id = %id, error = error.chain(), "a merged upload stays staged until the next sweep");
            }
        }
    }

    async fn publish_merged(&self, app: &App, id: &Id, heard: bool) -> bool {
        if !heard {
            return false;
        }
        let event = Event::Merged { app: app.clone(), id: id.clone() };
        let published = tokio::select! {
            biased;
            published = self.host.publish(event) => published,
            () = self.host.clock.sleep(PUBLISHING) => {
                Err(Error::new(Kind::Unavailable, format!("the bus did not answer within {} s", PUBLISHING.as_secs())))
            }
        };
        published
            .inspect_err(|error| {
                metrics::counter!("autopgo_unpublished_total", "event" => "profile.merged").increment(1);
                tracing::warn!(app = %app, profile.id = %id, error = error.chain(), "a merge was not announced");
            })
            .is_ok()
    }

    async fn set_aside(&self, app: &App, uploads: impl Iterator<Item = (Id, Reason)>, merged: &mut Merged) {
        for (id, reason) in uploads {
            match self.host.store.reject(app, &id, &reason).await {
                Ok(()) => {
                    metrics::counter!("autopgo_rejected_total", "outcome" => "rejected").increment(1);
                    tracing::warn!(app = %app, profile.id = %id, reason = reason.message, "an upload was set aside");
                    merged.rejected.push(id);
                }
                Err(error) => merged.failed.push((id, error)),
            }
        }
    }

    /// The ids that `ledger` need not name any more: no staged object is there, and none can be on its way. To be
    /// asked only after the base with this ledger was read.
    pub(super) async fn forgettable(&self, app: &App, ledger: &Ledger) -> Result<Vec<Id>> {
        self.gone(app, &ledger.old(self.host.clock.now())).await
    }

    /// Those of `old` ids, in their order, whose staged object is not there.
    async fn gone(&self, app: &App, old: &[Id]) -> Result<Vec<Id>> {
        if let [first, .., last] = old
            && old.len() >= LIST_FROM
        {
            let staged = self.host.store.staged_between(app, first, last).await?;
            return Ok(old.iter().filter(|id| !staged.contains(*id)).cloned().collect());
        }
        stream::iter(old.iter().cloned())
            .map(|id| async move { Ok((!self.host.store.is_staged(app, &id).await?).then_some(id)) })
            .buffered(LOOK_UP_AT_ONCE)
            .try_filter_map(async |gone| Ok(gone))
            .try_collect()
            .await
    }

    fn warn_of_squeezing(&self, app: &App) {
        if self.squeezed.first(app) {
            tracing::warn!(app = %app, "the base profile would have passed a limit and was written compacted: builds stay the same, flame graphs do not");
        }
    }
}
