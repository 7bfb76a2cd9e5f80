//! The timer's work: what no message told of is merged all the same, what is too old is removed, and the empty base of
//! a deleted application shrinks. The bus is a hint; the store is the truth.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use autopgo_pprof::has_samples;
use jiff::Timestamp;

use super::Worker;
use super::merge::GRACE;
use crate::app::App;
use crate::base;
use crate::clock::since;
use crate::error::{Error, Kind, Result};
use crate::key::{Id, Key, Place};
use crate::store::walk::Step;

/// How long a ticket's upload may wait to be completed.
const INCOMING_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a rejected upload is kept for whoever wants to know.
const REJECTED_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// A base above this size is not opened to see whether it is an empty one with a long ledger.
const OPENED: u64 = 256 << 10;

/// Bases that were found to have samples, by size and time: they need not be opened again.
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
}

impl Worker {
    /// Merges every upload that was staged more than `after` ago and is still there, removes what is too old, and
    /// stops at `deadline`.
    ///
    /// # Errors
    /// If the store cannot be listed. What fails for one application is logged and counted, and the others go on.
    pub async fn sweep(&self, after: Duration, deadline: Option<Timestamp>) -> Result<Swept> {
        let found = self.look(after).await?;
        let now = self.host.clock.now();
        let age = found.oldest.map_or(Duration::ZERO, |oldest| since(oldest, now));
        metrics::gauge!("autopgo_staged_oldest_seconds").set(age.as_secs_f64());
        let late = || deadline.is_some_and(|deadline| self.host.clock.now() >= deadline);
        let mut swept = Swept::default();

        'apps: for (app, ids) in found.staged {
            let ids: Vec<Id> = ids.into_iter().collect();
            for chunk in ids.chunks(self.host.limits.merge_batch) {
                if late() {
                    swept.unfinished = true;
                    break 'apps;
                }
                if let Err(error) = self.sweep_staged(&app, chunk, &mut swept).await {
                    swept.failed += 1;
                    tracing::error!(app = %app, error = error.chain(), "the staged uploads of an application could not be swept");
                    break;
                }
            }
        }
        for key in found.aged {
            if late() {
                swept.unfinished = true;
                break;
            }
            match self.host.store.remove(&key).await {
                Ok(()) => swept.aged_out += 1,
                Err(error) => {
                    tracing::warn!(profile.key = %key, error = error.chain(), "an old object stays until the next sweep");
                }
            }
        }
        for (app, size, modified) in found.bases {
            if late() {
                swept.unfinished = true;
                break;
            }
            if let Err(error) = self.shrink_empty(&app, size, modified).await {
                tracing::warn!(app = %app, error = error.chain(), "an empty base profile was not rewritten");
            }
        }
        metrics::counter!("autopgo_swept_total", "outcome" => "merged").increment(swept.merged as u64);
        metrics::counter!("autopgo_swept_total", "outcome" => "rejected").increment(swept.rejected as u64);
        metrics::counter!("autopgo_swept_total", "outcome" => "aged_out").increment(swept.aged_out as u64);
        if swept != Swept::default() {
            tracing::info!(
                merged = swept.merged,
                rejected = swept.rejected,
                aged_out = swept.aged_out,
                failed = swept.failed,
                unfinished = swept.unfinished,
                "swept"
            );
        }
        Ok(swept)
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
                        found.staged.entry(key.app.clone()).or_default().insert(id.clone());
                    }
                    Step::Next
                }
                Place::Incoming(id) | Place::Rejected(id) | Place::Reason(id) => {
                    let life =
                        if matches!(key.place, Place::Incoming(_)) { INCOMING_LIFE } else { REJECTED_LIFE };
                    if since(id.time(), now) < life {
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

    async fn sweep_staged(&self, app: &App, ids: &[Id], swept: &mut Swept) -> Result<()> {
        let merged = self.merge(app, ids.iter().cloned().collect()).await?;
        // No need to wait for the event to come back: they are in the base.
        for id in &merged.decided {
            self.settle(app, id).await?;
        }
        swept.merged += merged.decided.len();
        swept.rejected += merged.rejected.len();
        Ok(())
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
