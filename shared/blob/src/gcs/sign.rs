//! Who signs, and with what: the key of a file or of the credentials, or else IAM, which is asked for each signature
//! (`signBlob`). An identity that may not sign is no error: clients then send and get everything through the server.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use autopgo_core::error::{Error, Kind, Result};
use google_cloud_auth::credentials;
use google_cloud_auth::signer::Signer;
use google_cloud_storage::builder::storage::SignedUrlBuilder;
use http::Method;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::client::{Client, Identity, OPERATION};
use super::fail;
use super::settings::{Key, Settings, invalid};

/// The longest that a signature may last
/// (<https://cloud.google.com/storage/docs/access-control/signed-urls#components>).
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What signs for a bucket.
pub(super) struct Signing {
    bucket: String,
    by: By,
    warned: AtomicBool,
}

enum By {
    /// Nobody, as for an emulator that asks nobody who they are.
    Nobody,
    /// Nobody, and somebody should know why.
    Unable(String),
    /// A key that is here.
    Key(Signer),
    /// The credentials: by their key, if they have one.
    Credentials(Signer),
    /// Whoever this is, which is found out when it is first asked for.
    Named(Named),
}

struct Named {
    id: String,
    /// What the credentials sign with, if they can and may.
    own: Option<Signer>,
    found: OnceCell<Signer>,
}

impl Signing {
    /// What the URL and the credentials say. `file` holds the credentials if they are not Google's chain.
    pub(super) async fn new(bucket: &str, settings: &Settings, file: Option<&Value>) -> Result<Self> {
        let id = settings.access_id.as_deref();
        let by = match (&settings.key, id) {
            (Key::File(path), id) => By::Key(key(path, id).await?),
            _ if settings.anonymous => By::Nobody,
            (Key::Default, None) => match chain(file) {
                Ok(signer) => By::Credentials(signer),
                Err(why) => By::Unable(why),
            },
            (Key::Cleared, None) => By::Unable(
                "private_key_path= is empty, and no access_id= says in whose name IAM is to sign".to_owned(),
            ),
            (key, Some(id)) => By::Named(Named {
                id: id.to_owned(),
                own: (*key == Key::Default).then(|| chain(file).ok()).flatten(),
                found: OnceCell::new(),
            }),
        };
        Ok(Self { bucket: bucket.to_owned(), by, warned: AtomicBool::new(false) })
    }

    /// A URL for one request to `object`, with these headers. `None`: there is nobody to sign it.
    pub(super) async fn sign(
        &self,
        client: &Client,
        method: Method,
        object: String,
        headers: &[(&str, String)],
        lasts: Duration,
    ) -> Result<Option<String>> {
        if lasts < Duration::from_secs(1) || lasts > LONGEST {
            return Err(invalid("it signs for a second at the least and a week at the most"));
        }
        let signer = match &self.by {
            By::Nobody => return Ok(None),
            By::Unable(why) => return Ok(self.warn(why)),
            By::Key(signer) | By::Credentials(signer) => signer,
            By::Named(named) => named.signer(client).await?,
        };
        let base = client.base().await.map_err(|failure| failure.classify(&self.bucket))?;
        let bucket = format!("projects/_/buckets/{}", self.bucket);
        let request = SignedUrlBuilder::for_object(bucket, object)
            .with_endpoint(base)
            .with_method(method)
            .with_expiration(lasts);
        let request =
            headers.iter().fold(request, |request, (name, value)| request.with_header(*name, value));
        match timeout(OPERATION, request.sign_with(signer)).await {
            Ok(Ok(url)) => Ok(Some(url)),
            Ok(Err(error)) => self.judge(error),
            Err(_) => Err(self.unavailable("IAM does not sign in time")),
        }
    }

