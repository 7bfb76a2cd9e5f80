//! The credentials: asked for when the first request wants them, kept, and asked for again before they end. The SDK's own
//! cache is for its own clients.

use std::time::{Duration, SystemTime};

use autopgo_aws::access::Access;
use autopgo_aws::fail;
use autopgo_core::error::{Error, Kind, Result};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::scope::Scope;

/// How long before their end credentials are renewed: longer than clocks may differ by.
const SLACK: Duration = Duration::from_secs(5 * 60);

pub(super) struct Keys(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    provider: Option<SharedCredentialsProvider>,
    credentials: Option<Credentials>,
}

impl Keys {
    /// Those that the default chain finds.
    pub(super) fn of_the_chain() -> Self {
        Self(Mutex::default())
    }

    /// Those that `provider` gives.
    pub(super) fn of(provider: SharedCredentialsProvider) -> Self {
        Self(Mutex::new(Kept { provider: Some(provider), credentials: None }))
    }

    /// The credentials that are good now.
    pub(super) async fn at(&self, now: Timestamp, scope: &Scope) -> Result<Credentials> {
        // Who comes meanwhile waits for the same answer.
        let mut kept = self.0.lock().await;
        if let Some(credentials) = kept.credentials.as_ref().filter(|kept| lasts(kept, now, SLACK)) {
            return Ok(credentials.clone());
        }
        let provider = match &kept.provider {
            Some(provider) => provider.clone(),
            None => kept.provider.insert(chain(scope).await?).clone(),
        };
        match provider.provide_credentials().await {
            Ok(credentials) => Ok(kept.credentials.insert(credentials).clone()),
            // What has not ended yet is good for as long as it lasts.
            Err(error) => match kept.credentials.as_ref().filter(|kept| lasts(kept, now, Duration::ZERO)) {
                Some(credentials) => Ok(credentials.clone()),
                None => {
                    let (kind, what) =
                        fail::credentials(&error).unwrap_or((Kind::Denied, "no credentials could be had"));
                    Err(Error::new(kind, format!("signing a request: {what}")).because(error))
                }
            },
        }
    }

    /// Has them asked for anew.
    pub(super) fn forget(&self) {
        // Whoever holds it is asking just now.
        if let Ok(mut kept) = self.0.try_lock() {
            kept.credentials = None;
        }
    }
}

fn lasts(credentials: &Credentials, now: Timestamp, slack: Duration) -> bool {
    credentials.expiry().is_none_or(|end| SystemTime::from(now) + slack < end)
}

/// The default chain. Roles are assumed in the region of the API: it is the one that is always known.
async fn chain(scope: &Scope) -> Result<SharedCredentialsProvider> {
    let access = Access { region: Some(scope.region.clone()), ..Access::default() };
    let config = access.load("signing a request").await?;
    config
        .credentials_provider()
        .ok_or_else(|| Error::new(Kind::Internal, "signing a request: there is no chain of credentials"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::Mutex as Plain;

    use aws_credential_types::provider::error::CredentialsError;
    use aws_credential_types::provider::future;

    use super::*;

    /// Gives each time the last of what it has, and then nothing.
    #[derive(Debug)]
    struct Script(Arc<Plain<Vec<Credentials>>>);

    impl ProvideCredentials for Script {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let next = self.0.lock().expect("script").pop();
            future::ProvideCredentials::ready(
                next.ok_or_else(|| CredentialsError::provider_error("none left")),
            )
        }
    }

    fn ends(name: &str, after: Duration, now: Timestamp) -> Credentials {
        Credentials::new(name, "secret", None, Some(SystemTime::from(now) + after), "test")
    }

    #[tokio::test]
    async fn they_are_kept_and_renewed_before_their_end() {
        let start = Timestamp::now();
        let hour = Duration::from_secs(3600);
        let script = Arc::new(Plain::new(vec![ends("second", 2 * hour, start), ends("first", hour, start)]));
        let keys = Keys::of(SharedCredentialsProvider::new(Script(Arc::clone(&script))));
        let scope = Scope::parse("execute-api/r").expect("a scope");
        for (after, name, left) in [
            (0, "first", 1),
            (3200, "first", 1),
            (3301, "second", 0),
            // Nobody gives more, but what there is has not ended.
            (7100, "second", 0),
        ] {
            let now = start + Duration::from_secs(after);
            let credentials = keys.at(now, &scope).await.expect(name);
            assert_eq!(credentials.access_key_id(), name, "after {after} s");
            assert_eq!(script.lock().expect("script").len(), left, "after {after} s");
        }
        let error = keys.at(start + Duration::from_secs(7201), &scope).await.expect_err("all have ended");
        assert_eq!(error.kind(), Kind::Unavailable);
        let says = "signing a request: the credentials could not be fetched";
        assert!(error.what().contains(says), "{error}");
    }

    #[tokio::test]
    async fn what_was_refused_is_asked_for_anew() {
        let script = ["second", "first"].map(|name| Credentials::new(name, "secret", None, None, "test"));
        let keys = Keys::of(SharedCredentialsProvider::new(Script(Arc::new(Plain::new(script.to_vec())))));
        let scope = Scope::parse("execute-api/r").expect("a scope");
        for (name, refused) in [("first", false), ("first", true), ("second", false)] {
            let credentials = keys.at(Timestamp::now(), &scope).await.expect(name);
            assert_eq!(credentials.access_key_id(), name);
            if refused {
                keys.forget();
            }
        }
    }
}
