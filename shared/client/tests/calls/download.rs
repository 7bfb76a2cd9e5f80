//! Downloads and the other reading calls: whole or an error, and secrets that stay where they belong.

use std::time::Duration;

use autopgo_client::{Client, Download, Downloaded, Headers, Identity, Options};
use autopgo_core::api::Form;
use autopgo_core::app::App;
use autopgo_core::error::{Error, Kind};
use autopgo_core::health::Status;

use crate::fake::{Fake, Reply, answer, json, patient};

fn app() -> App {
    App::parse("checkout").expect("a name")
}

fn secret() -> Options {
    let mut headers = Headers::default();
    headers.add("X-Api-Key: s3cret").expect("a header");
    Options { identity: Identity::bearer("s3cret").expect("a token"), headers, ..patient(0) }
}

async fn download(client: &Client) -> Result<Download, Error> {
    match client.download(&app(), Form::Full, None, None).await? {
        Downloaded::Profile(download) => Ok(download),
        Downloaded::Unchanged => panic!("nothing was known"),
    }
}

#[tokio::test]
async fn a_download_has_bytes_an_etag_and_a_time() {
    let headers = "ETag: W/\"v1\"\r\nLast-Modified: Mon, 28 Oct 2024 12:16:34 GMT\r\n";
    let fake = Fake::start(vec![
        Reply::Bytes(answer("200 OK", headers, b"profile")),
        Reply::Bytes(answer("304 Not Modified", headers, b"")),
    ])
    .await;
    let (client, _) = fake.client(patient(0));
    let got = download(&client).await.expect("downloaded");
    assert_eq!((&got.bytes[..], got.etag.as_deref()), (&b"profile"[..], Some("W/\"v1\"")));
    assert_eq!(got.modified.expect("a time").to_string(), "2024-10-28T12:16:34Z");
    let again = client.download(&app(), Form::Compact, got.etag.as_deref(), None).await.expect("asked");
    assert!(matches!(again, Downloaded::Unchanged));
    let seen = fake.seen();
    assert_eq!(seen[0].line, "GET /api/profile/checkout HTTP/1.1");
    assert_eq!(seen[1].line, "GET /api/profile/checkout?form=compact HTTP/1.1");
    assert_eq!(seen[1].header("if-none-match"), Some("W/\"v1\""));
}

#[tokio::test]
async fn half_a_profile_is_none() {
    let cut = || Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nprof".to_vec());
    let chunks =
        || Reply::Bytes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nprof\r\n".to_vec());
    for broken in [cut, chunks] {
        let fake = Fake::start(vec![broken()]).await;
        let error = download(&fake.client(patient(0)).0).await.expect_err("cut short");
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.what().contains("broke off after 4 bytes"), "{error}");
        // With patience it is asked for again, from the start.
        let fake = Fake::start(vec![broken(), Reply::Bytes(answer("200 OK", "", b"profile"))]).await;
        let got = download(&fake.client(patient(9)).0).await.expect("the second is whole");
        assert_eq!(&got.bytes[..], b"profile");
    }
}

#[tokio::test]
async fn silence_within_a_body_ends_it_and_slowness_does_not() {
    let options = || Options { timeout: Duration::from_millis(300), ..patient(0) };
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n".to_vec();
    let mut pieces = vec![head.clone()];
    pieces.extend(b"profile".iter().map(|byte| vec![*byte]));
    let fake = Fake::start(vec![Reply::Drip(pieces, Duration::from_millis(100))]).await;
    assert_eq!(&download(&fake.client(options()).0).await.expect("slow").bytes[..], b"profile");
    let fake = Fake::start(vec![Reply::Drip(vec![head, vec![], vec![]], Duration::from_millis(250))]).await;
    let error = download(&fake.client(options()).0).await.expect_err("silent");
    assert!(error.what().contains("was silent for 300ms"), "{error}");
}

#[tokio::test]
async fn secrets_stay_with_the_host_they_are_for() {
    let store = Fake::start(vec![Reply::Bytes(answer("200 OK", "", b"profile"))]).await;
    let away = format!("Location: {}/bucket?X-Amz-Signature=abc\r\n", store.url);
    let fake = Fake::start(vec![
        Reply::Bytes(answer("307 Temporary Redirect", "Location: /elsewhere\r\n", b"")),
        Reply::Bytes(answer("307 Temporary Redirect", &away, b"")),
    ])
    .await;
    let (client, _) = fake.client(secret());
    let got = client.download(&app(), Form::Full, Some("\"old\""), None).await.expect("followed");
    assert!(matches!(got, Downloaded::Profile(got) if &got.bytes[..] == b"profile"));
    let seen = fake.seen();
    for seen in &seen {
        assert_eq!(seen.header("authorization"), Some("Bearer s3cret"));
        assert_eq!(seen.header("x-api-key"), Some("s3cret"));
    }
    assert_eq!(seen[1].line, "GET /elsewhere HTTP/1.1");
    let there = &store.seen()[0];
    assert_eq!(there.line, "GET /bucket?X-Amz-Signature=abc HTTP/1.1");
    assert!(!format!("{there:?}").contains("s3cret"), "{there:?}");
    // Nor what else is for the API alone.
    let mut names: Vec<_> = there.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "host", "user-agent"]);
}

