//! Time and chance as a port: production has [`System`], tests turn the hands themselves.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

/// Now, sleep, and fresh random numbers.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// Returns after `duration`.
    async fn sleep(&self, duration: Duration);

    /// 64 random bits, from a source that nobody can foresee.
    fn random(&self) -> u64;

    /// A fresh UUID, version 4.
    fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(
            (u128::from(self.random()) << 64 | u128::from(self.random())).to_be_bytes(),
        )
        .into_uuid()
    }
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

#[async_trait]
impl Clock for System {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn random(&self) -> u64 {
        // Version 4 leaves 62 free bits in the lower half and 60 in the upper one: mixed, they give 64.
        let (upper, lower) = Uuid::new_v4().as_u64_pair();
        upper.rotate_left(32) ^ lower
    }
}

/// How long to wait before try number `attempt` (0 is the first retry): full jitter below a doubling ceiling,
/// so that racing writers part.
pub fn backoff(clock: &dyn Clock, attempt: u32, first: Duration, most: Duration) -> Duration {
    let ceiling = first.saturating_mul(1 << attempt.min(16)).min(most).as_micros();
    let ceiling = u64::try_from(ceiling).unwrap_or(u64::MAX);
    Duration::from_micros(clock.random() % ceiling.max(1))
}

/// `later - earlier`, zero when the order is the other one (clocks differ between machines).
pub fn since(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or(Duration::ZERO)
}
