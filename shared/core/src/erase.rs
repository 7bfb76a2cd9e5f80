//! Erasing an application so that nothing of it comes back: an empty base profile whose ledger names every upload
//! that was staged. Done by the server for a `DELETE`, and by the worker for a Go server's `profile.deleted`.
//!
//! The order of the steps is what makes it exact. Staging is listed *before* the base is read: whatever has left
//! staging by then is seen in the base. The base is swapped, never removed: a worker that read an older state fails
//! its own swap, and an upload named in the ledger is never merged, however late its staged object shows up again.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::app::App;
use crate::base;
use crate::clock::backoff;
use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::key::Id;

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
        match swap(host, app, asked, attempt == 0).await {
            Ok(Swapped::Done(staged)) => {
                clean_up(host, app, &staged).await;
                return Ok(Erased::Gone);
            }
            Ok(Swapped::Not(erased)) => return Ok(erased),
            // Refused or unknown: never assume, start again from the listing.
            Err(error) if matches!(error.kind(), Kind::Conflict | Kind::Unavailable) => {
                tracing::debug!(app = %app, attempt, error = error.chain(), "the empty base profile was not written");
                last = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    let error = Error::new(
        Kind::Unavailable,
        format!("deleting {app}: others wrote its profile {TRIES} times; try again"),
    );
    Err(match last {
        Some(cause) => error.because(cause),
        None => error,
    })
}

enum Swapped {
    /// The empty base stands; these are erased and may still be staged.
    Done(BTreeSet<Id>),
    Not(Erased),
}

async fn swap(host: &Host, app: &App, asked: Asked, first: bool) -> Result<Swapped> {
    let staged = host.store.staged_ids(app).await?;
    let (base, version) = base::read_to_replace(host, app).await?;
    let mut ledger = base.ledger;
    match asked {
        Asked::ByRequest => {
            if base.profile.is_none() && staged.is_empty() {
                // On a later pass: an earlier swap of ours landed though its answer was lost. Go on with the clean-up.
                return Ok(if first { Swapped::Not(Erased::Nothing) } else { Swapped::Done(staged) });
            }
            ledger.note_deletion(host.clock.now());
        }
        Asked::ByEvent(time) => {
            if ledger.deleted.is_some_and(|deleted| deleted >= time) {
                return Ok(Swapped::Not(Erased::Already));
            }
            ledger.note_deletion(time);
        }
    }
    ledger.decided.extend(staged.iter().cloned());
    let bytes = base::write_empty(host, ledger).await?;
    host.store.replace(app, bytes, version.as_ref()).await?;
    Ok(Swapped::Done(staged))
}

/// Removes what the empty base names already: whatever is left behind here, the worker finds decided.
async fn clean_up(host: &Host, app: &App, staged: &BTreeSet<Id>) {
    for id in staged {
        if let Err(error) = host.store.unstage(app, id).await {
            tracing::warn!(app = %app, profile.id = %id, error = error.chain(), "a staged upload of a deleted profile stays until the next sweep");
        }
    }
    if let Err(error) = host.store.clear_rejected(app).await {
        tracing::warn!(app = %app, error = error.chain(), "rejected uploads of a deleted profile stay until they age out");
    }
}
