//! Where and as whom: the parameters that gocloud.dev v0.40 (`aws`, on Go's SDK v2) takes for every service of Amazon,
//! and the SDK's configuration that comes of them.

use autopgo_core::address::Params;
use autopgo_core::error::{Error, Kind, Result};
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::tls::TrustStore;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::http::{Late, client};

/// What retries are paid from, five or ten for one: the SDK's own measure.
const RETRY_TOKENS: usize = 500;

/// Where and as whom a URL asks to be served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The region that requests are signed for and sent to.
    pub region: Option<String>,
    /// The profile of the shared files that credentials come from.
    pub profile: Option<String>,
    /// Where the service is, if not with Amazon: a URL with its scheme.
    pub endpoint: Option<String>,
    /// Whether nothing may be put before the host of that endpoint.
    pub immutable_host: bool,
    /// Whether to call it over IPv6 too.
    pub dual_stack: bool,
    /// Whether to call the endpoints with certified cryptography.
    pub fips: bool,
    /// The size of the token bucket that retries are paid from; 0 is the usual one.
    pub retry_tokens: usize,
}

impl Access {
    /// Takes these parameters of a `scheme://` URL and leaves the others. `instead` says for parameters that only Go's
    /// SDK v1 has what to write here.
    ///
    /// # Errors
    /// `Invalid`, naming the parameter: a value that it cannot have, or one of Go's SDK v1.
    pub fn take(scheme: &str, params: &mut Params, instead: &[(&'static str, &str)]) -> Result<Self> {
        if params.text("awssdk")?.is_some_and(|version| version.eq_ignore_ascii_case("v1")) {
            return Err(invalid(
                scheme,
                "awssdk=v1 is Go's SDK v1, which is not here; leave it out: the parameters are those of v2",
            ));
        }
        for (name, instead) in instead {
            if params.text(name)?.is_some() {
                return Err(invalid(scheme, format!("parameter {name} is of Go's SDK v1; {instead}")));
            }
        }
        Ok(Self {
            region: given(scheme, params, "region")?,
            profile: given(scheme, params, "profile")?,
            endpoint: given(scheme, params, "endpoint")?.map(|text| endpoint(scheme, text)).transpose()?,
            immutable_host: params.flag("hostname_immutable")?.unwrap_or(false),
            dual_stack: params.flag("dualstack")?.unwrap_or(false),
            fips: params.flag("fips")?.unwrap_or(false),
            retry_tokens: params.number::<u16>("rate_limiter_capacity")?.unwrap_or(0).into(),
        })
    }

    /// How many tokens pay for retries. A working service fills them again, so that one that is down is not asked four
    /// times over.
    pub fn retry_tokens(&self) -> usize {
        if self.retry_tokens == 0 { RETRY_TOKENS } else { self.retry_tokens }
    }

    /// The HTTP client of a service there.
    #[must_use]
    pub fn http(&self) -> SharedHttpClient {
        let plain = self.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        client(if plain { TrustStore::empty() } else { TrustStore::default() })
    }

    /// What the SDK reads for every service: the region, the credentials, the shared files. Credentials come by its
    /// standard chain (environment, profile, web identity, container, instance); with `profile=` they are that profile's,
    /// as with Go's SDK, whatever the environment holds.
    ///
    /// # Errors
    /// `Invalid` without a region; `name` says for what.
    pub async fn load(&self, name: &str) -> Result<SdkConfig> {
        // Its clients are made here, for credentials that most often come in another way.
        let late = Late(client(TrustStore::default()));
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(late.clone());
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if self.fips {
            loader = loader.use_fips(true);
        }
        if self.dual_stack {
            loader = loader.use_dual_stack(true);
        }
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
            // In the standard chain the environment would come first, and the profile that the URL names would be ignored.
            let region = match &self.region {
                Some(region) => Some(Region::new(region.clone())),
                None => aws_config::defaults(BehaviorVersion::v2026_01_12())
                    .http_client(late.clone())
                    .profile_name(profile)
                    .load()
                    .await
                    .region()
                    .cloned(),
            };
            let files = ProviderConfig::without_region().with_region(region).with_http_client(late);
            let provider = ProfileFileCredentialsProvider::builder().configure(&files).profile_name(profile);
            loader = loader.credentials_provider(provider.build());
        }
        let config = loader.load().await;
        if config.region().is_none() {
            return Err(Error::new(
                Kind::Invalid,
                format!(
                    "{name}: no region; add region= or set AWS_REGION (where there are none, any word will do)"
                ),
            ));
        }
        Ok(config)
    }
}

/// A parameter that must have a value if it is there: an empty one is most often a variable that was not set.
///
/// # Errors
/// `Invalid` if it is empty.
pub fn given(scheme: &str, params: &mut Params, key: &'static str) -> Result<Option<String>> {
    match params.text(key)? {
        Some(value) if value.is_empty() => {
            Err(invalid(scheme, format!("parameter {key} is empty; leave it out")))
        }
        value => Ok(value),
    }
}

fn endpoint(scheme: &str, text: String) -> Result<String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(|| {
        invalid(scheme, format!(
            "parameter endpoint is {text:?}, which has no scheme; write endpoint=https://{text}, or http:// for one \
             without encryption"
        ))
    })?;
    // Its text may hold a secret here, so it is not repeated.
    if host.contains('@') {
        return Err(invalid(scheme, "parameter endpoint carries credentials; give them by the environment"));
    }
    if host.trim_start_matches('/').is_empty() || host.contains(['?', '#', ' ']) {
        return Err(invalid(
            scheme,
            format!("parameter endpoint is {text:?}; write it as https://HOST or http://HOST:PORT"),
        ));
    }
    Ok(text)
}

