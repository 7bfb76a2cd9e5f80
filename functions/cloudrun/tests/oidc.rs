//! Tokens: what is taken, what is refused and how, and when the keys are looked up.
#![allow(clippy::expect_used, clippy::panic, reason = "all of this is a test")]

use std::time::Duration;

use autopgo_cloudrun::oidc::Tokens;
use autopgo_fakes::tokens::Issuer;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::time;

const AUDIENCE: &str = "https://worker.example.run.app";
const EMAIL: &str = "push@acme.iam.gserviceaccount.com";

fn tokens(keys: &str) -> Tokens {
    Tokens::new(&[AUDIENCE.to_owned()], &[EMAIL.to_owned()], Some(keys)).expect("a client")
}

fn bearing(authorization: &str) -> HeaderMap {
    [(AUTHORIZATION, authorization.parse().expect("a value"))].into_iter().collect()
}

/// The status that a call is refused with, or 200.
async fn status(tokens: &Tokens, authorization: &str) -> u16 {
    tokens.check(&bearing(authorization)).await.map_or_else(|failure| failure.status().as_u16(), |()| 200)
}

/// Good claims with these in the place of theirs; null takes one away.
fn claims(changes: &Value) -> Value {
    let mut claims = Issuer::claims(AUDIENCE, EMAIL);
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => drop(claims.as_object_mut().expect("an object").remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

#[tokio::test]
async fn a_token_has_to_be_right_in_everything() {
    let issuer = Issuer::start().expect("an issuer");
    let tokens = tokens(&issuer.keys_url());
    for (changes, expected) in [
        (json!({}), 200),
        (json!({"iss": "accounts.google.com"}), 200),
        (json!({"aud": [AUDIENCE]}), 200),
        (json!({"sub": null, "azp": null, "iat": null}), 200),
        (json!({"aud": "https://another.example"}), 401),
        (json!({"aud": null}), 401),
        (json!({"aud": []}), 401),
        (json!({"iss": "https://accounts.evil.example"}), 401),
        (json!({"iss": "https://cloud.google.com/iap"}), 401),
        (json!({"iss": null}), 401),
        (json!({"exp": 1_735_787_045}), 401),
        (json!({"exp": null}), 401),
        (json!({"exp": "tomorrow"}), 401),
        (json!({"email": 7}), 401),
        (json!({"email": "stranger@acme.iam.gserviceaccount.com"}), 403),
        (json!({"email": null}), 403),
        (json!({"email_verified": false}), 403),
        (json!({"email_verified": null}), 403),
    ] {
        let token = issuer.token(&claims(&changes)).expect("signed");
        assert_eq!(status(&tokens, &format!("Bearer {token}")).await, expected, "{changes}");
    }
    let token = issuer.token(&claims(&json!({}))).expect("signed");
    assert_eq!(status(&tokens, &format!("bearer  {token} ")).await, 200, "a scheme has no case");
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn what_is_no_token_of_google_is_refused() {
    let issuer = Issuer::start().expect("an issuer");
    let stranger = Issuer::start().expect("an issuer");
    let tokens = tokens(&issuer.keys_url());
    let good = issuer.token(&claims(&json!({}))).expect("signed");
    let [header, body, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let encode = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(header).expect("base64");
    let decoded: Value = serde_json::from_slice(&decoded).expect("JSON");
    let with = |name: &str, value: Value| {
        let mut header = decoded.clone();
        header[name] = value;
        encode(&header)
    };
    let other = encode(&claims(&json!({"sub": "1"})));
    let theirs = stranger.token(&claims(&json!({}))).expect("signed");
    for authorization in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Basic dXNlcjpwYXNz".to_owned(),
        "Bearer nothing".to_owned(),
        "Bearer a.b.c".to_owned(),
        format!("Bearer {theirs}"),
        format!("Bearer {header}.{other}.{signature}"),
        format!("Bearer {header}.{body}."),
        format!("Bearer {header}.{body}.SIGNATURE_REMOVED_BY_GOOGLE"),
        format!("Bearer {}.{body}.", with("alg", "none".into())),
        format!("Bearer {}.{body}.{signature}", with("alg", "HS256".into())),
        format!("Bearer {}.{body}.{signature}", with("alg", "RS512".into())),
        format!("Bearer {}.{body}.{signature}", with("kid", Value::Null)),
        format!("Bearer {}.{body}.{signature}", with("kid", "made up".into())),
    ] {
        assert_eq!(status(&tokens, &authorization).await, 401, "{authorization}");
    }
    let none = tokens.check(&HeaderMap::new()).await.expect_err("nobody");
    assert_eq!(none.status(), 401);
    assert_eq!(status(&tokens, &format!("Bearer {good}")).await, 200);
}

#[tokio::test]
async fn keys_are_looked_up_when_they_are_new_and_not_when_they_are_made_up() {
    let issuer = Issuer::start().expect("an issuer");
    let tokens = tokens(&issuer.keys_url());
    let token = || format!("Bearer {}", issuer.token(&claims(&json!({}))).expect("signed"));
    let first = token();
    assert_eq!(status(&tokens, &first).await, 200);
    issuer.change_key().expect("a key");
    for _ in 0..20 {
        assert_eq!(status(&tokens, &token()).await, 401, "asked just now");
    }
    assert_eq!((issuer.asked(), status(&tokens, &first).await), (1, 200));
    later(Duration::from_secs(10)).await;
    assert_eq!((status(&tokens, &token()).await, issuer.asked()), (200, 2));
    assert_eq!(status(&tokens, &first).await, 401, "its key is withdrawn");
    later(Duration::from_secs(3601)).await;
    assert_eq!((status(&tokens, &token()).await, issuer.asked()), (200, 3), "an hour has passed");
}

#[tokio::test]
async fn while_the_keys_cannot_be_had_callers_come_again() {
    let issuer = Issuer::start().expect("an issuer");
    let token = format!("Bearer {}", issuer.token(&claims(&json!({}))).expect("signed"));
    let away = tokens(&format!("http://{}/nowhere", issuer.address()));
    for _ in 0..3 {
        assert_eq!(status(&away, &token).await, 503);
    }
    // What was known before stands.
    let tokens = tokens(&issuer.keys_url());
    assert_eq!(status(&tokens, &token).await, 200);
    drop(issuer);
    later(Duration::from_secs(3601)).await;
    assert_eq!(status(&tokens, &token).await, 200);
}

/// Lets time go by.
async fn later(span: Duration) {
    time::pause();
    time::advance(span).await;
    time::resume();
}
