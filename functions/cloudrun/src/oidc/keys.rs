//! The keys that Google signs with: fetched as a whole when one is needed that is not here, kept for an hour, and never
//! asked for more often than every few seconds, whatever keys strangers make up.

use std::collections::HashMap;
use std::time::Duration;

use autopgo_core::error::{Error, Kind, Result};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::Jwk;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// <https://developers.google.com/identity/openid-connect/openid-connect#discovery>
const GOOGLE: &str = "https://www.googleapis.com/oauth2/v3/certs";
/// Google changes its keys every few days, and shows a new one long before it is used.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// Between two times that they are asked for.
const PAUSE: Duration = Duration::from_secs(PAUSE_SECONDS as u64);
/// The same, as `Retry-After` has it.
pub(super) const PAUSE_SECONDS: u32 = 10;
/// To get them.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// It is none of Google's.
    Unknown,
    /// Google could not be asked yet.
    Unreachable,
}

pub(super) struct Keys {
    client: reqwest::Client,
    url: String,
    /// Held while they are fetched: who comes meanwhile waits for the same answer.
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, DecodingKey>,
    fetched: Option<Instant>,
    asked: Option<Instant>,
}

/// <https://www.rfc-editor.org/rfc/rfc7517#section-5>
#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl Keys {
    /// Those at `url`, or Google's.
    ///
    /// # Errors
    /// `Internal` if this machine can make no connection by TLS.
    pub(super) fn at(url: Option<&str>) -> Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| {
                let what = "a client for the keys of Google; certificates of authorities have to be where SSL_CERT_FILE says, or where the system has them";
                Error::new(Kind::Internal, what).because(error)
            })?;
        Ok(Self { client, url: url.unwrap_or(GOOGLE).to_owned(), known: Mutex::default() })
    }

    /// The key of this id. While Google cannot be asked, what it said last stands.
    pub(super) async fn get(&self, id: &str) -> Result<DecodingKey, Missing> {
        let mut known = self.known.lock().await;
        let fresh = known.fetched.is_some_and(|fetched| fetched.elapsed() < FRESH);
        let rested = known.asked.is_none_or(|asked| asked.elapsed() >= PAUSE);
        if rested && !(fresh && known.keys.contains_key(id)) {
            known.asked = Some(Instant::now());
            match self.fetch().await {
                Ok(keys) => {
                    known.keys = keys;
                    known.fetched = Some(Instant::now());
                }
                Err(error) => {
                    let error = Error::new(Kind::Unavailable, "fetching the keys of Google").because(error);
                    tracing::warn!(error = error.chain(), "whose calls are taken cannot be looked up now");
                }
            }
        }
        let missing = if known.fetched.is_some() { Missing::Unknown } else { Missing::Unreachable };
        known.keys.get(id).cloned().ok_or(missing)
    }

    async fn fetch(&self) -> Result<HashMap<String, DecodingKey>, reqwest::Error> {
        let answer = self.client.get(&self.url).send().await?.error_for_status()?;
        let set: Set = answer.json().await?;
        let keys = set.keys.into_iter().filter_map(|key| {
            // One of a kind that is not known here is none that a token may be signed with.
            let key: Jwk = serde_json::from_value(key).ok()?;
            Some((key.common.key_id.clone()?, DecodingKey::from_jwk(&key).ok()?))
        });
        Ok(keys.collect())
    }
}