    /// What becomes of a signature that was not given: none where it never will be, an error where it may.
    fn judge(&self, error: google_cloud_storage::error::SigningError) -> Result<Option<String>> {
        if let By::Key(_) = self.by {
            return Err(Error::new(Kind::Internal, format!("gs://{}: signing", self.bucket)).because(error));
        }
        match (fail::status(&error), fail::credentials(&error)) {
            (Some(401 | 403 | 404), _) => {
                let who = match &self.by {
                    By::Named(named) => {
                        format!("whoever runs this, on {}, and to {} itself", named.id, named.id)
                    }
                    _ => "the identity, on itself".to_owned(),
                };
                Ok(self.warn(&format!(
                    "IAM refuses to sign; grant roles/iam.serviceAccountTokenCreator to {who}, and enable the API \
                     iamcredentials ({error})"
                )))
            }
            (_, Some(false)) => Err(Error::new(
                Kind::Denied,
                format!(
                    "gs://{}: there are no credentials to sign with; set GOOGLE_APPLICATION_CREDENTIALS",
                    self.bucket
                ),
            )
            .because(error)),
            _ => Err(self.unavailable("IAM cannot sign now").because(error)),
        }
    }

    /// Says once why nothing is signed.
    fn warn(&self, why: &str) -> Option<String> {
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                bucket = self.bucket,
                "gs:// signs no URLs, so that everything goes through the server: {why}"
            );
        }
        None
    }

    fn unavailable(&self, what: &str) -> Error {
        Error::new(Kind::Unavailable, format!("gs://{}: {what}", self.bucket))
    }
}

impl Named {
    /// The credentials' own key, if they are this one's, and else IAM.
    async fn signer(&self, client: &Client) -> Result<&Signer> {
        self.found
            .get_or_try_init(|| async {
                if let Some(own) = &self.own
                    && let Ok(Ok(email)) = timeout(OPERATION, own.client_email()).await
                    && email == self.id
                {
                    return Ok(own.clone());
                }
                let Identity::Known(credentials) = client.identity() else {
                    return Err(Error::new(Kind::Denied, "gs://: there are no credentials to sign with"));
                };
                credentials::impersonated::Builder::from_source_credentials(credentials.clone())
                    .with_target_principal(&self.id)
                    .build_signer()
                    .map_err(|error| {
                        invalid(format!("parameter access_id is {:?}, as whom IAM cannot sign", self.id))
                            .because(error)
                    })
            })
            .await
    }
}

/// What the credentials sign with, or why they do not.
fn chain(file: Option<&Value>) -> Result<Signer, String> {
    let built = match file {
        Some(key) => credentials::service_account::Builder::new(key.clone()).build_signer(),
        None => credentials::Builder::default().build_signer(),
    };
    built.map_err(|error| {
        let hint = if error.is_not_supported() {
            "only a service account can; name one that these credentials may sign as by access_id="
        } else {
            "correct the credentials"
        };
        format!("{hint} ({error})")
    })
}

