//! When to receive again after something failed: pauses that grow until it works.

use std::time::Duration;

use crate::clock::{Clock, backoff};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The bus gives nothing.
    Deaf,
    /// Of what it gave, nothing got through.
    Fruitless,
}

/// How often in a row there was which trouble.
#[derive(Default)]
pub struct Pace {
    deaf: u32,
    fruitless: u32,
}

impl Pace {
    /// How long to wait now that there was this trouble once more.
    pub fn pause(&mut self, clock: &dyn Clock, trouble: Trouble) -> Duration {
        let times = self.times(trouble);
        let pause = FIRST_PAUSE + backoff(clock, *times, FIRST_PAUSE, LONGEST_PAUSE);
        *times = times.saturating_add(1);
        pause
    }

    /// This trouble is over.
    pub fn over(&mut self, trouble: Trouble) {
        *self.times(trouble) = 0;
    }

    fn times(&mut self, trouble: Trouble) -> &mut u32 {
        match trouble {
            Trouble::Deaf => &mut self.deaf,
            Trouble::Fruitless => &mut self.fruitless,
        }
    }
}