fn invalid(scheme: &str, what: impl std::fmt::Display) -> Error {
    Error::new(Kind::Invalid, format!("{scheme}://: {what}"))
}

#[cfg(test)]
mod tests {
    use autopgo_core::address::Address;

    use super::*;

    fn read(query: &str) -> Result<Access> {
        let mut params = Address::parse(&format!("awssqs://host/1/q?{query}")).expect(query).params();
        let access = Access::take("awssqs", &mut params, &[("disableSSL", "write endpoint=http://HOST")])?;
        params.finish()?;
        Ok(access)
    }

    #[test]
    fn every_parameter_is_read() {
        assert_eq!(read("awssdk=v2").expect("none"), Access::default());
        let all = "region=r&profile=p&endpoint=http://h:1&hostname_immutable=1&dualstack=t&fips=true&rate_limiter_capacity=7";
        let access = read(all).expect(all);
        let expected = Access {
            region: Some("r".into()),
            profile: Some("p".into()),
            endpoint: Some("http://h:1".into()),
            immutable_host: true,
            dual_stack: true,
            fips: true,
            retry_tokens: 7,
        };
        assert_eq!(access, expected);
        assert_eq!((access.retry_tokens(), Access::default().retry_tokens()), (7, RETRY_TOKENS));
    }

    #[test]
    fn what_it_cannot_be_says_what_to_write() {
        for (query, says) in [
            ("awssdk=V1", "awssqs://: awssdk=v1 is Go's SDK v1"),
            (
                "disableSSL=false",
                "awssqs://: parameter disableSSL is of Go's SDK v1; write endpoint=http://HOST",
            ),
            ("profile=", "awssqs://: parameter profile is empty"),
            ("endpoint=h:1", "awssqs://: parameter endpoint is \"h:1\", which has no scheme"),
            ("endpoint=https://h/?x", "write it as https://HOST"),
            ("dualstack=yes", "awssqs://: parameter dualstack is \"yes\", not a boolean"),
            ("use_path_style=true", "awssqs://: unknown parameter \"use_path_style\""),
        ] {
            let error = read(query).expect_err(query);
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{query}: {error}");
        }
    }

    #[tokio::test]
    async fn a_region_is_needed_and_the_url_s_own_counts() {
        let access = Access { region: Some("mars-1".into()), ..Access::default() };
        let config = access.load("x").await.expect("a region");
        assert_eq!(config.region().map(Region::as_ref), Some("mars-1"));
    }
}
