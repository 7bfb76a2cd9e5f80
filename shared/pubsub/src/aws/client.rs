//! How long to wait for SNS and SQS, and how often to try.

use std::time::Duration;

use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;

/// To reach the service.
const CONNECT: Duration = Duration::from_secs(1);
/// For one try of publishing, and for all of them: an upload waits for it, and the core gives it two seconds.
const PUBLISH: (Duration, Duration) = (Duration::from_millis(1_200), Duration::from_millis(1_800));
/// For one try of what is settled or asked, and for all of them.
pub(crate) const SETTLE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(15));
/// What one try of a receive may take beyond the wait that it asks for.
const RECEIVE: Duration = Duration::from_secs(5);
/// How often a request is sent at the most.
const ATTEMPTS: u32 = 4;
/// The wait before the second try, at the most; it doubles with each.
pub(crate) const FIRST_WAIT: Duration = Duration::from_millis(100);
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// How often to try.
pub(crate) fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(FIRST_WAIT)
        .with_max_backoff(LONGEST_WAIT)
}

/// For publishing.
pub(crate) fn publishing() -> TimeoutConfig {
    timeouts(PUBLISH.0, PUBLISH.1)
}

/// For everything that is settled or asked.
pub(crate) fn settling() -> TimeoutConfig {
    timeouts(SETTLE.0, SETTLE.1)
}

/// For a receive that waits for so long.
pub(crate) fn receiving(wait: Duration) -> TimeoutConfig {
    timeouts(wait + RECEIVE, (wait + RECEIVE) * 2)
}

fn timeouts(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .read_timeout(attempt)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}
