//! Google as whoever signs OpenID Connect tokens: a key of its own, the tokens that are signed with it, and the place where
//! the key is published. Written from <https://developers.google.com/identity/openid-connect/openid-connect>,
//! <https://www.rfc-editor.org/rfc/rfc7517> and <https://www.rfc-editor.org/rfc/rfc7519>.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::server::{self, Server};

/// An issuer of tokens with a place on the loopback address, until it is dropped.
pub struct Issuer {
    server: Server,
    shared: Arc<Shared>,
}

struct Shared {
    key: Mutex<Key>,
    asked: AtomicUsize,
}

struct Key {
    id: String,
    pair: KeyPair,
}

impl Key {
    fn new() -> io::Result<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| io::Error::other("no key can be made"))?;
        Ok(Self { id: Uuid::new_v4().simple().to_string(), pair })
    }
}

impl Issuer {
    /// One on a port that is free.
    ///
    /// # Errors
    /// There is no port to be had, or no key can be made.
    pub fn start() -> io::Result<Self> {
        let (listener, _) = server::listen(0)?;
        let shared = Arc::new(Shared { key: Mutex::new(Key::new()?), asked: AtomicUsize::new(0) });
        let router = Router::new().route("/certs", get(certs)).with_state(Arc::clone(&shared));
        Ok(Self { server: Server::start(listener, router)?, shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Where its keys are.
    pub fn keys_url(&self) -> String {
        format!("http://{}/certs", self.address())
    }

    /// How often somebody asked for them.
    pub fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// Signs with another key from now on, as Google does every few days.
    ///
    /// # Errors
    /// No key can be made.
    pub fn change_key(&self) -> io::Result<()> {
        let key = Key::new()?;
        *self.shared.key.lock().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(())
    }

    /// What a token says that Pub/Sub, or Cloud Scheduler, sends in the name of the service account `email`.
    pub fn claims(audience: &str, email: &str) -> Value {
        let now = Timestamp::now().as_second();
        json!({
            "aud": audience,
            "azp": "113774264463038321964",
            "email": email,
            "email_verified": true,
            "exp": now + 3600,
            "iat": now,
            "iss": "https://accounts.google.com",
            "sub": "113774264463038321964",
        })
    }

    /// A token that says so.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn token(&self, claims: &Value) -> io::Result<String> {
        let key = self.shared.key.lock().unwrap_or_else(PoisonError::into_inner);
        let header = json!({"alg": "RS256", "kid": key.id, "typ": "JWT"});
        let part = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let mut signature = vec![0; key.pair.public_modulus_len()];
        key.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| io::Error::other("the token cannot be signed"))?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}

async fn certs(State(shared): State<Arc<Shared>>) -> Json<Value> {
    shared.asked.fetch_add(1, Ordering::SeqCst);
    let key = shared.key.lock().unwrap_or_else(PoisonError::into_inner);
    let public = key.pair.public_key();
    let number = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    Json(json!({"keys": [
        // One of a kind that nobody who checks these tokens knows.
        {"kty": "OKP", "crv": "X25519", "kid": "another", "use": "enc", "alg": "ECDH-ES", "x": "AA"},
        {
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": key.id,
            "n": number(public.modulus().big_endian_without_leading_zero()),
            "e": number(public.exponent().big_endian_without_leading_zero()),
        },
    ]}))
}
