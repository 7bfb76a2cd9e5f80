//! Identity tokens of Google's, for Cloud Run: who asks, for one audience alone
//! (<https://cloud.google.com/run/docs/authenticating/service-to-service>).
//!
//! Google's own client gets them (from the metadata server, for the key of a service account, or for one that is
//! impersonated), keeps them, and renews them four minutes before their end.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use autopgo_core::error::{Error, Kind, Result};
use google_cloud_auth::build_errors::Error as Unbuilt;
use google_cloud_auth::credentials::idtoken::{Builder, IDTokenCredentials};
use google_cloud_auth::errors::CredentialsError;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::Url;
use tokio::task::JoinSet;

use super::{Headers, Unsigned, in_time, two_tokens};
use crate::retry::{Again, Fault};

/// Where Cloud Run looks for its token first: if there is one, `Authorization` is the application's alone
/// (<https://cloud.google.com/run/docs/authenticating/service-to-service>).
const BESIDE: HeaderName = HeaderName::from_static("x-serverless-authorization");

/// Says who asks by a token of Google's, which is kept and renewed before it ends.
#[derive(Clone)]
pub struct Google {
    audience: Option<String>,
    /// The API's own.
    token: Option<HeaderValue>,
    header: HeaderName,
    made: Arc<Mutex<Made>>,
}

#[derive(Default)]
struct Made {
    given: Option<IDTokenCredentials>,
    found: Option<IDTokenCredentials>,
}

impl Google {
    /// Whoever the default chain finds, with a token of the API's beside it if there is one: a whole value of
    /// `Authorization`.
    ///
    /// # Errors
    /// `Invalid`: an audience that is empty.
    pub fn new(audience: Option<&str>, token: Option<HeaderValue>) -> Result<Self> {
        if audience.is_some_and(|audience| audience.trim().is_empty()) {
            let what =
                "the audience is empty; name the URL of the service, such as https://pgo-abc-ew.a.run.app";
            return Err(Error::new(Kind::Invalid, what));
        }
        let audience = audience.map(|audience| audience.trim().to_owned());
        let token = token.map(|mut token| {
            token.set_sensitive(true);
            token
        });
        Ok(Self { audience, token, header: AUTHORIZATION, made: Arc::default() })
    }

    /// The same with the tokens that `credentials` give, whatever the audience.
    #[must_use]
    pub fn with_credentials(self, credentials: IDTokenCredentials) -> Self {
        let made = Made { given: Some(credentials), found: None };
        Self { made: Arc::new(Mutex::new(made)), ..self }
    }

    pub(super) fn settled(self, base: &Url, headers: &Headers) -> Result<Self> {
        if headers.has(&BESIDE) {
            let what = format!("the header {BESIDE} is that of the identity token; leave it out");
            return Err(Error::new(Kind::Invalid, what));
        }
        if self.token.is_some() && headers.has(&AUTHORIZATION) {
            return Err(two_tokens());
        }
        let taken = self.token.is_some() || headers.has(&AUTHORIZATION);
        let audience = self.audience.unwrap_or_else(|| base.origin().ascii_serialization());
        let header = if taken { BESIDE } else { AUTHORIZATION };
        Ok(Self { audience: Some(audience), header, ..self })
    }

    pub(super) async fn sign(&self, request: &Unsigned<'_>, headers: &mut HeaderMap) -> Result<(), Fault> {
        let token = in_time(request.limit, self.asked()).await?;
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim())).map_err(|_| {
            let what = "asking Google for an identity token: it has a character that a header cannot carry";
            Fault::never(Error::new(Kind::Internal, what))
        })?;
        value.set_sensitive(true);
        headers.insert(self.header.clone(), value);
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.clone());
        }
        Ok(())
    }

    /// The token that is good now.
    async fn asked(&self) -> Result<String, Fault> {
        let credentials = self.credentials().map_err(Fault::never)?;
        // In a task of its own: Google's client panics where a token has no end.
        let mut asking = JoinSet::new();
        asking.spawn(async move { credentials.id_token().await });
        match asking.join_next().await {
            Some(Ok(Ok(token))) => Ok(token),
            Some(Ok(Err(error))) => {
                // It would ask no more after an error that it takes for final, and after another in ten seconds.
                self.forget();
                Err(ungiven(error))
            }
            Some(Err(_)) | None => {
                self.forget();
                let what = "asking Google for an identity token: the answer was none";
                Err(Fault::never(Error::new(Kind::Internal, what)))
            }
        }
    }

    /// Has a token asked for anew.
    pub(super) fn forget(&self) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).found = None;
    }

    /// Who asks. Google's client needs a runtime from its first moment on, so it is made when it is first needed.
    fn credentials(&self) -> Result<IDTokenCredentials> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(credentials) = made.given.as_ref().or(made.found.as_ref()) {
            return Ok(credentials.clone());
        }
        let audience = self.audience.as_deref().unwrap_or_default();
        let credentials =
            Builder::new(audience).with_include_email().build().map_err(|error| unbuilt(&error))?;
        Ok(made.found.insert(credentials).clone())
    }
}

