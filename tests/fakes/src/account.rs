//! A service account: its key, and whether what is signed in its name was signed with it.

use std::io;
use std::sync::Mutex;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

const EMAIL: &str = "tester@fake.iam.gserviceaccount.com";
/// Clocks may differ by this much.
const SKEW: i64 = 60;

/// A service account with a key that was made for it just now.
pub struct Account {
    credentials: Value,
    public: Vec<u8>,
    /// The tokens that were given out for it.
    tokens: Mutex<Vec<String>>,
}

impl Account {
    /// An account that asks for tokens at `base`.
    pub(crate) fn new(base: &str) -> io::Result<Self> {
        let failed = |_| io::Error::other("no key can be made");
        let key = KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).map_err(failed)?;
        // https://cloud.google.com/iam/docs/keys-create-delete: what the console gives out.
        let credentials = json!({
            "type": "service_account",
            "project_id": "fake",
            "private_key_id": Uuid::new_v4().simple().to_string(),
            "private_key": pem(der.as_ref()),
            "client_email": EMAIL,
            "client_id": "1",
            "token_uri": format!("{base}/token"),
        });
        Ok(Self { credentials, public: key.public_key().as_ref().to_vec(), tokens: Mutex::default() })
    }

    /// The key file, as Google gives it out.
    pub fn credentials(&self) -> &Value {
        &self.credentials
    }

    /// Its name.
    pub fn email(&self) -> &'static str {
        EMAIL
    }

    /// The private key alone, as PEM.
    pub fn private_key(&self) -> &str {
        self.credentials.get("private_key").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether this was signed with its key: RSASSA-PKCS1-v1_5 with SHA-256.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public).verify(message, signature).is_ok()
    }

    /// Whether it is the one that bears this token: one that it was given, or one that it signed itself
    /// (<https://developers.google.com/identity/protocols/oauth2/service-account#jwt-auth>).
    pub(crate) fn bears(&self, token: &str) -> bool {
        let given = self.tokens.lock().is_ok_and(|tokens| tokens.iter().any(|known| known == token));
        given
            || self.claims(token).is_some_and(|claims| {
                let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
                let scoped = text("scope").split(' ').any(|scope| {
                    scope.ends_with("/auth/cloud-platform") || scope.contains("/auth/devstorage.")
                });
                text("sub") == EMAIL && (scoped || text("aud").starts_with("https://storage.googleapis.com/"))
            })
    }

    /// Gives a token for what it signed
    /// (<https://developers.google.com/identity/protocols/oauth2/service-account#httprest>).
    pub(crate) fn token(&self, assertion: &str) -> Option<String> {
        self.claims(assertion)?;
        let token = format!("ya29.{}", Uuid::new_v4().simple());
        self.tokens.lock().ok()?.push(token.clone());
        Some(token)
    }

    /// What a JSON web token says, if this account signed it and it is of now.
    fn claims(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        let header: Value = serde_json::from_slice(&decode(header)?).ok()?;
        let claims: Value = serde_json::from_slice(&decode(claims)?).ok()?;
        let now = Timestamp::now().as_second();
        let time = |name: &str| claims.get(name).and_then(Value::as_i64);
        let good = header.get("alg").and_then(Value::as_str) == Some("RS256")
            && claims.get("iss").and_then(Value::as_str) == Some(EMAIL)
            && time("iat")? <= now + SKEW
            && now < time("exp")?
            && self.has_signed(signed.as_bytes(), &decode(signature)?);
        good.then_some(claims)
    }
}

fn pem(der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let mut pem = "-----BEGIN PRIVATE KEY-----\n".to_owned();
    for (at, c) in text.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            pem.push('\n');
        }
        pem.push(c);
    }
    pem + "\n-----END PRIVATE KEY-----\n"
}
