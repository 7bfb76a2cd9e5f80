//! When to try again: after faults that may pass, with full jitter below a doubling ceiling, not before the server
//! asks for it (`Retry-After`), and not for ever.

use std::time::Duration;

use autopgo_core::clock::{Clock, backoff, since};
use autopgo_core::duration;
use autopgo_core::error::{Error, Result};
use http::StatusCode;
use jiff::Timestamp;

/// The longest time over which tries may start: a server takes an idempotency key for 5 minutes.
pub const LONGEST: Duration = Duration::from_secs(5 * 60);

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// How long to go on trying, from the first try on. Anything above [`LONGEST`] counts as that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// With a server that answers 408, 429, 500, 502, 503 or 504, is silent, or breaks off.
    pub faults: Duration,
    /// With an address where nobody answers at all: refused, unknown, unreachable.
    pub unreachable: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { faults: LONGEST, unreachable: LONGEST }
    }
}

/// A try that failed.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) error: Error,
    pub(crate) again: Again,
    /// Of the answer, if there was one.
    pub(crate) status: Option<StatusCode>,
}

/// Whether another try may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// No: the answer would be the same.
    Never,
    /// Nobody was reached: the request did not go out.
    Unreachable,
    /// Yes, but not before this time has passed. Whether the request was carried out is unknown.
    Unclear(Duration),
}

impl Fault {
    pub(crate) fn never(error: Error) -> Self {
        Self { error, again: Again::Never, status: None }
    }

    pub(crate) fn unclear(error: Error) -> Self {
        Self { error, again: Again::Unclear(Duration::ZERO), status: None }
    }
}

/// The tries of one call.
pub(crate) struct Retry<'a> {
    clock: &'a dyn Clock,
    patience: Patience,
    start: Timestamp,
    tries: u32,
    unclear: bool,
}

impl<'a> Retry<'a> {
    pub(crate) fn new(clock: &'a dyn Clock, patience: Patience) -> Self {
        Self { clock, patience, start: clock.now(), tries: 0, unclear: false }
    }

    /// Whether an earlier try may have been carried out without our knowing.
    pub(crate) fn unclear(&self) -> bool {
        self.unclear
    }

    /// Waits for the next try after `fault`, which happened while `doing`.
    ///
    /// # Errors
    /// The fault's, when there is no next try.
    pub(crate) async fn pause(&mut self, doing: &str, fault: Fault) -> Result<()> {
        self.tries += 1;
        let (patience, least) = match fault.again {
            Again::Never => return Err(fault.error.during(doing)),
            Again::Unreachable => (self.patience.unreachable, Duration::ZERO),
            Again::Unclear(least) => (self.patience.faults, least),
        };
        self.unclear |= matches!(fault.again, Again::Unclear(_));
        let spent = since(self.start, self.clock.now());
        let pause = least.saturating_add(backoff(self.clock, self.tries - 1, FIRST_PAUSE, LONGEST_PAUSE));
        if spent.saturating_add(pause) > patience.min(LONGEST) {
            return Err(self.gave_up(fault.error, spent).during(doing));
        }
        self.say(doing, &fault, pause);
        self.clock.sleep(pause).await;
        Ok(())
    }

    /// Every fault is worth a line, but not that there is still nobody there.
    fn say(&self, doing: &str, fault: &Fault, pause: Duration) {
        let (attempt, error) = (self.tries, fault.error.chain());
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        if fault.again == Again::Unreachable && attempt > 1 {
            tracing::debug!(attempt, pause_ms, error, "{doing} failed; trying again");
        } else {
            tracing::warn!(attempt, pause_ms, error, "{doing} failed; trying again");
        }
    }

    fn gave_up(&self, error: Error, spent: Duration) -> Error {
        if self.tries == 1 {
            return error;
        }
        let seconds = duration::format(Duration::from_secs(spent.as_secs()));
        error.during(format_args!("gave up after {} tries in {seconds}", self.tries))
    }
}

/// The time that a `Retry-After` asks for: seconds, or a date.
pub(crate) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    Some(since(now, date.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use autopgo_core::error::Kind;
    use std::sync::Mutex;

    /// A clock whose hands move only when somebody sleeps.
    struct Hands(Mutex<Timestamp>);

    #[async_trait]
    impl Clock for Hands {
        fn now(&self) -> Timestamp {
            *self.0.lock().expect("hands")
        }

        async fn sleep(&self, duration: Duration) {
            let mut now = self.0.lock().expect("hands");
            *now = now.saturating_add(duration).expect("in range");
        }

        fn random(&self) -> u64 {
            u64::MAX / 3
        }
    }

    fn hands() -> Hands {
        Hands(Mutex::new("2024-10-28T12:00:00Z".parse().expect("a time")))
    }

    fn fault(again: Again) -> Fault {
        Fault { error: Error::new(Kind::Unavailable, "no luck"), again, status: None }
    }

    async fn tries(patience: Patience, again: Again) -> (u32, Duration, String) {
        let clock = hands();
        let start = clock.now();
        let mut retry = Retry::new(&clock, patience);
        loop {
            if let Err(error) = retry.pause("calling", fault(again)).await {
                return (retry.tries, since(start, clock.now()), error.to_string());
            }
        }
    }

    #[tokio::test]
    async fn it_ends_within_the_bound() {
        let (tries_made, spent, text) = tries(Patience::default(), Again::Unclear(Duration::ZERO)).await;
        assert!(tries_made > 10 && spent <= LONGEST, "{tries_made} {spent:?}");
        assert!(text.starts_with(&format!("calling: gave up after {tries_made} tries in ")), "{text}");
        let patience = Patience { faults: Duration::from_secs(900), unreachable: Duration::from_secs(3) };
        assert!(tries(patience, Again::Unclear(Duration::ZERO)).await.1 <= LONGEST);
        assert!(tries(patience, Again::Unreachable).await.1 <= Duration::from_secs(3));
        assert_eq!(tries(patience, Again::Never).await.0, 1);
    }

    #[tokio::test]
    async fn it_waits_as_long_as_the_server_asks_and_not_longer_than_the_bound() {
        let (_, spent, _) = tries(Patience::default(), Again::Unclear(Duration::from_secs(100))).await;
        assert!(spent >= Duration::from_secs(200) && spent <= LONGEST, "{spent:?}");
        let (tries_made, spent, text) = tries(Patience::default(), Again::Unclear(Duration::MAX)).await;
        assert_eq!((tries_made, spent, text.as_str()), (1, Duration::ZERO, "calling: no luck"));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "2024-10-28T12:00:00Z".parse().expect("a time");
        for (value, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Mon, 28 Oct 2024 12:00:30 GMT", Some(30)),
            ("Mon, 28 Oct 2024 11:00:00 GMT", Some(0)),
            ("-5", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
