//! An upload: check it, stage it, tell the worker. From the moment it is staged it is durable.

use std::time::Duration;

use autopgo_pprof::gzip;
use bytes::Bytes;
use jiff::Timestamp;

use super::Server;
use crate::app::App;
use crate::clock::{backoff, since};
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::key::{Id, Key};
use crate::ledger::CLOCK_DIFFERENCE;
use crate::limits::Limits;
use crate::upload;

/// How long publishing is tried before the answer goes out without it.
const PUBLISHING: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

impl Server {
    /// Takes an upload of `app`: `body` is a pprof profile, gzip or not. Gives the key at which it is staged.
    ///
    /// With an `idempotency_key` (a UUID version 7) a retry is the same upload.
    ///
    /// # Errors
    /// `Unusable` for what is no CPU profile that PGO can use and `TooLarge` for one over a limit, both saying what is
    /// wrong; `Invalid` for a bad idempotency key; `Unavailable` if it could not be stored. Nothing is staged then.
    pub async fn upload(&self, app: &App, body: Bytes, idempotency_key: Option<&str>) -> Result<Key> {
        let start = self.host.clock.now();
        let id = self.id(idempotency_key)?;
        let body = self.check(body).await?;
        self.stage(app, &id, body, start).await?;
        self.announce(Event::Uploaded { app: app.clone(), id: id.clone() }).await;
        Ok(Key::staged(app, &id))
    }

    /// The id of an upload: made from the idempotency key, or a fresh one.
    ///
    /// # Errors
    /// `Invalid` for a key that is none, or whose time is too far off ours.
    pub(super) fn id(&self, idempotency_key: Option<&str>) -> Result<Id> {
        let clock = &*self.host.clock;
        match idempotency_key {
            Some(key) => Id::from_idempotency_key(key, clock, CLOCK_DIFFERENCE),
            None => Ok(Id::fresh(clock)),
        }
    }

    /// What is to be staged for `body`.
    ///
    /// # Errors
    /// `Unusable` and `TooLarge`, as for an upload.
    pub(super) async fn check(&self, body: Bytes) -> Result<Bytes> {
        let limits = std::sync::Arc::clone(&self.host.limits);
        self.host.compute(move || checked(body, &limits)).await.inspect_err(|error| count(error.kind()))
    }

    /// Stages what was checked, for a request that began at `start`.
    pub(super) async fn stage(&self, app: &App, id: &Id, body: Bytes, start: Timestamp) -> Result<()> {
        let size = body.len();
        self.host.store.stage(app, id, body).await.inspect_err(|error| count(error.kind()))?;
        metrics::counter!("autopgo_uploads_total", "outcome" => "staged").increment(1);
        metrics::histogram!("autopgo_upload_seconds")
            .record(since(start, self.host.clock.now()).as_secs_f64());
        tracing::info!(app = %app, profile.id = %id, size_bytes = size, "profile staged");
        Ok(())
    }

    /// Publishes `event`, for two seconds at the most. If that fails the store still has it all: the sweep finds it.
    pub(super) async fn announce(&self, event: Event) {
        let clock = &*self.host.clock;
        let start = clock.now();
        let tries = async {
            let mut attempt = 0;
            loop {
                let error = match self.host.publish(event.clone()).await {
                    Ok(()) => return None,
                    Err(error) => error,
                };
                let pause = backoff(clock, attempt, FIRST_PAUSE, LONGEST_PAUSE);
                if since(start, clock.now()) + pause >= PUBLISHING {
                    return Some(error);
                }
                clock.sleep(pause).await;
                attempt += 1;
            }
        };
        let failed = tokio::select! {
            biased;
            failed = tries => failed,
            () = clock.sleep(PUBLISHING) => Some(Error::new(Kind::Unavailable, "the bus did not answer within 2 s")),
        };
        if let Some(error) = failed {
            metrics::counter!("autopgo_unpublished_total", "event" => event.name()).increment(1);
            tracing::warn!(app = %event.app(), "event.type" = event.name(), error = error.chain(), "an event was not published; the sweep will find what it stands for");
        }
    }
}

/// What is staged for `body`, if it is a profile that PGO can use: always gzip, so that it is small and its form known.
fn checked(body: Bytes, limits: &Limits) -> Result<Bytes> {
    upload::check(&body, limits)?;
    if gzip::is_gzip(&body) { Ok(body) } else { Ok(gzip::deflate(&body).into()) }
}

fn count(kind: Kind) {
    let outcome = match kind {
        Kind::Unusable | Kind::TooLarge | Kind::Invalid => "refused",
        _ => "failed",
    };
    metrics::counter!("autopgo_uploads_total", "outcome" => outcome).increment(1);
}
