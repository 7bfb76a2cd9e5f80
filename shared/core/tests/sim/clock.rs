//! Time and chance for the core: the simulation's own, each process with a clock that may be a little off.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::clock::Clock;
use autopgo_core::port::cpu::{Cpu, Job};
use jiff::Timestamp;

use super::executor::Sim;

/// When simulations start: 2026-01-01T00:00:00Z, in nanoseconds.
const START: i64 = 1_767_225_600_000_000_000;

/// The clock of one process.
pub(crate) struct SimClock {
    sim: Arc<Sim>,
    offset: i64,
}

impl SimClock {
    /// A clock that is `offset` nanoseconds ahead of the store's.
    pub(crate) fn new(sim: Arc<Sim>, offset: i64) -> Self {
        Self { sim, offset }
    }
}

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        time(self.sim.now() + self.offset)
    }

    async fn sleep(&self, duration: Duration) {
        self.sim.sleep(duration).await;
    }

    fn random(&self) -> u64 {
        self.sim.chance(super::chance::Chance::bits)
    }
}

/// The time of day `nanos` nanoseconds after the start.
pub(crate) fn time(nanos: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(START + nanos)).expect("within this century")
}

/// Computes at once, but lets anything happen before and after.
pub(crate) struct SimCpu(pub(crate) Arc<Sim>);

#[async_trait]
impl Cpu for SimCpu {
    async fn run(&self, job: Job) {
        self.0.pause().await;
        job();
    }
}
