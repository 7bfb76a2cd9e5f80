//! The recorder, once a process.

use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use autopgo_core::error::{Error, Kind, Result};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// The bounds of every histogram, in seconds: from an answer out of memory to a merge that is tried again and again.
const BUCKETS: [f64; 15] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

/// Values of histograms wait, each by itself, until somebody adds them up: a scrape does, and without one this, as often.
const UPKEEP: Duration = Duration::from_secs(5);

static KEPT: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

/// Keeps what this process counts from now on. To be called before a server, a worker or a router is made, for those
/// say what they count and look whether somebody keeps it. A second call changes nothing.
///
/// # Errors
/// `Internal` if the process has a recorder of another kind.
pub fn install() -> Result<()> {
    let mut kept = kept();
    if kept.is_some() {
        return Ok(());
    }
    let failed = |error| Error::new(Kind::Internal, "keeping metrics for Prometheus").because(error);
    let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS).map_err(failed)?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|_| {
        Error::new(Kind::Internal, "keeping metrics for Prometheus: this process keeps others already")
    })?;
    *kept = Some(handle);
    metrics::describe_gauge!("autopgo_build_info", "1, with the version of this program as its label");
    metrics::gauge!("autopgo_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(())
}

/// The page, if there is one.
pub(crate) fn page() -> Option<PrometheusHandle> {
    kept().clone()
}

/// Adds up what waits, for ever.
pub(crate) async fn upkeep() -> Infallible {
    let Some(handle) = page() else { return std::future::pending().await };
    loop {
        tokio::time::sleep(UPKEEP).await;
        handle.run_upkeep();
    }
}

fn kept() -> MutexGuard<'static, Option<PrometheusHandle>> {
    // No code panics while it holds the lock, so what it guards is always whole.
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}
