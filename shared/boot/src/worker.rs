//! A worker from its configuration, and the two loops of a worker that runs for long: the bus and the sweep.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::host::Host;
use autopgo_core::jsonc;
use autopgo_core::port::bus::Subscription;
use autopgo_core::rules::Rules;
use autopgo_core::worker::{Options, Worker, pull};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, PRUNE};
use crate::ports::Ports;

/// The prune rules of the configuration.
///
/// # Errors
/// `Invalid`, with file, line and column, if they cannot be read: a worker never starts with half of them.
pub fn rules(config: &Config) -> Result<Arc<Rules>> {
    let Some(path) = &config.prune else { return Ok(Arc::default()) };
    let name = path.display().to_string();
    let bytes = fs::read(path).map_err(|error| {
        Error::new(Kind::Invalid, format!("reading the prune rules {name} ({PRUNE}): {error}"))
    })?;
    let rules = Rules::parse(jsonc::text(&bytes, &name)?, &name)?;
    for warning in rules.warnings() {
        tracing::warn!("{warning}");
    }
    Ok(Arc::new(rules))
}

/// The worker over `host`.
pub fn worker(config: &Config, rules: Arc<Rules>, host: Host) -> Worker {
    Worker::new(host, Options { rules, compact: config.compact })
}

/// A worker at work until it is stopped.
pub struct Work {
    worker: Worker,
    subscription: Arc<dyn Subscription>,
    sweep_every: Duration,
    sweep_after: Duration,
}

impl Work {
    /// `worker`, fed by the subscription of `ports`.
    ///
    /// # Errors
    /// `Invalid` if the ports have none.
    pub fn new(ports: &Ports, worker: Worker, config: &Config) -> Result<Self> {
        let subscription = ports.subscription.clone().ok_or_else(|| {
            Error::new(
                Kind::Invalid,
                "a worker needs a subscription: open its ports with a URL to receive from",
            )
        })?;
        let Config { sweep_every, sweep_after, .. } = *config;
        Ok(Self { worker, subscription, sweep_every, sweep_after })
    }

    /// Pulls and sweeps until `stop`, then finishes what is in hand, for as long as the limit `drain` allows.
    pub async fn run(self, stop: CancellationToken) {
        let overdue = async {
            stop.cancelled().await;
            tokio::time::sleep(self.worker.host().limits.drain).await;
        };
        let sweeping = async {
            tokio::select! {
                () = self.sweep(&stop) => {}
                () = overdue => tracing::warn!("a sweep was left undone; the next one goes on"),
            }
        };
        tokio::join!(pull(&self.worker, &*self.subscription, stop.clone()), sweeping);
    }

    /// Sweeps at once, for what an earlier process left, and then at the interval.
    async fn sweep(&self, stop: &CancellationToken) {
        loop {
            if let Err(error) = self.worker.sweep(self.sweep_after, &|| stop.is_cancelled()).await {
                tracing::error!(
                    error = error.chain(),
                    "the store could not be swept; trying again at the next interval"
                );
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.sweep_every) => {}
            }
        }
    }
}
