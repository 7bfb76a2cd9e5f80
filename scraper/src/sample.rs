//! One scrape of one target: take its profile, check it, send it on. Whatever goes wrong ends here, in the log and in
//! a counter, and disturbs nobody else.

use std::time::Duration;

use async_trait::async_trait;
use autopgo_client::Client;
use autopgo_core::app::App;
use autopgo_core::duration;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::limits::Limits;
use autopgo_core::port::cpu::{Cpu, Threads, offload};
use autopgo_core::upload;
use bytes::Bytes;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::fetch::Fetcher;
use crate::outcome::{Failure, Outcome};
use crate::round::Work;
use crate::target::Target;

/// The longest time over an upload. The client begins no try after five minutes; this ends one that creeps.
const UPLOADING: Duration = autopgo_client::LONGEST.saturating_add(Duration::from_secs(30));

/// What a scrape needs.
pub(crate) struct Sampler {
    fetcher: Fetcher,
    client: Client,
    limits: Limits,
    cpu: Box<dyn Cpu>,
}

/// What is known of a scrape so far, for the log.
#[derive(Default)]
struct Facts {
    size_bytes: Option<usize>,
    samples: Option<usize>,
    key: Option<String>,
}

impl Sampler {
    /// One that takes profiles of `duration` within `limits` and sends them by `client`.
    ///
    /// # Errors
    /// `Internal` when no HTTP client can be had.
    pub(crate) fn new(client: Client, duration: Duration, limits: Limits) -> Result<Self> {
        let fetcher = Fetcher::new(duration, limits.body_bytes)?;
        // One profile is unpacked at a time: a hostile one grows to the raw limit, and many may come in at once.
        Ok(Self { fetcher, client, limits, cpu: Box::new(Threads::new(1)) })
    }

    async fn scrape(
        &self,
        target: &Target,
        stop: &CancellationToken,
        facts: &mut Facts,
    ) -> Result<Outcome, Failure> {
        let fetched = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(Outcome::Stopped),
            fetched = self.fetcher.fetch(target) => fetched?,
        };
        facts.size_bytes = Some(fetched.len());
        let found = self.check(fetched.clone()).await?;
        facts.samples = Some(found.samples);
        if found.idle {
            return Ok(Outcome::Idle);
        }
        facts.key = Some(self.upload(target.app(), fetched).await?);
        Ok(Outcome::Uploaded)
    }

    /// The checks of the server, made here: so that a bad profile is named beside the target that it came from.
    async fn check(&self, profile: Bytes) -> Result<Found, Failure> {
        let limits = self.limits.clone();
        let checked = offload(&*self.cpu, move || Found::of(&profile, &limits)).await;
        let checked =
            checked.map_err(|error| Failure::new(Outcome::Failed, error.during("checking the profile")))?;
        checked.map_err(|error| {
            let outcome = if error.kind() == Kind::TooLarge { Outcome::TooLarge } else { Outcome::Unusable };
            Failure::new(outcome, error)
        })
    }

    /// Sends it; the client tries again, under one idempotency key.
    async fn upload(&self, app: &App, profile: Bytes) -> Result<String, Failure> {
        let uploaded = timeout(UPLOADING, self.client.upload(app, profile, None)).await;
        let uploaded = uploaded.unwrap_or_else(|_| {
            let what =
                format!("uploading the profile of {app}: not done within {}", duration::format(UPLOADING));
            Err(Error::new(Kind::Unavailable, what))
        });
        Ok(uploaded.map_err(|error| Failure::new(Outcome::NotUploaded, error))?.key)
    }
}

#[async_trait]
impl Work for Sampler {
    async fn scrape(&self, target: &Target, stop: &CancellationToken) {
        let begun = Instant::now();
        let mut facts = Facts::default();
        let ended = Sampler::scrape(self, target, stop, &mut facts).await;
        let (outcome, error) = match ended {
            Ok(outcome) => (outcome, None),
            Err(failure) => (failure.outcome, Some(failure.error.chain())),
        };
        outcome.count();
        let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (app, Facts { size_bytes, samples, key }) = (target.app(), facts);
        macro_rules! log {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    target.url = %target, %app, outcome = outcome.name(), duration_ms, size_bytes, samples,
                    profile.key = key, error, $message
                )
            };
        }
        match outcome {
            Outcome::Uploaded => log!(info, "profile uploaded"),
            Outcome::Idle => log!(info, "the target was idle: a profile without samples is not uploaded"),
            Outcome::Stopped => log!(info, "profiling given up: the scraper is stopping"),
            Outcome::NotUploaded => log!(warn, "profile lost: the server did not take it"),
            Outcome::Failed => log!(error, "scrape failed"),
            Outcome::Unreachable | Outcome::Timeout | Outcome::Refused => {
                log!(warn, "the target gave no profile");
            }
            Outcome::TooLarge | Outcome::Unusable => log!(warn, "the target's profile cannot be used"),
        }
    }
}

/// What the checks found in a good profile.
struct Found {
    samples: usize,
    idle: bool,
}

impl Found {
    fn of(bytes: &[u8], limits: &Limits) -> Result<Self> {
        let profile = upload::parse(bytes, limits)?;
        let idle = profile.totals().iter().all(|total| *total == 0);
        Ok(Self { samples: profile.sample_count(), idle })
    }
}

#[cfg(test)]
mod tests;
