//! How long requests to a service may take, and how often they are tried.

use std::time::Duration;

use autopgo_core::clock::{System, backoff};
use tokio::time::Instant;

/// For one try of a request, beside what it asks the service to wait.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(10);
/// Every try of a request together, and the waits between.
pub(crate) const OPERATION: Duration = Duration::from_secs(25);
/// How often a request is made at the most.
pub(crate) const ATTEMPTS: u32 = 4;
/// The wait before the second try, at the most; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(4);

/// Why a request came to nothing.
pub(crate) trait Failed {
    /// Whether it may help to try again.
    fn may_pass(&self) -> bool;
}

/// Tries again where that may help, as long as all of it takes no longer than `all`. Each try is told how long it may take.
pub(crate) async fn patiently<T, E, F>(all: Duration, attempt: impl Fn(Duration) -> F) -> Result<T, E>
where
    E: Failed,
    F: Future<Output = Result<T, E>>,
{
    let end = Instant::now() + all;
    let mut tries = 1;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let failure = match attempt(left.min(ATTEMPT)).await {
            Ok(done) => return Ok(done),
            Err(failure) => failure,
        };
        let wait = wait(tries);
        if tries == ATTEMPTS || !failure.may_pass() || Instant::now() + wait >= end {
            return Err(failure);
        }
        tokio::time::sleep(wait).await;
        tries += 1;
    }
}

/// How long to wait after so many tries. There is always some of it, and it is never the same for everybody.
pub(crate) fn wait(tries: u32) -> Duration {
    FIRST_WAIT / 2 + backoff(&System, tries - 1, FIRST_WAIT, LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Debug)]
    struct Fails {
        passing: bool,
    }

    impl Failed for Fails {
        fn may_pass(&self) -> bool {
            self.passing
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again_within_a_bound() {
        for (passing, expected) in [(true, ATTEMPTS), (false, 1)] {
            let tries = AtomicU32::new(0);
            let begun = Instant::now();
            let outcome: Result<(), Fails> = patiently(OPERATION, |_| async {
                tries.fetch_add(1, Ordering::SeqCst);
                Err(Fails { passing })
            })
            .await;
            outcome.expect_err("it never succeeds");
            assert_eq!(tries.load(Ordering::SeqCst), expected);
            assert!(begun.elapsed() < OPERATION);
        }
        let begun = Instant::now();
        let outcome: Result<(), Fails> = patiently(Duration::from_millis(1800), |limit| async move {
            tokio::time::sleep(limit).await;
            Err(Fails { passing: true })
        })
        .await;
        outcome.expect_err("it never succeeds");
        assert!(begun.elapsed() <= Duration::from_millis(1800), "{:?}", begun.elapsed());
    }
}
