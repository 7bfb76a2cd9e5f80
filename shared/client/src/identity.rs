//! Who is asking: a bearer token, a signature for Amazon's gateways, a token of Google's, and whatever other headers a
//! gateway in front of the API wants.
//!
//! All of it is treated as secret: it is never shown by `Debug`, never logged, and never sent on to another host.

#[cfg(feature = "gcp")]
mod google;
#[cfg(feature = "aws")]
mod sigv4;

use std::fmt;
use std::time::Duration;

use autopgo_core::error::{Error, Kind, Result};
use http::Method;
use http::header::{self, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use reqwest::Url;

use crate::content::Content;
#[cfg(any(feature = "aws", feature = "gcp"))]
use crate::retry::Again;
use crate::retry::Fault;

#[cfg(feature = "gcp")]
pub use google::Google;
#[cfg(feature = "aws")]
pub use sigv4::SigV4;

/// Headers that this client sets itself, or that would break its messages.
const OURS: [HeaderName; 4] =
    [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::IF_NONE_MATCH];

/// How a request says who it is from.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Identity {
    /// It does not.
    #[default]
    Open,
    /// By `Authorization: Bearer`.
    Bearer(HeaderValue),
    /// By Amazon's Signature Version 4.
    #[cfg(feature = "aws")]
    SigV4(SigV4),
    /// By an identity token of Google's.
    #[cfg(feature = "gcp")]
    Google(Google),
}

/// A request that says nothing yet of who it is from.
#[cfg_attr(not(feature = "aws"), allow(dead_code, reason = "what only a signature looks at"))]
pub(crate) struct Unsigned<'a> {
    pub(crate) method: &'a Method,
    pub(crate) url: &'a Url,
    pub(crate) body: Option<&'a Content>,
    pub(crate) now: Timestamp,
    /// How long whoever gives out credentials may be silent.
    pub(crate) limit: Duration,
}

impl Identity {
    /// A bearer token; white space around it (a file's last line break) is not part of it.
    ///
    /// # Errors
    /// `Invalid` if it is empty or has a character that no header may have. The text does not show the token.
    pub fn bearer(token: &str) -> Result<Self> {
        Ok(Self::Bearer(bearer(token)?))
    }

    /// Whoever AWS's default chain of credentials finds, for API Gateways with IAM and for Lambda's Function URLs: each try
    /// is signed anew. `scope` is what to sign for, `SERVICE/REGION`; the hosts that Amazon gives out tell it themselves.
    ///
    /// # Errors
    /// `Invalid`: a scope that is none, or a build without the feature `aws`.
    pub fn sigv4(scope: Option<&str>) -> Result<Self> {
        #[cfg(feature = "aws")]
        {
            Ok(Self::SigV4(SigV4::new(scope)?))
        }
        #[cfg(not(feature = "aws"))]
        {
            Err(not_built("SigV4", "aws", scope))
        }
    }

    /// Whoever Google's Application Default Credentials find, for Cloud Run: an identity token for `audience`, which is the
    /// origin of the API's URL where nothing else is said. `token` is one of the API's own, to go beside it.
    ///
    /// # Errors
    /// `Invalid`: as [`Identity::bearer`], an audience that is none, or a build without the feature `gcp`.
    pub fn google(audience: Option<&str>, token: Option<&str>) -> Result<Self> {
        #[cfg(feature = "gcp")]
        {
            Ok(Self::Google(Google::new(audience, token.map(bearer).transpose()?)?))
        }
        #[cfg(not(feature = "gcp"))]
        {
            Err(not_built("identity tokens of Google", "gcp", (audience, token)))
        }
    }

    /// The same for the API at `base`, of which every request has `headers` as well.
    ///
    /// # Errors
    /// `Invalid`: two things that want one header, or a host that does not tell what to sign for.
    pub(crate) fn settled(self, base: &Url, headers: &Headers) -> Result<Self> {
        // Not every build has one that looks at it; so with the request below.
        _ = base;
        match self {
            Self::Open => Ok(Self::Open),
            Self::Bearer(_) if headers.has(&AUTHORIZATION) => Err(two_tokens()),
            Self::Bearer(value) => Ok(Self::Bearer(value)),
            #[cfg(feature = "aws")]
            Self::SigV4(sigv4) => Ok(Self::SigV4(sigv4.settled(base, headers)?)),
            #[cfg(feature = "gcp")]
            Self::Google(google) => Ok(Self::Google(google.settled(base, headers)?)),
        }
    }