#[tokio::test]
async fn a_host_that_sends_us_back_gets_nothing_by_it() {
    // The first host, then another one, then the first again: still without credentials.
    let first = Fake::start(vec![]).await;
    let back = format!("Location: {}/api/profile/checkout\r\n", first.url);
    let other = Fake::start(vec![Reply::Bytes(answer("302 Found", &back, b""))]).await;
    let away = format!("Location: {}/x\r\n", other.url);
    let start = Fake::start(vec![Reply::Bytes(answer("302 Found", &away, b""))]).await;
    let error = download(&start.client(secret()).0).await.expect_err("the script ends there");
    assert!(error.what().contains("599"), "{error}");
    assert!(!format!("{:?}{:?}", first.seen(), other.seen()).contains("s3cret"));
    assert_eq!(first.seen().len(), 1);
}

#[tokio::test]
async fn a_denial_behind_a_redirect_says_why() {
    let other = Fake::start(vec![Reply::Bytes(answer("401 Unauthorized", "", b""))]).await;
    let away = format!("Location: {}/api/profile/checkout\r\n", other.url);
    let fake = Fake::start(vec![Reply::Bytes(answer("308 Permanent Redirect", &away, b""))]).await;
    let error = download(&fake.client(secret()).0).await.expect_err("denied");
    assert_eq!(error.kind(), Kind::Denied);
    assert!(error.what().contains("the credentials were not sent on to another host"), "{error}");
}

#[tokio::test]
async fn redirects_end() {
    let turn = || Reply::Bytes(answer("302 Found", "Location: /again\r\n", b""));
    let fake = Fake::start((0..9).map(|_| turn()).collect()).await;
    let error = download(&fake.client(patient(0)).0).await.expect_err("round and round");
    assert!(error.what().contains("redirects more than 5 times"), "{error}");
    for (location, says) in
        [("", "without saying where"), ("Location: file:///etc/passwd\r\n", "no web address")]
    {
        let fake = Fake::start(vec![Reply::Bytes(answer("302 Found", location, b""))]).await;
        let error = download(&fake.client(patient(0)).0).await.expect_err(says);
        assert!(error.what().contains(says), "{error}");
    }
}

#[tokio::test]
async fn no_profile_yet_and_a_wrong_address_are_two_things() {
    let none = json("404 Not Found", r#"{"message":"there is no profile of checkout yet","code":404}"#);
    let fake = Fake::start(vec![Reply::Bytes(none)]).await;
    let error = download(&fake.client(patient(0)).0).await.expect_err("none yet");
    assert_eq!(error.kind(), Kind::NotFound);
    for stranger in [
        answer("404 Not Found", "Content-Type: text/html\r\n", b"<title>Nothing here</title>"),
        json("404 Not Found", r#"{"message":"Not Found"}"#),
        answer("200 OK", "Content-Type: text/html\r\n", b"<title>Sign in</title>"),
    ] {
        let fake = Fake::start(vec![Reply::Bytes(stranger)]).await;
        let error = download(&fake.client(patient(0)).0).await.expect_err("a stranger");
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.what().contains("check --api-url"), "{error}");
    }
}

#[tokio::test]
async fn listing_deleting_and_health() {
    let listed = r#"{"profiles":[{"key":"a","size":12,"lastModified":"2024-10-28T12:16:34.5Z","more":1}]}"#;
    let sick =
        r#"{"status":"unhealthy","dependencies":[{"name":"blob","status":"unhealthy","message":"gone"}]}"#;
    let fake = Fake::start(vec![
        Reply::Bytes(json("200 OK", listed)),
        Reply::Bytes(json("200 OK", "{}")),
        Reply::Bytes(json("503 Service Unavailable", sick)),
        Reply::Bytes(json("503 Service Unavailable", r#"{"message":"busy","code":503}"#)),
        Reply::Bytes(json("200 OK", r#"{"hello":"world"}"#)),
    ])
    .await;
    let (client, _) = fake.client(patient(0));
    let profiles = client.list().await.expect("listed").profiles;
    assert_eq!((profiles[0].key.as_str(), profiles[0].size), ("a", 12));
    client.delete(&app()).await.expect("deleted");
    assert_eq!(client.health().await.expect("a report").status, Status::Unhealthy);
    assert_eq!(client.health().await.expect_err("no report").kind(), Kind::Unavailable);
    let error = client.list().await.expect_err("a stranger");
    assert!(error.what().contains("is not autopgo (application/json); check --api-url"), "{error}");
    let lines: Vec<_> = fake.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(lines[1..3], ["DELETE /api/profile/checkout HTTP/1.1", "GET /api/health HTTP/1.1"]);
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_is_a_deletion() {
    let gone = || Reply::Bytes(json("404 Not Found", r#"{"message":"nothing","code":404}"#));
    let fake = Fake::start(vec![gone()]).await;
    assert_eq!(fake.client(patient(9)).0.delete(&app()).await.expect_err("nothing").kind(), Kind::NotFound);
    let fake = Fake::start(vec![Reply::Reset, gone()]).await;
    fake.client(patient(9)).0.delete(&app()).await.expect("the first try did it");
}
