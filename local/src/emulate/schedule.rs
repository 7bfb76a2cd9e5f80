//! The cloud's schedule: the function that sweeps is called at an interval.

use std::time::Duration;

use autopgo_core::clock::Clock;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::platform::Platform;

/// A time at which the schedule calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tick {
    /// This time.
    pub(crate) now: Timestamp,
    /// The time before it, if there was one.
    pub(crate) last: Option<Timestamp>,
    /// The time after it.
    pub(crate) next: Timestamp,
}

/// Calls at once, for what an earlier process left, and then at the interval, until `stop`; a call under way may take
/// `drain` then.
pub(super) async fn run(
    platform: &dyn Platform,
    every: Duration,
    clock: &dyn Clock,
    drain: Duration,
    stop: CancellationToken,
) {
    let overdue = async {
        stop.cancelled().await;
        clock.sleep(drain).await;
    };
    let ticking = async {
        let mut last = None;
        while !stop.is_cancelled() {
            let now = clock.now();
            let next = now.saturating_add(every).unwrap_or(Timestamp::MAX);
            if let Err(error) = platform.tick(Tick { now, last, next }).await {
                tracing::error!(error = error.chain(), "the schedule's call failed; the next one comes");
            }
            last = Some(now);
            tokio::select! {
                () = stop.cancelled() => {}
                () = clock.sleep(every) => {}
            }
        }
    };
    tokio::select! {
        () = ticking => {}
        () = overdue => tracing::warn!("a sweep was left undone; the next one goes on"),
    }
}
