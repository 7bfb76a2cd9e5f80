//! The timer's work: what no message told of is merged all the same, what is too old is removed, and the empty base of
//! a deleted application shrinks. The bus is a hint; the store is the truth.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use autopgo_pprof::has_samples;
use jiff::Timestamp;

use super::Worker;
use super::merge::By;
use crate::app::App;
use crate::base;
use crate::clock::since;
use crate::error::{Error, Kind, Result};
use crate::key::{Id, Key, Place};
use crate::ledger::GRACE;
use crate::store::walk::Step;

/// How long a ticket's upload may wait to be completed.
const INCOMING_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a rejected upload is kept for whoever wants to know.
const REJECTED_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// A base above this size is not opened to see whether it is an empty one with a long ledger: some 60,000 ids.
const OPENED: u64 = 1 << 20;
/// How many bases one sweep opens.
const BASES: usize = 100;
/// How many staged uploads of one application one sweep takes.
const STAGED: usize = 10_000;
/// How many objects one sweep ages out.
const AGED: usize = 1_000;

/// Bases that need not be opened again, by size and time: they have samples, or nothing to forget.
#[derive(Clone, Default)]
pub(super) struct Known(Arc<Mutex<HashMap<App, (u64, Timestamp)>>>);

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Uploads that are in their base now, by this sweep or found there.
    pub merged: usize,
    /// Uploads that were set aside.
    pub rejected: usize,
    /// Objects that were too old.
    pub aged_out: usize,
    /// Applications that could not be swept now; the log says why.
    pub failed: usize,
    /// Whether the deadline came first. The next sweep goes on.
    pub unfinished: bool,
}

/// What a walk over the store found.
#[derive(Default)]
struct Found {
    staged: BTreeMap<App, BTreeSet<Id>>,
    aged: Vec<Key>,
    bases: Vec<(App, u64, Timestamp)>,
    oldest: Option<Timestamp>,
    /// Whether there is more than one sweep takes.
    more: bool,
}

impl Worker {
    /// Merges every upload that was staged more than `after` ago and is still there, removes what is too old, and
    /// stops when it is `enough`: a host's deadline, or a process that ends. The next sweep goes on.
    ///
    /// # Errors
    /// If the store cannot be listed. What fails for one application is logged and counted, and the others go on.
    pub async fn sweep(&self, after: Duration, enough: &(dyn Fn() -> bool + Sync)) -> Result<Swept> {
        let found = self.look(after).await?;
        let age = found.oldest.map_or(Duration::ZERO, |oldest| since(oldest, self.host.clock.now()));
        metrics::gauge!("autopgo_staged_oldest_seconds").set(age.as_secs_f64());
        let mut swept = Swept { unfinished: found.more, ..Swept::default() };
        self.age_out(found.aged, enough, &mut swept).await;
        self.shrink(found.bases, enough, &mut swept).await;
        self.merge_in_turn(found.staged, enough, &mut swept).await;
        for (outcome, count) in [
            ("merged", swept.merged),
            ("rejected", swept.rejected),
            ("aged_out", swept.aged_out),
            ("failed", swept.failed),
        ] {
            metrics::counter!("autopgo_swept_total", "outcome" => outcome).increment(count as u64);
        }
        if swept != Swept::default() {
            tracing::info!(
                merged = swept.merged,
                rejected = swept.rejected,
                aged_out = swept.aged_out,
                failed = swept.failed,
                unfinished = swept.unfinished,
                // For clouds that gather no metrics of ours: an alarm can be set on it.
                oldest_seconds = age.as_secs(),
                "swept"
            );
        }
        Ok(swept)
    }

    /// A batch of each application in turn, beginning anywhere: one with many uploads must not keep the others waiting,
    /// not even for a host that forgets all between two sweeps.
    async fn merge_in_turn(
        &self,
        staged: BTreeMap<App, BTreeSet<Id>>,
        enough: &(dyn Fn() -> bool + Sync),
        swept: &mut Swept,
    ) {
        let mut turns: VecDeque<(App, BTreeSet<Id>)> = staged.into_iter().collect();
        if !turns.is_empty() {
            let first = self.host.clock.random() % turns.len() as u64;
            turns.rotate_left(usize::try_from(first).unwrap_or_default());
        }
        while let Some((app, mut ids)) = turns.pop_front() {
            if enough() {
                swept.unfinished = true;
                return;
            }
            let batch: BTreeSet<Id> =
                std::iter::from_fn(|| ids.pop_first()).take(self.host.limits.merge_batch).collect();
            match self.sweep_staged(&app, batch, swept).await {
                Ok(()) if ids.is_empty() => {}
                Ok(()) => turns.push_back((app, ids)),
                Err(error) => {
                    swept.failed += 1;
                    tracing::error!(app = %app, error = error.chain(), "the staged uploads of an application could not be swept");
                }
            }
        }
    }

