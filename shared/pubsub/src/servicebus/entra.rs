//! Tokens of Entra, the first of these that the environment leads to:
//! 1. the secret of an application: `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_SECRET`
//!    (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>);
//! 2. a workload identity: `AZURE_FEDERATED_TOKEN_FILE` in the place of the secret (the same page, third case);
//! 3. the managed identity of where this runs: by `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` where they are set
//!    (<https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>), otherwise by the
//!    machine's metadata service, which `AZURE_POD_IDENTITY_AUTHORITY_HOST` puts elsewhere
//!    (<https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>).
//!    `AZURE_CLIENT_ID` chooses one of several.
//!
//! `AZURE_AUTHORITY_HOST` names another cloud's Entra. Not here: certificates, passwords, the Azure CLI.
//!
//! Microsoft's own `azure_identity` reads the process's variables itself and brings another pipeline for HTTP; these are
//! two kinds of requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use autopgo_core::error::Result;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use jiff::Timestamp;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::client;
use super::fail::{Asked, Failure, Refused};
use super::settings::{Secret, invalid};
use crate::patience::ATTEMPT;

/// What tokens are for (<https://learn.microsoft.com/azure/service-bus-messaging/authenticate-application>).
const RESOURCE: &str = "https://servicebus.azure.net";
const AUTHORITY: &str = "https://login.microsoftonline.com";
const METADATA: &str = "http://169.254.169.254";

/// What is left of a token's life when another is fetched, unless that is half of it.
const MARGIN: Duration = Duration::from_secs(300);
/// How soon it is tried again where that failed, as long as there is one that serves.
const PAUSE: Duration = Duration::from_secs(30);
/// No token is believed to be good for longer: those of managed identities are for a day, and no others for as long.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// What Entra is shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// The secret of an application.
    Secret { tenant: String, client: String, secret: Secret },
    /// A token that somebody else keeps fresh in a file.
    Workload { tenant: String, client: String, file: String },
    /// Nothing: the place where this runs knows who it is.
    Managed { client: Option<String>, place: Place },
}

/// Who is asked for the token of a managed identity.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// This endpoint, which wants to hear a word.
    Endpoint { url: String, word: Secret },
    /// The metadata service at `http://HOST`.
    Machine { host: String },
}

impl Proof {
    /// Entra's URL, and what the environment has to show it.
    pub(super) fn of(set: &dyn Fn(&str) -> Option<String>) -> Result<(String, Self)> {
        let (tenant, client) = (set("AZURE_TENANT_ID"), set("AZURE_CLIENT_ID"));
        let both = |what: &str| match (tenant.clone(), client.clone()) {
            (Some(tenant), Some(client)) => Ok((tenant, client)),
            _ => Err(invalid(format!(
                "{what} is set, and AZURE_TENANT_ID or AZURE_CLIENT_ID is not; set both"
            ))),
        };
        let proof = if let Some(secret) = set("AZURE_CLIENT_SECRET") {
            let (tenant, client) = both("AZURE_CLIENT_SECRET")?;
            Self::Secret { tenant, client, secret: Secret::new(secret) }
        } else if set("AZURE_CLIENT_CERTIFICATE_PATH").is_some() {
            return Err(invalid(
                "AZURE_CLIENT_CERTIFICATE_PATH: clients are not known by certificates here; use AZURE_CLIENT_SECRET, a \
                 workload identity (AZURE_FEDERATED_TOKEN_FILE) or a managed identity",
            ));
        } else if let Some(file) = set("AZURE_FEDERATED_TOKEN_FILE") {
            let (tenant, client) = both("AZURE_FEDERATED_TOKEN_FILE")?;
            Self::Workload { tenant, client, file }
        } else {
            let place = match (set("IDENTITY_ENDPOINT"), set("IDENTITY_HEADER")) {
                (Some(url), Some(word)) => Place::Endpoint { url, word: Secret::new(word) },
                (Some(_), None) => {
                    return Err(invalid(
                        "IDENTITY_ENDPOINT is set and IDENTITY_HEADER is not; both come together",
                    ));
                }
                (None, _) => {
                    let host =
                        set("AZURE_POD_IDENTITY_AUTHORITY_HOST").unwrap_or_else(|| METADATA.to_owned());
                    Place::Machine { host: host.trim_end_matches('/').to_owned() }
                }
            };
            Self::Managed { client, place }
        };
        let authority = set("AZURE_AUTHORITY_HOST").unwrap_or_else(|| AUTHORITY.to_owned());
        Ok((authority.trim_end_matches('/').to_owned(), proof))
    }
}

