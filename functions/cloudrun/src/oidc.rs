//! Who calls: the OpenID Connect token that Google signs for a push
//! (<https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions>) or for a schedule
//! (<https://cloud.google.com/scheduler/docs/http-target-auth>).
//!
//! For services that everybody can reach. Where Cloud Run asks its own IAM first, it has checked the token and hands it on
//! without its signature (<https://cloud.google.com/run/docs/troubleshooting#signature-removed>): then nothing here can be
//! checked, nor need be.
//!
//! A token says for whom it is (the audience) and whose it is (the e-mail). Whoever has an account of Google can have one
//! for any audience, so that the audience alone says nothing.

mod keys;

use std::sync::Arc;

use autopgo_boot::Config;
use autopgo_boot::config::{PUSH_AUDIENCE, PUSH_EMAIL};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_http::Failure;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::Deserialize;

use keys::{Keys, Missing};

/// Google, in its two spellings (<https://developers.google.com/identity/openid-connect/openid-connect#obtainuserinfo>).
const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];
/// What Cloud Run puts in the place of a signature that it has checked.
const REMOVED: &str = "SIGNATURE_REMOVED_BY_GOOGLE";

/// Which tokens are taken.
pub struct Tokens {
    validation: Validation,
    emails: Vec<String>,
    keys: Keys,
}

/// What of a token is read here, beside what is validated.
#[derive(Deserialize)]
struct Claims {
    email: Option<String>,
    email_verified: Option<bool>,
}

impl Tokens {
    /// Those that the configuration names, if it names any.
    ///
    /// # Errors
    /// `Invalid` if it has one half of it: neither is a check by itself.
    pub fn configured(config: &Config) -> Result<Option<Self>> {
        match (&config.push_audience[..], &config.push_email[..]) {
            ([], []) => Ok(None),
            ([], _) => Err(half(PUSH_EMAIL, PUSH_AUDIENCE)),
            (_, []) => Err(half(PUSH_AUDIENCE, PUSH_EMAIL)),
            (audiences, emails) => Self::new(audiences, emails, config.push_keys_url.as_deref()).map(Some),
        }
    }

    /// Those for one of `audiences` by one of `emails`, signed with a key that is at `keys`, or with Google's.
    ///
    /// # Errors
    /// `Internal` if this machine can make no connection by TLS.
    pub fn new(audiences: &[String], emails: &[String], keys: Option<&str>) -> Result<Self> {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(audiences);
        validation.set_issuer(&ISSUERS);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        Ok(Self { validation, emails: emails.to_vec(), keys: Keys::at(keys)? })
    }

    /// Whether the bearer of `headers` may call.
    ///
    /// # Errors
    /// 401 without a good token, 403 with one of somebody else, 503 while Google's keys cannot be had.
    pub async fn check(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let token = bearer(headers).ok_or_else(|| {
            unauthorized(
                "a call needs a token of Google: let the push subscription, or the schedule, send one",
            )
        })?;
        if token.ends_with(REMOVED) {
            tracing::warn!(
                "Cloud Run has checked the token of a call by its own IAM and removed the signature; unset {PUSH_AUDIENCE} and {PUSH_EMAIL}"
            );
            return Err(unauthorized(
                "the token has lost its signature on its way; see the log of the service",
            ));
        }
        let refused = |why: &dyn std::fmt::Display| {
            tracing::warn!(reason = %why, "a call was refused for its token");
            unauthorized("the token is not one of Google for this service, or it is too old")
        };
        let header = decode_header(token).map_err(|error| refused(&error))?;
        let id = header.kid.ok_or_else(|| refused(&"it names no key"))?;
        let key = self.keys.get(&id).await.map_err(|missing| match missing {
            Missing::Unknown => refused(&"nobody knows its key"),
            Missing::Unreachable => {
                let message = "the keys of Google cannot be had now; try again";
                Failure::new(StatusCode::SERVICE_UNAVAILABLE, message).retry_after(keys::PAUSE_SECONDS)
            }
        })?;
        let Claims { email, email_verified } =
            decode::<Claims>(token, &key, &self.validation).map_err(|error| refused(&error))?.claims;
        // An address that is not verified is what somebody says of himself.
        let email = email.filter(|_| email_verified == Some(true));
        if email.as_ref().is_some_and(|email| self.emails.contains(email)) {
            return Ok(());
        }
        tracing::warn!(
            account = email.map(|email| email.escape_debug().take(200).collect::<String>()),
            "a call was refused: its account is none of {PUSH_EMAIL}"
        );
        Err(Failure::new(StatusCode::FORBIDDEN, "the account of the token may not call this service"))
    }
}

/// Lets calls in that `tokens` takes.
pub(crate) async fn guard(State(tokens): State<Arc<Tokens>>, request: Request, next: Next) -> Response {
    match tokens.check(request.headers()).await {
        Ok(()) => next.run(request).await,
        Err(failure) if failure.status() == StatusCode::UNAUTHORIZED => {
            ([(WWW_AUTHENTICATE, "Bearer")], failure).into_response()
        }
        Err(failure) => failure.into_response(),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

fn unauthorized(message: &'static str) -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, message)
}

fn half(set: &str, missing: &str) -> Error {
    Error::new(
        Kind::Invalid,
        format!("{set} needs {missing} beside it: a token is checked for whom it is for and whose it is"),
    )
}