    /// Adds to `headers`, those of `request`, what says who it is from.
    pub(crate) async fn sign(&self, request: &Unsigned<'_>, headers: &mut HeaderMap) -> Result<(), Fault> {
        _ = request;
        match self {
            Self::Open => {}
            Self::Bearer(value) => {
                let mut value = value.clone();
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
            #[cfg(feature = "aws")]
            Self::SigV4(sigv4) => sigv4.sign(request, headers).await?,
            #[cfg(feature = "gcp")]
            Self::Google(google) => google.sign(request, headers).await?,
        }
        Ok(())
    }

    /// That what it has said was refused: what was fetched and kept is fetched anew next time. A machine that slept, or
    /// keys that somebody exchanged, need no restart.
    pub(crate) fn refused(&self) {
        match self {
            Self::Open | Self::Bearer(_) => {}
            #[cfg(feature = "aws")]
            Self::SigV4(sigv4) => sigv4.forget(),
            #[cfg(feature = "gcp")]
            Self::Google(google) => google.forget(),
        }
    }

    /// The next step after a 401 or a 403. `ours` says whether it is the API that refuses, or something in front of it.
    pub(crate) fn hint(&self, status: u16, ours: bool) -> &'static str {
        match (self, status, ours) {
            #[cfg(feature = "aws")]
            (Self::SigV4(_), 401, true) => {
                "this server wants a token of its own, which has no place beside a signature: let IAM alone guard it, or tokens"
            }
            #[cfg(feature = "aws")]
            (Self::SigV4(sigv4), _, false) => sigv4.hint(),
            #[cfg(feature = "gcp")]
            (Self::Google(_), _, false) => {
                "the identity needs roles/run.invoker on the service; behind a domain of your own, --auth google:AUDIENCE names the service's own URL"
            }
            (Self::Open, _, false) => {
                "set AUTOPGO_API_TOKEN or --token-file, or --auth where a cloud's IAM guards the server"
            }
            (_, 401, _) => "set AUTOPGO_API_TOKEN or --token-file to a token that this server knows",
            _ => "this needs a token that may do it",
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("Open"),
            Self::Bearer(_) => f.write_str("Bearer(secret)"),
            #[cfg(feature = "aws")]
            Self::SigV4(sigv4) => sigv4.fmt(f),
            #[cfg(feature = "gcp")]
            Self::Google(google) => google.fmt(f),
        }
    }
}

/// What `asking` for credentials gives, if it does in time.
#[cfg(any(feature = "aws", feature = "gcp"))]
async fn in_time<T>(limit: Duration, asking: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    tokio::time::timeout(limit, asking).await.unwrap_or_else(|_| {
        let limit = autopgo_core::duration::format(limit);
        let what = format!(
            "whoever gives out the credentials was silent for {limit}; --timeout sets how long to wait"
        );
        Err(Fault { error: Error::new(Kind::Unavailable, what), again: Again::Unreachable, status: None })
    })
}