/// Fetches tokens, and keeps the last.
pub(super) struct Entra(Arc<Source>);

struct Source {
    http: Client,
    authority: String,
    proof: Proof,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Option<Token>,
    fetching: Option<Fetching>,
}

/// A token that is on its way, for everybody who waits for one.
type Fetching = Shared<BoxFuture<'static, Result<String, Arc<Failure>>>>;

struct Token {
    text: String,
    renew: Instant,
    end: Instant,
}

impl Entra {
    pub(super) fn new(authority: String, proof: Proof) -> Result<Self> {
        // The places that know a machine's identity are on the machine: no proxy reaches them.
        let is_here = matches!(proof, Proof::Managed { .. });
        let source = Source { http: client::http(is_here)?, authority, proof, state: Mutex::default() };
        Ok(Self(Arc::new(source)))
    }

    /// A token that is good now. Nobody waits for a new one while the old one serves; and where there is none, whoever
    /// has no more time to wait leaves the one that is on its way to the next.
    pub(super) async fn token(&self) -> Result<String, Failure> {
        let fetching = {
            let mut state = self.0.state();
            let now = Instant::now();
            let kept = state.kept.as_ref().filter(|token| now < token.end);
            let old = kept.map(|token| token.text.clone());
            if let Some(token) = kept.filter(|token| now < token.renew) {
                return Ok(token.text.clone());
            }
            let fetching = state.fetching.get_or_insert_with(|| {
                let fetching = Arc::clone(&self.0).renew().boxed().shared();
                tokio::spawn(fetching.clone());
                fetching
            });
            match old {
                Some(old) => return Ok(old),
                None => fetching.clone(),
            }
        };
        fetching.await.map_err(Failure::NoToken)
    }
}

