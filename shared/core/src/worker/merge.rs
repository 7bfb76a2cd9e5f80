//! One merge of uploads into the base profile of an application: the attempt, its steps in the order that makes it
//! exact, and the loop that starts it again when somebody else wrote first.
//!
//! The order: the base is read; *after that* the staged objects, and which old ids of the ledger are still staged;
//! then one conditional write of data and ledger together. What a step read before the base may be older than the
//! base, and an upload that was merged and settled in between would be merged again. Nothing is set aside for not
//! fitting before the write has won: another attempt may have merged it by then. Once the write has won, or when there
//! is nothing to write, what did not fit the base that was written or read is set aside.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::Worker;
use super::fold::{Fold, Folded};
use crate::app::App;
use crate::base::{self, Base};
use crate::clock::{backoff, since};
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::key::Id;
use crate::ledger::Ledger;
use crate::store::Reason;

/// How long an id stays in the ledger after its own time, so that no write of its staged object can still be under
/// way: 5 minutes of clock difference, 15 of a ticket's life, 20 of a write under way.
pub(super) const GRACE: Duration = Duration::from_secs(40 * 60);

/// How often an attempt is started before the messages are handed back.
const TRIES: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How many staged objects are looked up at once.
const LOOK_UP_AT_ONCE: usize = 16;
/// How many events are published at once.
const PUBLISH_AT_ONCE: usize = 8;
/// How many staged objects are read at once.
const READ_AT_ONCE: usize = 8;
/// How many bytes of staged objects one attempt holds, but for the last few that it reads.
const HELD: usize = 64 << 20;
/// How many ids a ledger may name: the room that a base has beside its data. Filling it takes 200 uploads a second of
/// one application for as long as the grace time.
const LEDGER: usize = crate::limits::LEDGER / 2;
/// From this many old ids on, one listing is cheaper than looking each of them up.
const LIST_FROM: usize = 16;

/// Whether it was logged already that bases pass their limit.
pub(super) type Warned = Arc<AtomicBool>;

/// What a merge did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Merged {
    /// Uploads that are in the base now, by this merge or an earlier one.
    pub(super) decided: Vec<Id>,
    /// Uploads that were set aside.
    pub(super) rejected: Vec<Id>,
}

impl Worker {
    /// Merges the uploads `ids` of `app`, at most a batch of them, into its base profile: in one write, or in a few
    /// when they are too large to be held together.
    ///
    /// # Errors
    /// When the store, the bus or the base does not let it: the messages are to be handed back. What was written
    /// stays, and the next try finds it.
    pub(super) async fn merge(&self, app: &App, ids: BTreeSet<Id>) -> Result<Merged> {
        let mut all = Merged::default();
        let mut waiting = ids;
        while !waiting.is_empty() {
            let start = self.host.clock.now();
            let attempt = self.persist(app, &waiting).await?;
            let took = since(start, self.host.clock.now());
            metrics::histogram!("autopgo_merge_seconds").record(took.as_secs_f64());
            all.decided.extend(attempt.merged.decided);
            all.rejected.extend(attempt.merged.rejected);
            waiting = attempt.waiting;
        }
        Ok(all)
    }

    /// Makes attempts until one goes through, a bounded number of times.
    async fn persist(&self, app: &App, ids: &BTreeSet<Id>) -> Result<Attempt> {
        let clock = &*self.host.clock;
        let mut last = None;
        for attempt in 0..TRIES {
            if attempt > 0 {
                clock.sleep(backoff(clock, attempt - 1, FIRST_PAUSE, LONGEST_PAUSE)).await;
            }
            match self.attempt(app, ids).await {
                Ok(attempt) => return Ok(attempt),
                // Refused, or its outcome is unknown: never assume, read the base again.
                Err(error) if matches!(error.kind(), Kind::Conflict | Kind::Unavailable) => {
                    let outcome = if error.kind() == Kind::Conflict { "lost" } else { "unknown" };
                    metrics::counter!("autopgo_conflicts_total", "outcome" => outcome).increment(1);
                    tracing::debug!(app = %app, attempt, error = error.chain(), "a merge starts again");
                    last = Some(error);
                }
                Err(error) => {
                    metrics::counter!("autopgo_merges_total", "outcome" => "failed").increment(1);
                    return Err(error);
                }
            }
        }
        metrics::counter!("autopgo_merges_total", "outcome" => "gave_up").increment(1);
        let error = Error::new(Kind::Unavailable, format!("merging into {app}: gave up after {TRIES} tries"));
        Err(match last {
            Some(cause) => error.because(cause),
            None => error,
        })
    }

