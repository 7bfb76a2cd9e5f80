//! Requests signed for Amazon's gateways: an API Gateway with IAM, and the Function URLs of Lambda
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
//!
//! Signed are the method, the path as it is sent (a stage in it too), the query, the host, `Content-Type` and every
//! `x-amz-` header, and what the body is by its SHA-256. The rest of the headers is what a proxy on the way may change.

mod keys;
mod scope;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use autopgo_core::error::{Error, Kind, Result};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use futures_util::TryStreamExt;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::Url;
use sha2::{Digest, Sha256};
use tracing::subscriber::{NoSubscriber, with_default};

use super::{Headers, Unsigned, in_time};
use crate::content::{Content, Unread};
use crate::retry::{Again, Fault};
use keys::Keys;
use scope::Scope;

/// What a signature sets itself.
const SET: [HeaderName; 3] =
    [AUTHORIZATION, HeaderName::from_static("x-amz-date"), HeaderName::from_static("x-amz-security-token")];

/// Signs each try with AWS credentials, which are kept and renewed before they end.
#[derive(Clone)]
pub struct SigV4 {
    scope: Option<Scope>,
    keys: Arc<Keys>,
}

impl SigV4 {
    /// Whoever the default chain finds. `scope` as [`super::Identity::sigv4`] has it.
    ///
    /// # Errors
    /// `Invalid`: a scope that is none.
    pub fn new(scope: Option<&str>) -> Result<Self> {
        Ok(Self { scope: scope.map(Scope::parse).transpose()?, keys: Arc::new(Keys::of_the_chain()) })
    }

    /// The same with the credentials that `provider` gives.
    #[must_use]
    pub fn with_credentials(self, provider: impl ProvideCredentials + 'static) -> Self {
        let provider = SharedCredentialsProvider::new(provider);
        Self { keys: Arc::new(Keys::of(provider)), ..self }
    }

    pub(super) fn settled(self, base: &Url, headers: &Headers) -> Result<Self> {
        if let Some(name) = SET.iter().find(|name| headers.has(name)) {
            let what = format!("the header {name} is that of the signature; leave it out, or sign nothing");
            return Err(Error::new(Kind::Invalid, what));
        }
        let scope = match self.scope {
            Some(scope) => scope,
            None => Scope::of(base.host_str().unwrap_or_default())?,
        };
        Ok(Self { scope: Some(scope), ..self })
    }

    pub(super) async fn sign(&self, request: &Unsigned<'_>, headers: &mut HeaderMap) -> Result<(), Fault> {
        let Some(scope) = &self.scope else {
            let what = "signing a request: nobody has said for what";
            return Err(Fault::never(Error::new(Kind::Internal, what)));
        };
        let asking = async {
            self.keys.at(request.now, scope).await.map_err(|error| Fault {
                // Nothing has gone out yet.
                again: if error.kind() == Kind::Unavailable { Again::Unreachable } else { Again::Never },
                error,
                status: None,
            })
        };
        let credentials = in_time(request.limit, asking).await?;
        let hash = hash(request.body)
            .await
            .map_err(|unread| Fault::never(Error::new(Kind::Invalid, unread.to_string())))?;
        add(request, scope, credentials, hash, headers)
            .map_err(|error| Fault::never(error.during("signing a request")))
    }

    pub(super) fn forget(&self) {
        self.keys.forget();
    }

    pub(super) fn hint(&self) -> &'static str {
        match &self.scope {
            // <https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html>
            Some(scope) if scope.service == "lambda" => {
                "the identity needs lambda:InvokeFunctionUrl and lambda:InvokeFunction, and the clock here must be right"
            }
            _ => "the identity needs execute-api:Invoke, and the clock here must be right",
        }
    }
}

impl fmt::Debug for SigV4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scope {
            Some(Scope { service, region }) => write!(f, "SigV4({service}/{region})"),
            None => f.write_str("SigV4"),
        }
    }
}

