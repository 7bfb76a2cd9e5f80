//! The client: region, credentials, how long to wait and how often to try.

use std::time::Duration;

use autopgo_core::error::Result;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Builder, Config, RequestChecksumCalculation, ResponseChecksumValidation};

use super::settings::Settings;

/// To reach the store.
const CONNECT: Duration = Duration::from_secs(3);
/// For one try of a request without a body worth speaking of, to the first byte of its answer. What then comes may take
/// as long as it flows: the SDK ends what stalls.
const ATTEMPT: Duration = Duration::from_secs(10);
/// What a body adds to that: the slowest line that is worth waiting for, in bytes a second.
const SLOWEST: u64 = 1 << 20;
/// Every try of a request together, and the waits between.
const OPERATION: Duration = Duration::from_secs(25);
/// How often a request is sent at the most.
const ATTEMPTS: u32 = 4;
/// The wait before the second try, at the most; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// A client for `bucket`; `elsewhere` as for the store.
pub(super) async fn client(bucket: &str, settings: &Settings, elsewhere: bool) -> Result<Client> {
    let shared = settings.access.load(&format!("s3://{bucket}")).await?;
    let mut config = aws_sdk_s3::config::Builder::from(&shared)
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(ATTEMPTS)
                .with_initial_backoff(FIRST_WAIT)
                .with_max_backoff(LONGEST_WAIT),
        )
        .timeout_config(timeouts(0))
        .http_client(settings.access.http())
        .force_path_style(settings.path_style)
        .accelerate(settings.accelerate);
    if let Some(endpoint) = &settings.access.endpoint {
        config.set_endpoint_url(Some(endpoint.clone()));
    }
    if elsewhere || settings.access.endpoint.is_some() || shared.endpoint_url().is_some() {
        // The checksums that the SDK adds of itself are newer than many stores.
        config = unsummed_on(config);
    }
    // The SDK's own bucket is shared by all stores of a process.
    let tokens = TokenBucket::builder().capacity(settings.access.retry_tokens()).build();
    let partition = RetryPartition::custom(format!("s3://{bucket}")).token_bucket(tokens).build();
    Ok(Client::from_conf(config.retry_partition(partition).build()))
}

/// For a write of `size` bytes that is tried again where that may help.
pub(super) fn patient(size: usize) -> Builder {
    Config::builder().timeout_config(timeouts(size))
}

/// For a write of `size` bytes that is sent once.
pub(super) fn once(size: usize) -> Builder {
    patient(size).retry_config(RetryConfig::disabled())
}

/// For what others send: a checksum would be one of nothing, and a header more that they had to know of.
pub(super) fn unsummed() -> Builder {
    unsummed_on(Config::builder())
}

fn unsummed_on(config: Builder) -> Builder {
    config
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
}

fn timeouts(size: usize) -> TimeoutConfig {
    let body = Duration::from_secs(size as u64 / SLOWEST);
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .read_timeout(ATTEMPT + body)
        .operation_attempt_timeout(ATTEMPT + body)
        .operation_timeout(OPERATION + body * 2)
        .build()
}
