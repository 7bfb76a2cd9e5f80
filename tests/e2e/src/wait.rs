//! Waiting for something to become true, with a deadline: nothing here sleeps and hopes.

use std::time::{Duration, Instant};

/// How long a step may take before the story is over. Generous: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// Asks `ready` again and again until it gives something.
///
/// # Panics
/// When `what` has not come within [`PATIENCE`].
pub async fn until<T>(what: &str, ready: impl AsyncFnMut() -> Option<T>) -> T {
    within(PATIENCE, what, ready).await
}

/// The same with another deadline.
///
/// # Panics
/// When `what` has not come in time.
pub async fn within<T>(patience: Duration, what: &str, mut ready: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = ready().await {
            return value;
        }
        assert!(start.elapsed() < patience, "{what}: not within {patience:?}");
        tokio::time::sleep(PAUSE).await;
    }
}