    async fn sweep_staged(&self, app: &App, ids: BTreeSet<Id>, swept: &mut Swept) -> Result<()> {
        let merged = self.merge(app, ids, By::Sweep).await?;
        swept.merged += merged.decided.len();
        swept.rejected += merged.rejected.len();
        for (id, error) in &merged.failed {
            swept.failed += 1;
            tracing::error!(app = %app, profile.id = %id, error = error.chain(), "a staged upload could not be swept");
        }
        // No need to wait for the event to come back: they are in the base.
        self.settle_all(app, merged.decided).await
    }

    async fn age_out(&self, aged: Vec<Key>, enough: &(dyn Fn() -> bool + Sync), swept: &mut Swept) {
        for key in aged {
            if enough() {
                swept.unfinished = true;
                return;
            }
            match self.host.store.remove(&key).await {
                Ok(()) => swept.aged_out += 1,
                Err(error) => {
                    tracing::warn!(profile.key = %key, error = error.chain(), "an old object stays until the next sweep");
                }
            }
        }
    }

    async fn shrink(
        &self,
        bases: Vec<(App, u64, Timestamp)>,
        enough: &(dyn Fn() -> bool + Sync),
        swept: &mut Swept,
    ) {
        for (app, size, modified) in bases {
            if enough() {
                swept.unfinished = true;
                return;
            }
            if let Err(error) = self.shrink_empty(&app, size, modified).await {
                tracing::warn!(app = %app, error = error.chain(), "an empty base profile was not rewritten");
            }
        }
    }

    /// One pass over the store. Ids sort by time, so behind the first young one of a place there are only younger ones.
    async fn look(&self, after: Duration) -> Result<Found> {
        let now = self.host.clock.now();
        let mut found = Found::default();
        let visit = |key: Key, entry: crate::port::blobs::Entry| {
            // An id carries its maker's clock, the entry the store's: the younger of the two ages counts, so that a
            // wrong clock makes the sweep late and never early.
            let age = |id: &Id| since(id.time().max(entry.modified), now);
            match &key.place {
                Place::Base => {
                    let opened = entry.size <= OPENED && since(entry.modified, now) > GRACE;
                    let opened = opened && found.bases.len() < BASES;
                    if opened && !self.known.has(&key.app, entry.size, entry.modified) {
                        found.bases.push((key.app, entry.size, entry.modified));
                    }
                    Step::Next
                }
                Place::Staged(id) => {
                    found.oldest = Some(found.oldest.map_or(id.time(), |oldest| oldest.min(id.time())));
                    if since(id.time(), now) < after {
                        return Step::SkipPlace;
                    }
                    if age(id) >= after {
                        let ids = found.staged.entry(key.app.clone()).or_default();
                        if ids.len() == STAGED {
                            found.more = true;
                            return Step::SkipPlace;
                        }
                        ids.insert(id.clone());
                    }
                    Step::Next
                }
                Place::Incoming(id) | Place::Rejected(id) | Place::Reason(id) => {
                    let life =
                        if matches!(key.place, Place::Incoming(_)) { INCOMING_LIFE } else { REJECTED_LIFE };
                    if since(id.time(), now) < life {
                        return Step::SkipPlace;
                    }
                    if found.aged.len() == AGED {
                        found.more = true;
                        return Step::SkipPlace;
                    }
                    if age(id) >= life {
                        found.aged.push(key);
                    }
                    Step::Next
                }
            }
        };
        self.host.store.walk(visit).await?;
        Ok(found)
    }

    /// Rewrites an empty base whose ledger can shrink, so that listings need not open it for ever.
    async fn shrink_empty(&self, app: &App, size: u64, modified: Timestamp) -> Result<()> {
        let Some(object) = self.host.store.base(app).await? else { return Ok(()) };
        if has_samples(&object.bytes, &self.host.limits.base()).unwrap_or(true) {
            self.known.note(app, size, modified);
            return Ok(());
        }
        let version = object.version.clone();
        let base = base::read(&self.host, app, object).await?;
        let gone = self.forgettable(app, &base.ledger).await?;
        if gone.is_empty() {
            if base.ledger.decided.is_empty() {
                // Nothing is left to forget: it stays as it is until somebody writes it.
                self.known.note(app, size, modified);
            }
            return Ok(());
        }
        let mut ledger = base.ledger;
        for id in &gone {
            ledger.decided.remove(id);
        }
        let bytes = base::write_empty(&self.host, ledger).await?;
        match self.host.store.replace(app, bytes, Some(&version)).await {
            Ok(_) => Ok(()),
            // Somebody wrote meanwhile, or it is not known: the next sweep looks again.
            Err(error) if error.kind() == Kind::Conflict => Ok(()),
            Err(error) => {
                Err(Error::new(error.kind(), "shrinking the ledger of a deleted profile").because(error))
            }
        }
    }
}

impl Known {
    fn has(&self, app: &App, size: u64, modified: Timestamp) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(app) == Some(&(size, modified))
    }

    fn note(&self, app: &App, size: u64, modified: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(app.clone(), (size, modified));
    }
}