/// The SHA-256 of a body, in hexadecimal. A file is read for it, and once more to be sent.
async fn hash(body: Option<&Content>) -> Result<String, Unread> {
    let mut hash = Sha256::new();
    if let Some(body) = body {
        let mut pieces = body.pieces();
        while let Some(piece) = pieces.try_next().await? {
            hash.update(&piece);
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Adds the headers that sign `request`, whose body is `hash`.
fn add(
    request: &Unsigned<'_>,
    scope: &Scope,
    credentials: Credentials,
    hash: String,
    headers: &mut HeaderMap,
) -> Result<()> {
    let internal = |what: &str| Error::new(Kind::Internal, what);
    let mut signed = Vec::new();
    for (name, value) in &*headers {
        if *name == CONTENT_TYPE || name.as_str().starts_with("x-amz-") {
            let text = value.to_str().map_err(|_| {
                Error::new(Kind::Invalid, format!("the header {name} has a character that cannot be signed"))
            })?;
            signed.push((name.as_str(), text));
        }
    }
    let identity = credentials.into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(&scope.region)
        .name(&scope.service)
        .time(SystemTime::from(request.now))
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| internal("the settings").because(error))?
        .into();
    let body = SignableBody::Precomputed(hash);
    let signable =
        SignableRequest::new(request.method.as_str(), request.url.as_str(), signed.into_iter(), body);
    // At `trace` it would tell the log the whole URL, in which a signature of ours may stand.
    let signature = with_default(NoSubscriber::new(), || signable.and_then(|request| sign(request, &params)))
        .map_err(|error| internal("it cannot be put in the form that is signed").because(error))?;
    let (set, _) = signature.into_parts().0.into_parts();
    for header in set {
        let mut value = HeaderValue::try_from(header.value()).map_err(|_| {
            Error::new(Kind::Denied, "the credentials have a character that a header cannot carry")
        })?;
        value.set_sensitive(header.name() != "x-amz-date");
        headers.insert(HeaderName::from_static(header.name()), value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Method;

    use super::*;

    const TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

    fn credentials(token: Option<&str>) -> Credentials {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        Credentials::new("AKIDEXAMPLE", secret, token.map(str::to_owned), None, "test")
    }

    async fn signed(method: Method, url: &str, token: Option<&str>, headers: &mut HeaderMap) {
        let url = Url::parse(url).expect("a URL");
        let now = "2015-08-30T12:36:00Z".parse().expect("a time");
        let request = Unsigned { method: &method, url: &url, body: None, now, limit: Duration::MAX };
        let scope = Scope::parse("service/us-east-1").expect("a scope");
        let hash = hash(None).await.expect("nothing to read");
        add(&request, &scope, credentials(token), hash, headers).expect("signed");
    }

    /// Of Amazon's Signature Version 4 test suite, by its names, those that sign what this client signs.
    #[tokio::test]
    async fn amazons_own_examples_are_signed_as_amazon_does() {
        let vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        for (name, method, path, token, signature) in [
            ("get-vanilla", Method::GET, "/", None, vanilla),
            (
                "get-slashes-normalized",
                Method::GET,
                "//example//",
                None,
                "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
            ),
            (
                "get-vanilla-query-order-key-case",
                Method::GET,
                "/?Param2=value2&Param1=value1",
                None,
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "post-vanilla",
                Method::POST,
                "/",
                None,
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "post-sts-header-before",
                Method::POST,
                "/",
                Some(TOKEN),
                "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            ),
        ] {
            let mut headers = HeaderMap::new();
            // What is on the way is not signed.
            headers.insert("accept", HeaderValue::from_static("*/*"));
            signed(method, &format!("https://example.amazonaws.com{path}"), token, &mut headers).await;
            let names =
                if token.is_some() { "host;x-amz-date;x-amz-security-token" } else { "host;x-amz-date" };
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={names}, Signature={signature}"
            );
            assert_eq!(headers[AUTHORIZATION], expected, "{name}");
            assert_eq!(headers["x-amz-date"], "20150830T123600Z");
            assert_eq!(
                headers.get("x-amz-security-token").map(HeaderValue::as_bytes),
                token.map(str::as_bytes)
            );
            let shown = format!("{headers:?}");
            assert!(!shown.contains(signature) && !shown.contains(TOKEN), "{shown}");
        }
    }

    #[tokio::test]
    async fn a_body_is_what_its_hash_says() {
        // FIPS 180-2, appendix B.1 and the empty message.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let content = Content::from(b"abc".to_vec());
        assert_eq!(hash(Some(&content)).await.expect("read"), abc);
        let mut file = tempfile::tempfile().expect("a file");
        std::io::Write::write_all(&mut file, b"abc").expect("written");
        let content = Content::file(file, "abc").expect("a file");
        assert_eq!(hash(Some(&content)).await.expect("read"), abc);
        let none = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hash(None).await.expect("read"), none);
    }

    #[test]
    fn what_a_signature_sets_is_not_for_others_to_set() {
        let base = Url::parse("https://a.execute-api.eu-central-1.amazonaws.com/prod").expect("a URL");
        for name in ["Authorization", "X-Amz-Date", "x-amz-security-token"] {
            let mut headers = Headers::default();
            headers.add(&format!("{name}: s3cret")).expect("a header");
            let error = SigV4::new(None).expect("one").settled(&base, &headers).expect_err(name);
            assert!(
                error.what().contains("that of the signature") && !error.what().contains("s3cret"),
                "{error}"
            );
        }
        let settled = SigV4::new(None).expect("one").settled(&base, &Headers::default()).expect("one");
        assert_eq!(format!("{settled:?}"), "SigV4(execute-api/eu-central-1)");
    }
}