impl fmt::Debug for Google {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let beside = if self.token.is_some() { ", beside a secret" } else { "" };
        write!(f, "Google({}{beside})", self.audience.as_deref().unwrap_or_default())
    }
}

/// What is wrong with the credentials that were found. The cause may quote the file, so it is not told.
fn unbuilt(error: &Unbuilt) -> Error {
    let doing = "asking Google for an identity token";
    if error.is_not_supported() {
        return Error::new(
            Kind::Denied,
            format!(
                "{doing}: the credentials found here are a person's or of another company's, and get no token for one \
                 service; use the key of a service account (GOOGLE_APPLICATION_CREDENTIALS), `gcloud auth \
                 application-default login --impersonate-service-account=EMAIL`, or, without --auth, a token made by hand: \
                 AUTOPGO_API_TOKEN=$(gcloud auth print-identity-token)"
            ),
        );
    }
    let what = if error.is_loading() {
        "the file that GOOGLE_APPLICATION_CREDENTIALS names cannot be read"
    } else {
        "the file with the credentials is not in Google's form; correct GOOGLE_APPLICATION_CREDENTIALS"
    };
    Error::new(Kind::Denied, format!("{doing}: {what}"))
}

/// Why there is no token. Nothing has gone to the API yet.
fn ungiven(error: CredentialsError) -> Fault {
    let (kind, again, what) = if error.is_transient() {
        (
            Kind::Unavailable,
            Again::Unreachable,
            "none could be had now; where there is no metadata server, set GOOGLE_APPLICATION_CREDENTIALS",
        )
    } else {
        (Kind::Denied, Again::Never, "it was refused")
    };
    let error = Error::new(kind, format!("asking Google for an identity token: {what}")).because(error);
    Fault { error, again, status: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(google: Google, lines: &[&str]) -> Result<Google> {
        let base = Url::parse("https://pgo-abc-ew.a.run.app:444/prod").expect("a URL");
        let mut headers = Headers::default();
        for line in lines {
            headers.add(line)?;
        }
        google.settled(&base, &headers)
    }

    #[test]
    fn the_audience_is_the_origin_or_what_is_said() {
        let google = || Google::new(None, None).expect("one");
        assert_eq!(
            settled(google(), &[]).expect("settled").audience.as_deref(),
            Some("https://pgo-abc-ew.a.run.app:444")
        );
        let said = Google::new(Some(" https://x.run.app "), None).expect("one");
        assert_eq!(settled(said, &[]).expect("settled").audience.as_deref(), Some("https://x.run.app"));
        assert!(Google::new(Some(" "), None).expect_err("empty").what().contains("the audience is empty"));
    }

    #[test]
    fn what_is_the_apis_own_keeps_its_header() {
        let google = |token: Option<&'static str>| Google::new(None, token.map(HeaderValue::from_static));
        let header = |token, lines: &[&str]| {
            settled(google(token).expect("one"), lines).map(|google| google.header.to_string())
        };
        assert_eq!(header(None, &[]).expect("settled"), "authorization");
        assert_eq!(header(None, &["X-Other: x"]).expect("settled"), "authorization");
        assert_eq!(header(Some("Bearer s3cret"), &[]).expect("settled"), "x-serverless-authorization");
        assert_eq!(header(None, &["Authorization: x"]).expect("settled"), "x-serverless-authorization");
        for (token, line, says) in [
            (Some("Bearer s3cret"), "Authorization: s3cret", "give one of them"),
            (None, "X-Serverless-Authorization: s3cret", "that of the identity token"),
        ] {
            let error = header(token, &[line]).expect_err(says);
            assert!(error.what().contains(says) && !error.what().contains("s3cret"), "{error}");
        }
        let shown = format!("{:?}", google(Some("Bearer s3cret")).expect("one"));
        assert_eq!(shown, "Google(, beside a secret)");
    }
}