/// The key in a file: PEM, or JSON as Google gives it out.
async fn key(path: &Path, id: Option<&str>) -> Result<Signer> {
    let at = path.display();
    let text = tokio::fs::read_to_string(path)
        .await
        .map_err(|error| invalid(format!("private_key_path {at} cannot be read")).because(error))?;
    let (pem, email) = if text.trim_start().starts_with('{') {
        let json: Value = serde_json::from_str(&text)
            .map_err(|error| invalid(format!("private_key_path {at} is no JSON")).because(error))?;
        let field = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
        let pem = field("private_key")
            .ok_or_else(|| invalid(format!("private_key_path {at} has no private_key in it")))?;
        (pem, field("client_email"))
    } else {
        (text, None)
    };
    let Some(email) = id.map(str::to_owned).or(email) else {
        return Err(invalid(format!("private_key_path {at} does not say whose it is; add access_id=EMAIL")));
    };
    let account = json!({"client_email": email, "private_key": pem, "private_key_id": "", "project_id": ""});
    let unfit = |error: Box<dyn std::error::Error + Send + Sync>| {
        invalid(format!(
            "private_key_path {at} holds no RSA key in PKCS #8; convert it by openssl pkcs8 -topk8 -nocrypt"
        ))
        .because(error)
    };
    let signer = credentials::service_account::Builder::new(account)
        .build_signer()
        .map_err(|error| unfit(error.into()))?;
    // Now, and not when the first large profile comes.
    signer.sign("").await.map_err(|error| unfit(error.into()))?;
    Ok(signer)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU16;

    use google_cloud_auth::errors::CredentialsError;
    use google_cloud_auth::signer::{Result as SignerResult, SigningError, SigningProvider};
    use google_cloud_gax::error::Error as GaxError;

    use super::*;

    /// IAM, which answers with this status; 0 is that there are no credentials, 1 that they cannot be had now.
    #[derive(Clone, Debug)]
    struct Iam(Arc<AtomicU16>);

    impl SigningProvider for Iam {
        async fn client_email(&self) -> SignerResult<String> {
            Ok("me@project".to_owned())
        }

        async fn sign(&self, _: &[u8]) -> SignerResult<bytes::Bytes> {
            Err(SigningError::from_msg(match self.0.load(Ordering::SeqCst) {
                0 => GaxError::authentication(CredentialsError::from_msg(false, "no file")),
                1 => GaxError::authentication(CredentialsError::from_msg(true, "try again")),
                200 => return Ok(bytes::Bytes::from_static(b"signature")),
                status => GaxError::http(status, http::HeaderMap::new(), bytes::Bytes::new()),
            }))
        }
    }

    async fn signed(signing: &Signing, settings: &Settings) -> Result<Option<String>> {
        let client = Client::new("b", settings, Identity::Anonymous).expect("a client");
        let lasts = Duration::from_secs(60);
        signing.sign(&client, Method::GET, "k".to_owned(), &[], lasts).await
    }

    #[tokio::test]
    async fn who_may_not_sign_signs_nothing_and_who_cannot_now_is_unavailable() {
        let status = Arc::new(AtomicU16::new(0));
        let by = By::Credentials(Iam(Arc::clone(&status)).into());
        let signing = Signing { bucket: "b".to_owned(), by, warned: AtomicBool::new(false) };
        let settings = Settings { endpoint: Some("http://127.0.0.1:1".to_owned()), ..Settings::default() };
        for (answer, kind) in [
            (0, Kind::Denied),
            (1, Kind::Unavailable),
            (408, Kind::Unavailable),
            (429, Kind::Unavailable),
            (500, Kind::Unavailable),
            (503, Kind::Unavailable),
        ] {
            status.store(answer, Ordering::SeqCst);
            let error = signed(&signing, &settings).await.expect_err("no signature");
            assert_eq!(error.kind(), kind, "{answer}: {}", error.chain());
        }
        assert!(!signing.warned.load(Ordering::SeqCst));
        for answer in [401, 403, 404] {
            status.store(answer, Ordering::SeqCst);
            assert_eq!(signed(&signing, &settings).await.expect("no error"), None, "{answer}");
        }
        assert!(signing.warned.load(Ordering::SeqCst));
        status.store(200, Ordering::SeqCst);
        let url = signed(&signing, &settings).await.expect("no error").expect("a URL");
        assert!(url.starts_with("http://127.0.0.1:1/b/k?X-Goog-Algorithm=GOOG4-RSA-SHA256&"), "{url}");
    }

    #[tokio::test]
    async fn nobody_signs_for_whoever_is_anonymous_or_says_nothing() {
        let nothing = Settings { endpoint: Some("http://127.0.0.1:1".to_owned()), ..Settings::default() };
        for (settings, warns) in [
            (Settings { anonymous: true, ..nothing.clone() }, false),
            (Settings { key: Key::Cleared, ..nothing.clone() }, true),
        ] {
            let signing = Signing::new("b", &settings, None).await.expect("made");
            assert_eq!(signed(&signing, &settings).await.expect("no error"), None);
            assert_eq!(signing.warned.load(Ordering::SeqCst), warns, "{settings:?}");
        }
    }

    #[tokio::test]
    async fn a_key_that_cannot_sign_is_refused_at_the_start() {
        let folder = tempfile::tempdir().expect("a folder");
        for (text, id, says) in [
            ("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", None, "add access_id=EMAIL"),
            ("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", Some("me"), "openssl pkcs8"),
            ("not a key", Some("me"), "openssl pkcs8"),
            ("{", None, "is no JSON"),
            ("{}", None, "has no private_key"),
            (r#"{"private_key": "x"}"#, None, "add access_id=EMAIL"),
        ] {
            let path = folder.path().join("key");
            std::fs::write(&path, text).expect("written");
            let error = key(&path, id).await.expect_err(text);
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{text}: {error}");
        }
        let error = key(&folder.path().join("none"), None).await.expect_err("no file");
        assert!(error.what().contains("cannot be read"), "{error}");
    }
}