    async fn attempt(&self, app: &App, ids: &BTreeSet<Id>) -> Result<Attempt> {
        let store = &self.host.store;
        let object = store.base(app).await?;
        let version = object.as_ref().map(|object| object.version.clone());
        let Base { profile, ledger } = match object {
            Some(object) => base::read(&self.host, app, object).await?,
            None => Base::default(),
        };

        let (mut decided, fresh): (Vec<Id>, Vec<Id>) =
            ids.iter().cloned().partition(|id| ledger.decided.contains(id));
        let Staged { uploads, oversize, waiting } = self.read_staged(app, fresh).await?;
        let folded = self.fold(app, profile, uploads).await?;

        let merged: Vec<Id> = folded.merged;
        if let Some(write) = folded.write {
            let ledger = self.next_ledger(app, ledger, &merged).await?;
            let bytes = write.with(&self.host, ledger).await?;
            let size = bytes.len();
            store.replace(app, bytes, version.as_ref()).await?;
            metrics::counter!("autopgo_merges_total", "outcome" => "merged").increment(merged.len() as u64);
            tracing::info!(app = %app, uploads = merged.len(), size_bytes = size, "base profile written");
        }
        decided.extend(merged);

        let events = decided.iter().map(|id| Event::Merged { app: app.clone(), id: id.clone() });
        stream::iter(events.collect::<Vec<_>>())
            .map(|event| self.host.publish(event))
            .buffer_unordered(PUBLISH_AT_ONCE)
            .try_collect::<()>()
            .await?;
        let mut rejected = Vec::new();
        for (id, reason) in oversize.into_iter().chain(folded.rejected) {
            metrics::counter!("autopgo_rejected_total", "outcome" => "rejected").increment(1);
            tracing::warn!(app = %app, profile.id = %id, reason = reason.message, "an upload is set aside");
            store.reject(app, &id, &reason).await?;
            rejected.push(id);
        }
        Ok(Attempt { merged: Merged { decided, rejected }, waiting })
    }

    /// Reads staged objects, as many as may be held at once. One that is gone was decided by somebody else, one that
    /// is too large is to be set aside.
    async fn read_staged(&self, app: &App, ids: Vec<Id>) -> Result<Staged> {
        let mut staged = Staged::default();
        let mut held = 0;
        let mut rest = ids.into_iter();
        while held < HELD && !rest.as_slice().is_empty() {
            let few: Vec<Id> = rest.by_ref().take(READ_AT_ONCE).collect();
            let reads = few.into_iter().map(|id| async move { (self.host.store.staged(app, &id).await, id) });
            for (read, id) in join_all(reads).await {
                match read {
                    Ok(Some(bytes)) => {
                        held += bytes.len();
                        staged.uploads.push((id, bytes));
                    }
                    Ok(None) => {}
                    Err(error) if error.kind() == Kind::TooLarge => {
                        staged.oversize.push((id, Reason { message: error.what().to_owned() }));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        staged.waiting = rest.collect();
        Ok(staged)
    }

    async fn fold(
        &self,
        app: &App,
        base: Option<autopgo_pprof::Profile>,
        uploads: Vec<(Id, Bytes)>,
    ) -> Result<Folded> {
        let fold = Fold {
            app: app.clone(),
            limits: Arc::clone(&self.host.limits),
            rules: Arc::clone(&self.options.rules),
            compact: self.options.compact,
        };
        let folded = self.host.compute(move || fold.run(base, uploads)).await?;
        if folded.squeezed && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(app = %app, "a base profile would pass a limit and is kept compacted from now on: the build stays the same, flame graphs do not");
        }
        Ok(folded)
    }

    /// The ledger to write: with what is merged now, and without old ids whose staged object is gone.
    async fn next_ledger(&self, app: &App, mut ledger: Ledger, merged: &[Id]) -> Result<Ledger> {
        for id in self.forgettable(app, &ledger).await? {
            ledger.decided.remove(&id);
        }
        ledger.decided.extend(merged.iter().cloned());
        if ledger.decided.len() > LEDGER {
            return Err(Error::new(
                Kind::TooLarge,
                format!(
                    "{app} had more than {LEDGER} uploads within the grace time; merging goes on when the oldest leave the ledger"
                ),
            ));
        }
        Ok(ledger)
    }

    /// The ids that `ledger` need not name any more: no staged object is there, and none can be on its way. To be
    /// asked only after the base with this ledger was read.
    pub(super) async fn forgettable(&self, app: &App, ledger: &Ledger) -> Result<Vec<Id>> {
        let now = self.host.clock.now();
        let old: Vec<Id> =
            ledger.decided.iter().filter(|id| since(id.time(), now) > GRACE).cloned().collect();
        if old.len() < LIST_FROM {
            return stream::iter(old)
                .map(|id| async move { Ok((!self.host.store.is_staged(app, &id).await?).then_some(id)) })
                .buffered(LOOK_UP_AT_ONCE)
                .try_filter_map(async |gone| Ok(gone))
                .try_collect()
                .await;
        }
        let staged = self.host.store.staged_ids(app).await?;
        Ok(old.into_iter().filter(|id| !staged.contains(id)).collect())
    }
}

/// What one attempt did, and what it left for the next.
struct Attempt {
    merged: Merged,
    waiting: BTreeSet<Id>,
}

#[derive(Default)]
struct Staged {
    uploads: Vec<(Id, Bytes)>,
    oversize: Vec<(Id, Reason)>,
    waiting: BTreeSet<Id>,
}
