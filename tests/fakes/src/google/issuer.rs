//! Identity tokens: made as Google makes them, and looked at as Cloud Run does
//! (<https://cloud.google.com/docs/authentication/token-types#id-contents>).

use std::io;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

const ISSUER: &str = "https://accounts.google.com";

/// Whoever signs the tokens.
pub(super) struct Issuer(KeyPair);

/// What a good token says.
pub(super) struct Claims {
    pub(super) audience: String,
    pub(super) email: Option<String>,
}

impl Issuer {
    pub(super) fn new() -> io::Result<Self> {
        KeyPair::generate(KeySize::Rsa2048).map(Self).map_err(|_| io::Error::other("no key can be made"))
    }

    /// A token for `email` that ends `lifetime` seconds from now.
    pub(super) fn token(
        &self,
        email: &str,
        audience: &str,
        lifetime: i64,
        with_email: bool,
    ) -> Option<String> {
        let now = Timestamp::now().as_second();
        let mut claims = json!({
            "iss": ISSUER, "aud": audience, "azp": "1", "sub": "1", "iat": now, "exp": now + lifetime,
            // Two of the same second are two.
            "jti": uuid::Uuid::new_v4().to_string(),
        });
        if with_email {
            claims["email"] = email.into();
            claims["email_verified"] = true.into();
        }
        let encoded = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"alg": "RS256", "kid": "1", "typ": "JWT"});
        let signed = format!("{}.{}", encoded(&header), encoded(&claims));
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
        Some(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }

    /// What a token says, if it was signed here and has not ended.
    pub(super) fn claims(&self, token: &str) -> Option<Claims> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.0.public_key().as_ref());
        key.verify(signed.as_bytes(), &signature).ok()?;
        let claims = BASE64_URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        let good = claims.get("iss")?.as_str()? == ISSUER
            && Timestamp::now().as_second() < claims.get("exp")?.as_i64()?;
        good.then_some(())?;
        let email = claims.get("email").and_then(Value::as_str).map(str::to_owned);
        Some(Claims { audience: claims.get("aud")?.as_str()?.to_owned(), email })
    }
}
