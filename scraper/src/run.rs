//! The scraper as a process: a source of targets, the rounds over them, and a health endpoint, until it is told to stop.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use autopgo_client::Client;
use autopgo_core::duration;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::health::Checks;
use autopgo_core::limits::Limits;
use autopgo_http::process::{health, listen};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::counts;
use crate::round::Rounds;
use crate::sample::Sampler;
use crate::source::{Source, Targets};

/// How long scrapes in hand may take to end once the scraper is to stop: less than the ten seconds after which
/// container runtimes kill.
const GRACE: Duration = Duration::from_secs(8);

/// How long questions about health may take to be answered once the scraper is to stop.
const HEALTH_GRACE: Duration = Duration::from_secs(1);

/// What the scraper does.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where profiles are sent.
    pub client: Client,
    /// Where health is served (`GET /api/health`, `GET /api/ready`), if anywhere. `autopgo scrape` listens on every
    /// interface: an orchestrator asks from outside. A broken config file makes the scraper unhealthy but leaves it
    /// ready, so readiness is what a liveness probe should ask for.
    pub listen: Option<SocketAddr>,
    /// The most targets in hand at once. Each holds a profile of up to `limits.body_bytes` until it is uploaded.
    pub sample_size: NonZeroUsize,
    /// From the start of one round to the start of the next.
    pub frequency: Duration,
    /// How long a target is profiled; rounded up to whole seconds.
    pub duration: Duration,
    /// What a profile may be.
    pub limits: Limits,
}

/// Scrapes what `source` finds until `stop`; the first round begins as soon as there are targets.
///
/// On `stop` no round begins, profiles not yet taken are given up, and those that were taken are uploaded, for eight
/// seconds at the most.
///
/// # Errors
/// `Invalid`: a frequency or a duration of zero. `Unavailable`, `Denied` or `Internal` when the health endpoint or the
/// HTTP client cannot be set up. What goes wrong with a target or an upload is no error of this function.
pub async fn run(options: Options, source: Arc<dyn Source>, stop: CancellationToken) -> Result<()> {
    let listener = match options.listen {
        Some(address) => Some(listen::bind(address).await?),
        None => None,
    };
    run_on(listener, options, source, stop).await
}

async fn run_on(
    listener: Option<TcpListener>,
    options: Options,
    source: Arc<dyn Source>,
    stop: CancellationToken,
) -> Result<()> {
    counts::describe();
    let rounds = Rounds { frequency: options.frequency, sample_size: options.sample_size, grace: GRACE };
    for (name, value) in [("frequency", options.frequency), ("duration", options.duration)] {
        if value.is_zero() {
            return Err(Error::new(
                Kind::Invalid,
                format!("the {name} is zero; give it a time above that, such as 30s"),
            ));
        }
    }
    let sampler = Arc::new(Sampler::new(options.client, options.duration, options.limits.clone())?);
    let (sender, targets) = watch::channel(Targets::default());
    tracing::info!(
        source = source.name(),
        sample_size = options.sample_size,
        frequency = duration::format(options.frequency),
        duration = duration::format(options.duration),
        "scraper starts"
    );
    let health = async {
        if let Some(listener) = listener {
            let checks = Checks::default().with(source.name(), Arc::<dyn Source>::clone(&source));
            let router = health::router(checks);
            listen::run(listener, router, &options.limits, stop.cancelled(), HEALTH_GRACE).await;
        }
    };
    let scraping = async { tokio::join!(rounds.run(sampler, targets, &stop), health) };
    tokio::select! {
        ((), ()) = scraping => {}
        () = source.watch(sender) => {
            return Err(Error::new(Kind::Internal, "the source of targets ended; restart the scraper"));
        }
    }
    tracing::info!("scraper stopped");
    Ok(())
}

#[cfg(test)]
mod tests;