impl Source {
    /// Fetches a token and keeps it, as long as it is good.
    async fn renew(self: Arc<Self>) -> Result<String, Arc<Failure>> {
        let begun = Instant::now();
        let fetched = self.fetch().await;
        let mut state = self.state();
        state.fetching = None;
        match fetched {
            Ok((text, life)) => {
                let end = begun + life;
                state.kept = Some(Token { text: text.clone(), renew: end - MARGIN.min(life / 2), end });
                Ok(text)
            }
            Err(failure) => {
                let now = Instant::now();
                if let Some(token) = state.kept.as_mut().filter(|token| now < token.end) {
                    tracing::warn!(error = %failure, "azuresb://: no new token; the old one serves a while yet");
                    token.renew = now + PAUSE;
                }
                Err(Arc::new(failure))
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock, so what it guards is always whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self) -> Result<(String, Duration), Failure> {
        let answer = self.request().await?.timeout(ATTEMPT).send().await?;
        let status = answer.status();
        let body = client::body(answer).await?;
        if !status.is_success() {
            return Err(Failure::Refused(Refused::of(Asked::Entity, status.as_u16(), &body)));
        }
        let given: Given = serde_json::from_slice(&body)
            .map_err(|_| Failure::Strange("what gives tokens answers with something else"))?;
        let life = given.life(Timestamp::now());
        Ok((given.access_token, life))
    }

    async fn request(&self) -> Result<RequestBuilder, Failure> {
        let Self { http, authority, proof, .. } = self;
        let ask = |tenant: &str, client: &str, proof: &[(&str, &str)]| {
            let scope = format!("{RESOURCE}/.default");
            let mut form =
                vec![("client_id", client), ("scope", scope.as_str()), ("grant_type", "client_credentials")];
            form.extend(proof);
            http.post(format!("{authority}/{tenant}/oauth2/v2.0/token")).form(&form)
        };
        Ok(match proof {
            Proof::Secret { tenant, client, secret } => {
                ask(tenant, client, &[("client_secret", secret.reveal())])
            }
            Proof::Workload { tenant, client, file } => {
                let token = tokio::fs::read_to_string(file).await.map_err(Failure::File)?;
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                ask(tenant, client, &[("client_assertion_type", kind), ("client_assertion", token.trim())])
            }
            Proof::Managed { client, place } => {
                let request = match place {
                    Place::Endpoint { url, word } => http
                        .get(url)
                        .query(&[("api-version", "2019-08-01")])
                        .header("X-IDENTITY-HEADER", word.reveal()),
                    Place::Machine { host } => http
                        .get(format!("{host}/metadata/identity/oauth2/token"))
                        .query(&[("api-version", "2018-02-01")])
                        .header("Metadata", "true"),
                };
                let request = request.query(&[("resource", RESOURCE)]);
                client.iter().fold(request, |request, client| request.query(&[("client_id", client)]))
            }
        })
    }
}

/// What each of them answers; the numbers are texts with some.
#[derive(Deserialize)]
struct Given {
    access_token: String,
    expires_in: Option<Value>,
    expires_on: Option<Value>,
}

impl Given {
    fn life(&self, now: Timestamp) -> Duration {
        let number = |value: &Option<Value>| match value {
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            _ => None,
        };
        let until = || {
            let end = i64::try_from(number(&self.expires_on)?).ok()?;
            u64::try_from(end - now.as_second()).ok()
        };
        // One that does not say how long it is good is not kept.
        Duration::from_secs(number(&self.expires_in).or_else(until).unwrap_or(0)).min(LONGEST_LIFE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_proof_counts() {
        let of = |variables: &[(&str, &str)]| {
            Proof::of(&|name| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let who = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c")];
        let (authority, proof) = of(&[&who[..], &[("AZURE_CLIENT_SECRET", "s")]].concat()).expect("a secret");
        assert_eq!(authority, AUTHORITY);
        let (tenant, client) = ("t".to_owned(), "c".to_owned());
        assert_eq!(proof, Proof::Secret { tenant, client, secret: Secret::new("s") });
        let more = [
            ("AZURE_FEDERATED_TOKEN_FILE", "f"),
            ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.us/"),
        ];
        let (authority, proof) = of(&[&who[..], &more].concat()).expect("a workload");
        assert_eq!(authority, "https://login.microsoftonline.us");
        assert!(matches!(proof, Proof::Workload { .. }), "{proof:?}");
        let (_, proof) = of(&[("AZURE_CLIENT_ID", "c")]).expect("managed");
        let place = Place::Machine { host: METADATA.to_owned() };
        assert_eq!(proof, Proof::Managed { client: Some("c".to_owned()), place });
        let (_, proof) = of(&[("IDENTITY_ENDPOINT", "http://h"), ("IDENTITY_HEADER", "w")]).expect("managed");
        let place = Place::Endpoint { url: "http://h".to_owned(), word: Secret::new("w") };
        assert_eq!(proof, Proof::Managed { client: None, place });
        for (variables, says) in [
            (&[("AZURE_CLIENT_SECRET", "hunter2")][..], "set both"),
            (&[("AZURE_FEDERATED_TOKEN_FILE", "hunter2"), ("AZURE_CLIENT_ID", "c")], "set both"),
            (&[("AZURE_CLIENT_CERTIFICATE_PATH", "hunter2")], "not known by certificates"),
            (&[("IDENTITY_ENDPOINT", "hunter2")], "IDENTITY_HEADER is not"),
        ] {
            let error = of(variables).expect_err(says);
            assert!(error.what().contains(says) && !error.what().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_life_is_read_in_every_form() {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().expect("a time");
        let end = now.as_second() + 60;
        for (text, seconds) in [
            (r#"{"access_token":"t","expires_in":3599,"expires_on":1}"#.to_owned(), 3599),
            (r#"{"access_token":"t","expires_in":"86399"}"#.to_owned(), 86_399),
            (format!(r#"{{"access_token":"t","expires_on":"{end}"}}"#), 60),
            (format!(r#"{{"access_token":"t","expires_on":{end}}}"#), 60),
            (r#"{"access_token":"t","expires_on":"1"}"#.to_owned(), 0),
            (r#"{"access_token":"t","expires_in":18446744073709551615}"#.to_owned(), 86_400),
            (r#"{"access_token":"t","expires_in":"18446744073709551615"}"#.to_owned(), 86_400),
            (r#"{"access_token":"t","expires_on":9223372036854775807}"#.to_owned(), 86_400),
            (r#"{"access_token":"t","expires_on":18446744073709551615}"#.to_owned(), 0),
            (r#"{"access_token":"t","expires_in":-1}"#.to_owned(), 0),
            (r#"{"access_token":"t"}"#.to_owned(), 0),
        ] {
            let given: Given = serde_json::from_str(&text).expect("JSON");
            assert_eq!(given.life(now), Duration::from_secs(seconds), "{text}");
        }
    }
}
