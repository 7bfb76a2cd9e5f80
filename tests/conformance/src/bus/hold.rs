//! How long a broker holds what it has given out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longer than a busy broker takes to give forty messages, one by one.
const LONG: Duration = Duration::from_secs(15);

/// A hold that is short, for the laws that wait until it runs out, unless it was lengthened before it was first asked for.
#[derive(Debug)]
pub struct Hold {
    usual: Duration,
    long: AtomicBool,
}

impl Hold {
    /// One of this long.
    #[must_use]
    pub const fn of(usual: Duration) -> Self {
        Self { usual, long: AtomicBool::new(false) }
    }

    /// See [`super::Harness::hold_for_long`].
    pub fn lengthen(&self) {
        self.long.store(true, Ordering::Relaxed);
    }

    /// How long it is.
    #[must_use]
    pub fn get(&self) -> Duration {
        if self.long.load(Ordering::Relaxed) { self.usual.max(LONG) } else { self.usual }
    }
}