fn bearer(token: &str) -> Result<HeaderValue> {
    let token = token.trim();
    if token.is_empty() {
        return Err(Error::new(Kind::Invalid, "the API token is empty"));
    }
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| Error::new(Kind::Invalid, "the API token has a character that a header cannot carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn two_tokens() -> Error {
    let what = "there is an API token and an Authorization header as well; give one of them";
    Error::new(Kind::Invalid, what)
}

/// What was asked of a build that does not have it.
#[cfg(not(all(feature = "aws", feature = "gcp")))]
fn not_built<T>(what: &str, feature: &str, _asked: T) -> Error {
    let what = format!(
        "this build has no {what}: build it with the cargo feature {feature} (`cargo build -p autopgo --features {feature}`)"
    );
    Error::new(Kind::Invalid, what)
}

/// Further headers for every request to the API.
#[derive(Clone, Default)]
pub struct Headers(HeaderMap);

impl Headers {
    /// Adds one, written as `Name: value`. A name may come more than once.
    ///
    /// # Errors
    /// `Invalid`: not of that form, or a header that the client sets itself. The text never shows the value.
    pub fn add(&mut self, line: &str) -> Result<()> {
        let invalid =
            |problem: String| Error::new(Kind::Invalid, format!("{problem}; write it as `Name: value`"));
        let (name, value) =
            line.split_once(':').ok_or_else(|| invalid("a header without a colon".to_owned()))?;
        let name = name.trim();
        let parsed =
            HeaderName::try_from(name).map_err(|_| invalid(format!("{name:?} is no header name")))?;
        if OURS.contains(&parsed) || parsed == autopgo_core::api::IDEMPOTENCY_KEY {
            return Err(Error::new(Kind::Invalid, format!("the header {name} is set by autopgo itself")));
        }
        let mut value = HeaderValue::try_from(value.trim()).map_err(|_| {
            invalid(format!("the value of the header {name} has a character that it cannot carry"))
        })?;
        value.set_sensitive(true);
        self.0.append(parsed, value);
        Ok(())
    }

    /// Whether there is one of this name.
    pub(crate) fn has(&self, name: &HeaderName) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn map(&self) -> &HeaderMap {
        &self.0
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let identity = Identity::bearer(" s3cret\n").expect("a token");
        let mut headers = Headers::default();
        headers.add("X-Api-Key: s3cret").expect("a header");
        let shown = format!("{identity:?} {headers:?}");
        assert_eq!(shown, r#"Bearer(secret) ["x-api-key"]"#);
        let Identity::Bearer(value) = identity else { panic!("a bearer token") };
        assert_eq!(value, "Bearer s3cret");
        assert!(!format!("{value:?}").contains("s3cret"));
    }

    #[test]
    fn one_header_is_for_one_thing() {
        let mut headers = Headers::default();
        headers.add("authorization: Basic s3cret").expect("a header");
        let base = Url::parse("https://h").expect("a URL");
        let error = Identity::bearer("s3cret").expect("a token").settled(&base, &headers).expect_err("two");
        assert!(error.what().contains("give one of them") && !error.what().contains("s3cret"), "{error}");
        assert!(matches!(Identity::Open.settled(&base, &headers), Ok(Identity::Open)));
    }

    #[tokio::test]
    #[cfg(any(feature = "aws", feature = "gcp"))]
    async fn whoever_gives_out_credentials_is_not_waited_for_for_ever() {
        let fault =
            in_time::<()>(Duration::from_millis(1), std::future::pending()).await.expect_err("silent");
        // Nothing has gone out: that is as safe to try again as with a server that is not there.
        assert_eq!((fault.error.kind(), fault.again), (Kind::Unavailable, Again::Unreachable));
        assert!(fault.error.what().contains("was silent for 1ms; --timeout"), "{}", fault.error);
    }

    #[test]
    fn what_is_not_built_in_names_its_feature() {
        for (asked, built, feature) in [
            (Identity::sigv4(None), cfg!(feature = "aws"), "aws"),
            (Identity::google(None, None), cfg!(feature = "gcp"), "gcp"),
        ] {
            match asked {
                Ok(_) => assert!(built, "{feature}"),
                Err(error) => {
                    assert!(
                        !built && error.what().contains(&format!("the cargo feature {feature} ")),
                        "{error}"
                    );
                }
            }
        }
    }

    #[test]
    fn bad_ones_say_why_and_not_what() {
        for (token, says) in [("", "is empty"), (" \n", "is empty"), ("s3\ncret", "a character")] {
            let error = Identity::bearer(token).expect_err(token);
            assert!(error.what().contains(says) && !error.what().contains("cret"), "{error}");
        }
        for (line, says) in [
            ("s3cret", "without a colon"),
            (": s3cret", "no header name"),
            ("a b: s3cret", "no header name"),
            ("X: s3\ncret", "a character"),
            ("Content-Length: 5", "by autopgo itself"),
            ("idempotency-key: s3cret", "by autopgo itself"),
        ] {
            let error = Headers::default().add(line).expect_err(line);
            assert!(error.what().contains(says) && !error.what().contains("cret"), "{error}");
        }
    }
}
