//! Erasing an application so that nothing of it comes back: an empty base profile whose ledger names every upload
//! that was staged. Done by the server for a `DELETE`, and by the worker for a Go server's `profile.deleted`.
//!
//! The order of the steps is what makes it exact. Staging is listed *before* the base is read: whatever has left
//! staging by then is seen in the base, or, when it was set aside, in `rejected/`, which is listed between the two. The
//! ledger must name that too: a client that never got its answer sends the upload again, under the same id. The base is swapped, never removed: a worker that read an older state fails
//! its own swap, and an upload named in the ledger is never merged, however late its staged object shows up again.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::app::App;
use crate::base;
use crate::clock::{backoff, since};
use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::key::Id;
use crate::ledger::{GRACE, Ledger};
use crate::port::blobs::Version;

/// How often a swap is tried before the caller is told to come back.
const TRIES: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Who asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A client that waits for the answer: an application of which there is nothing is "not found".
    ByRequest,
    /// A Go server's event of this time. It is applied once, and always leaves its mark.
    ByEvent(Timestamp),
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erased {
    /// Everything accepted before is gone for good.
    Gone,
    /// There was nothing to erase.
    Nothing,
    /// This event was applied before.
    Already,
}

/// Erases `app`.
///
/// # Errors
/// `Unavailable` when it lost too many races or the store does not answer. It may be asked for again at any time.
pub async fn erase(host: &Host, app: &App, asked: Asked) -> Result<Erased> {
    let mut last = None;
    for attempt in 0..TRIES {
        if attempt > 0 {
            host.clock.sleep(backoff(&*host.clock, attempt - 1, FIRST_PAUSE, LONGEST_PAUSE)).await;
        }
        let plan = match plan(host, app, asked, attempt == 0).await {
            Ok(plan) => plan,
            Err(error) if error.kind() == Kind::Conflict => {
                last = Some(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        let plan = match plan {
            Plan::Swap(plan) => plan,
            // An earlier swap of ours landed, though its answer was lost: go on with the clean-up.
            Plan::Swapped(erased) => {
                clean_up(host, app, erased).await;
                return Ok(Erased::Gone);
            }
            Plan::Not(erased) => return Ok(erased),
        };
        let bytes = base::write_empty(host, plan.ledger).await?;
        match host.store.replace(app, bytes, plan.version.as_ref()).await {
            Ok(_) => {
                clean_up(host, app, plan.erased).await;
                return Ok(Erased::Gone);
            }
            // Refused or unknown: never assume, start again from the listing.
            Err(error) if matches!(error.kind(), Kind::Conflict | Kind::Unavailable) => {
                tracing::debug!(app = %app, attempt, error = error.chain(), "the empty base profile was not written");
                last = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    let what = format!("deleting {app}: its base profile could not be replaced in {TRIES} tries; try again");
    let error = Error::new(Kind::Unavailable, what);
    Err(match last {
        Some(cause) => error.because(cause),
        None => error,
    })
}

enum Plan {
    Swap(Swap),
    /// An earlier swap has landed; these it erased, and they may still be staged.
    Swapped(Remains),
    Not(Erased),
}

/// An empty base to be written.
struct Swap {
    ledger: Ledger,
    version: Option<Version>,
    erased: Remains,
}

/// What is left of erased uploads. What was staged or set aside since is none of a deletion's business.
#[derive(Default)]
struct Remains {
    staged: BTreeSet<Id>,
    rejected: BTreeSet<Id>,
}

async fn plan(host: &Host, app: &App, asked: Asked, first: bool) -> Result<Plan> {
    // Before the listing: a deletion that another server was asked for since may have to erase more than is listed
    // here, and must not find a mark that says it is done.
    let now = host.clock.now();
    let staged = host.store.staged_ids(app).await?;
    let rejected = host.store.rejected_ids(app).await?;
    let (base, version) = base::read_to_replace(host, app).await?;
    let mut ledger = base.ledger;
    // On a later pass an earlier swap of ours has landed, and its ledger names what it erased.
    let named = |ids: &BTreeSet<Id>| ids.intersection(&ledger.decided).cloned().collect();
    let landed = Remains { staged: named(&staged), rejected: named(&rejected) };
    let nothing = |outcome| if first { Plan::Not(outcome) } else { Plan::Swapped(landed) };
    match asked {
        Asked::ByRequest => {
            // What was set aside counts: its client may yet send it again.
            if base.profile.is_none() && staged.is_empty() && rejected.is_empty() {
                return Ok(nothing(Erased::Nothing));
            }
            ledger.note_deletion(now);
        }
        Asked::ByEvent(time) => {
            if ledger.deleted.is_some_and(|deleted| deleted >= time) {
                return Ok(nothing(Erased::Already));
            }
            ledger.note_deletion(time);
        }
    }
    ledger.decided.extend(staged.iter().cloned());
    // One that is older than the grace time cannot be sent again.
    ledger.decided.extend(rejected.iter().filter(|id| since(id.time(), now) <= GRACE).cloned());
    Ok(Plan::Swap(Swap { ledger, version, erased: Remains { staged, rejected } }))
}

/// Removes what the empty base names already: whatever is left behind here, the worker finds decided.
async fn clean_up(host: &Host, app: &App, erased: Remains) {
    for (id, error) in host.store.unstage_all(app, erased.staged).await {
        tracing::warn!(app = %app, profile.id = %id, error = error.chain(), "a staged upload of a deleted profile stays until the next sweep");
    }
    for (id, error) in host.store.unreject_all(app, erased.rejected).await {
        tracing::warn!(app = %app, profile.id = %id, error = error.chain(), "a rejected upload of a deleted profile stays until it ages out");
    }
}
