//! Everybody who can ask, each with secrets that are easily seen.

use autopgo_client::{Headers, Identity, Options};

use crate::fake::patient;

/// What every secret has in it.
pub(crate) const SECRET: &str = "s3cret";

/// Who can ask in this build, with a patience of `seconds`.
pub(crate) fn everyone(seconds: u64) -> Vec<Options> {
    let bearer = Identity::bearer("s3cret-token").expect("a token");
    let identities = [vec![Identity::Open, bearer], signing(), bearing()].concat();
    let options = |identity| {
        let mut headers = Headers::default();
        headers.add("X-Api-Key: s3cret-header").expect("a header");
        Options { identity, headers, ..patient(seconds) }
    };
    identities.into_iter().map(options).collect()
}

#[cfg(feature = "aws")]
fn signing() -> Vec<Identity> {
    let token = Some("s3cret-session".to_owned());
    let credentials = aws_credential_types::Credentials::new("AKID", "s3cret-key", token, None, "test");
    let sigv4 = autopgo_client::SigV4::new(Some("execute-api/r")).expect("a scope");
    vec![Identity::SigV4(sigv4.with_credentials(credentials))]
}

#[cfg(not(feature = "aws"))]
fn signing() -> Vec<Identity> {
    Vec::new()
}

#[cfg(feature = "gcp")]
fn bearing() -> Vec<Identity> {
    let identity = |token| {
        let google = autopgo_client::Google::new(None, token).expect("an identity");
        Identity::Google(google.with_credentials(Fixed.into()))
    };
    vec![identity(None), identity(Some(http::HeaderValue::from_static("Bearer s3cret-token")))]
}

#[cfg(not(feature = "gcp"))]
fn bearing() -> Vec<Identity> {
    Vec::new()
}

/// Gives out one token.
#[cfg(feature = "gcp")]
#[derive(Debug)]
struct Fixed;

#[cfg(feature = "gcp")]
impl google_cloud_auth::credentials::idtoken::IDTokenCredentialsProvider for Fixed {
    async fn id_token(&self) -> Result<String, google_cloud_auth::errors::CredentialsError> {
        Ok("s3cret.identity.token".to_owned())
    }
}
