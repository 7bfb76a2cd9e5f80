//! The client: region, credentials, how long to wait and how often to try.

use std::time::Duration;

use autopgo_core::error::{Error, Kind, Result};
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
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
/// What retries are paid from, five or ten for one: the SDK's own measure.
const RETRY_TOKENS: usize = 500;

/// A client for `bucket`; `elsewhere` as for the store.
pub(super) async fn client(bucket: &str, settings: &Settings, elsewhere: bool) -> Result<Client> {
    let shared = shared(bucket, settings).await?;
    let mut config = aws_sdk_s3::config::Builder::from(&shared)
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(ATTEMPTS)
                .with_initial_backoff(FIRST_WAIT)
                .with_max_backoff(LONGEST_WAIT),
        )
        .timeout_config(timeouts(0))
        .force_path_style(settings.path_style)
        .accelerate(settings.accelerate);
    if let Some(endpoint) = &settings.endpoint {
        config.set_endpoint_url(Some(endpoint.clone()));
    }
    if elsewhere || settings.endpoint.is_some() || shared.endpoint_url().is_some() {
        // The checksums that the SDK adds of itself are newer than many stores.
        config = unsummed_on(config);
    }
    // Retries are paid from a bucket that a working store fills again, so that one that is down is not asked four times
    // over. The SDK's own is shared by all stores of a process.
    let capacity = if settings.retry_tokens == 0 { RETRY_TOKENS } else { settings.retry_tokens };
    let tokens = TokenBucket::builder().capacity(capacity).build();
    let partition = RetryPartition::custom(format!("s3://{bucket}")).token_bucket(tokens).build();
    Ok(Client::from_conf(config.retry_partition(partition).build()))
}

/// What the SDK's other services would read as well: region, credentials, the shared files.
async fn shared(bucket: &str, settings: &Settings) -> Result<SdkConfig> {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12());
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if settings.fips {
        loader = loader.use_fips(true);
    }
    if settings.dual_stack {
        loader = loader.use_dual_stack(true);
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
        // In the standard chain the environment would come first, and the profile that the URL names would be ignored.
        let region = match &settings.region {
            Some(region) => Some(Region::new(region.clone())),
            None => aws_config::defaults(BehaviorVersion::v2026_01_12())
                .profile_name(profile)
                .load()
                .await
                .region()
                .cloned(),
        };
        let files = ProviderConfig::without_region().with_region(region);
        let provider = ProfileFileCredentialsProvider::builder().configure(&files).profile_name(profile);
        loader = loader.credentials_provider(provider.build());
    }
    let shared = loader.load().await;
    if shared.region().is_none() {
        return Err(Error::new(
            Kind::Invalid,
            format!(
                "s3://{bucket}: no region; add region= or set AWS_REGION (for a store that has none, any word will do)"
            ),
        ));
    }
    Ok(shared)
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
