//! What is signed, before a gateway that refuses what is not. The gateway is a fake that botocore has tried.
#![expect(clippy::expect_used, reason = "tests say what they rely on")]

use std::io::Write;
use std::sync::Arc;

use api::{api, profile};
use autopgo_client::{Client, Content, Headers, Identity, Options, SigV4};
use autopgo_core::api::Form;
use autopgo_core::app::App;
use autopgo_core::error::{Error, Kind};
use autopgo_fakes::gateway::{Gateway, Keys, Scope, Seen};
use aws_credential_types::Credentials;
use fake::{Quick, patient};

mod api;
#[allow(dead_code, reason = "what only the other tests use")]
#[path = "calls/fake.rs"]
mod fake;

const TOKEN: &str = "s3cret//session+token==";

fn app() -> App {
    App::parse("checkout").expect("a name")
}

fn keys(token: Option<&str>) -> Keys {
    Keys { id: "AKIDEXAMPLE".into(), secret: "s3cret/key+example".into(), token: token.map(str::to_owned) }
}

/// Those that need no session.
fn lasting() -> Keys {
    Keys { id: "LASTING".into(), ..keys(None) }
}

fn gateway(service: &str, stage: &str) -> Gateway {
    let scope = Scope { service: service.into(), region: "eu-central-1".into() };
    Gateway::start(api(), stage, scope, vec![lasting(), keys(Some(TOKEN))]).expect("a gateway")
}

fn signing(scope: &str, keys: &Keys) -> Identity {
    let Keys { id, secret, token } = keys.clone();
    let credentials = Credentials::new(id, secret, token, None, "test");
    Identity::SigV4(SigV4::new(Some(scope)).expect("a scope").with_credentials(credentials))
}

fn client(gateway: &Gateway, identity: Identity, patience: u64) -> Client {
    Client::new(&gateway.url(), Options { identity, ..patient(patience) }).expect("a client")
}

/// A profile that is too large for a request: it has a string that nothing refers to.
fn large() -> Content {
    let mut raw = autopgo_pprof::gzip::inflate(&profile(), 64 << 20).expect("unpacked");
    let mut length: usize = 5 << 20;
    // <https://github.com/google/pprof/blob/main/proto/profile.proto>: `repeated string string_table = 6`.
    raw.push(6 << 3 | 2);
    let string = vec![b'x'; length];
    while length > 0x7f {
        raw.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    raw.push(length as u8);
    raw.extend(string);
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(&raw).expect("written");
    Content::file(file, "large").expect("a file")
}

fn lines(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|seen| seen.line.split('?').next().unwrap_or_default()).collect()
}

#[tokio::test]
async fn every_call_is_let_through() {
    for (service, stage) in [("execute-api", "/prod"), ("lambda", "")] {
        let gateway = gateway(service, stage);
        for keys in [keys(Some(TOKEN)), lasting()] {
            let before = gateway.seen().len();
            let client = client(&gateway, signing(&format!("{service}/eu-central-1"), &keys), 0);
            let uploaded = client.upload(&app(), profile(), None).await.expect("uploaded");
            assert!(uploaded.key.starts_with("checkout/staging/"), "{}", uploaded.key);
            assert!(client.list().await.expect("listed").profiles.is_empty());
            let none = client.download(&app(), Form::Compact, None, None).await.expect_err("none yet");
            assert_eq!(none.kind(), Kind::NotFound);
            client.health().await.expect("a report");
            client.delete(&app()).await.expect("deleted");
            let seen = gateway.seen();
            let names: Vec<_> = seen[before..].iter().map(|seen| seen.line.clone()).collect();
            let expected = [
                format!("POST {stage}/api/profile/checkout"),
                format!("GET {stage}/api/profile"),
                format!("GET {stage}/api/profile/checkout?form=compact"),
                format!("GET {stage}/api/health"),
                format!("DELETE {stage}/api/profile/checkout"),
            ];
            assert_eq!(names, expected);
            let token = if keys.token.is_some() { ";x-amz-security-token" } else { "" };
            assert_eq!(seen[before].signed, format!("content-type;host;x-amz-date{token}"));
            assert_eq!(seen[before + 1].signed, format!("host;x-amz-date{token}"));
        }
    }
}

#[tokio::test]
async fn a_large_upload_is_signed_step_by_step() {
    let gateway = gateway("execute-api", "/prod");
    let client = client(&gateway, signing("execute-api/eu-central-1", &keys(Some(TOKEN))), 0);
    let uploaded = client.upload(&app(), large(), None).await.expect("uploaded");
    assert!(uploaded.key.starts_with("checkout/staging/"), "{}", uploaded.key);
    let seen = gateway.seen();
    let lines = lines(&seen);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[0], "POST /prod/api/profile/checkout/uploads");
    assert!(lines[1].starts_with("PUT /prod/api/objects/checkout/"), "{lines:?}");
    assert!(lines[2].starts_with("POST /prod/api/profile/checkout/uploads/"), "{lines:?}");
}

#[tokio::test]
async fn each_try_has_a_date_of_its_own() {
    let gateway = gateway("execute-api", "/prod");
    gateway.be_busy(6);
    let clock = Arc::new(Quick::default());
    let client = client(&gateway, signing("execute-api/eu-central-1", &lasting()), 60);
    client.with_clock(Arc::clone(&clock) as _).upload(&app(), profile(), None).await.expect("in the end");
    let seen = gateway.seen();
    assert_eq!((seen.len(), clock.pauses().len()), (7, 6));
    assert!(seen.is_sorted_by(|one, other| one.date <= other.date));
    // The pauses are longer than the second that a date counts.
    assert!(seen[0].date < seen[6].date, "{seen:?}");
    assert_ne!(seen[0].signature, seen[6].signature);
}

#[tokio::test]
async fn what_a_gateway_says_is_passed_on() {
    let gateway = gateway("execute-api", "/prod");
    let list = async |identity: Identity| -> Error {
        client(&gateway, identity, 60).list().await.expect_err("refused")
    };
    let scope = "execute-api/eu-central-1";
    let hint = "the identity needs execute-api:Invoke, and the clock here must be right";
    for (ahead, says) in [(600, "Signature expired: "), (-600, "Signature not yet current: ")] {
        gateway.turn_clock(ahead);
        let error = list(signing(scope, &keys(Some(TOKEN)))).await;
        assert_eq!(error.kind(), Kind::Denied);
        assert!(error.what().contains(says) && error.what().ends_with(hint), "{error}");
    }
    gateway.turn_clock(0);
    for (identity, says) in [
        (signing("execute-api/eu-west-1", &lasting()), "not 'eu-west-1'"),
        (signing("lambda/eu-central-1", &lasting()), "correct service: 'execute-api'"),
        (signing(scope, &Keys { id: "OTHER".into(), ..keys(None) }), "security token"),
        (Identity::Open, "Missing Authentication Token); set AUTOPGO_API_TOKEN or --token-file, or --auth"),
    ] {
        let error = list(identity).await;
        assert!(error.kind() == Kind::Denied && error.what().contains(says), "{says}: {error}");
    }
    // The answer to a wrong signature holds what was sent, a session's token too.
    let error = list(signing(scope, &Keys { secret: "other".into(), ..keys(Some(TOKEN)) })).await;
    let says = "The request signature we calculated does not match the signature you provided.";
    assert!(error.what().contains(says), "{error}");
    assert!(error.what().contains("x-amz-security-token:(secret)"), "{error}");
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
}

#[tokio::test]
async fn what_the_gateway_wants_besides_is_signed_where_it_must_be() {
    let gateway = gateway("execute-api", "/prod");
    let mut headers = Headers::default();
    headers.add("X-Api-Key: s3cret").expect("a header");
    headers.add("X-Amz-Note:  a   b ").expect("a header");
    let identity = signing("execute-api/eu-central-1", &lasting());
    let client = Client::new(&gateway.url(), Options { identity, headers, ..patient(0) }).expect("a client");
    client.list().await.expect("listed");
    assert_eq!(gateway.seen()[0].signed, "host;x-amz-date;x-amz-note");
}
