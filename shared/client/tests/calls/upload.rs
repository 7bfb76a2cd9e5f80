//! Uploads against servers that fail in every way: one upload, whatever the number of tries.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use autopgo_client::{Client, Headers, Identity, Moved, Options, Progress};
use autopgo_core::app::App;
use autopgo_core::error::Kind;
use bytes::Bytes;

use crate::fake::{Fake, Reply, answer, json, patient};

fn app() -> App {
    App::parse("checkout").expect("a name")
}

fn created() -> Vec<u8> {
    json("201 Created", r#"{"key":"checkout/staging/1"}"#)
}

/// The answer of a server without tickets, which is sent large profiles too.
fn no_tickets() -> Reply {
    Reply::Bytes(answer("404 Not Found", "", b""))
}

#[tokio::test]
async fn an_upload_says_who_and_what_it_is() {
    let fake = Fake::start(vec![Reply::Bytes(created())]).await;
    let mut headers = Headers::default();
    headers.add("X-Gateway: blue").expect("a header");
    let identity = Identity::bearer("s3cret").expect("a token");
    let client = Client::new(&format!("{}/prod/", fake.url), Options { identity, headers, ..patient(9) })
        .expect("a client");
    let profile: Bytes = vec![7; 200_000].into();
    let moved = Arc::new(Mutex::new(Vec::new()));
    let progress: Progress = {
        let moved = Arc::clone(&moved);
        Arc::new(move |step| moved.lock().expect("moved").push(step))
    };
    let uploaded = client.upload(&app(), profile.clone(), Some(progress)).await.expect("uploaded");
    assert_eq!(uploaded.key, "checkout/staging/1");
    let seen = &fake.seen()[0];
    assert_eq!(seen.line, "POST /prod/api/profile/checkout HTTP/1.1");
    assert_eq!(seen.body, profile);
    for (name, value) in [
        ("authorization", "Bearer s3cret"),
        ("x-gateway", "blue"),
        ("content-length", "200000"),
        ("content-type", "application/octet-stream"),
    ] {
        assert_eq!(seen.header(name), Some(value));
    }
    assert_eq!(seen.header("transfer-encoding"), None);
    assert!(seen.header("user-agent").is_some_and(|agent| agent.starts_with("autopgo/")));
    let key: uuid::Uuid = seen.header("idempotency-key").expect("a key").parse().expect("a UUID");
    assert_eq!(key.get_version_num(), 7);
    let moved = moved.lock().expect("moved");
    assert!(moved.is_sorted_by_key(|step| step.bytes));
    assert_eq!(moved.last(), Some(&Moved { bytes: 200_000, of: Some(200_000) }));
}

#[tokio::test]
async fn every_try_is_the_same_upload() {
    let script = vec![
        Reply::Bytes(json("503 Service Unavailable", r#"{"message":"busy","code":503}"#)),
        Reply::Reset,
        Reply::Bytes(answer("502 Bad Gateway", "Content-Type: text/html\r\n", b"<title>Bad Gateway</title>")),
        Reply::Bytes(answer("429 Too Many Requests", "Retry-After: 11\r\n", b"")),
        Reply::Bytes(answer("500 Internal Server Error", "", b"")),
        Reply::Bytes(answer("408 Request Timeout", "", b"")),
        Reply::Bytes(answer("504 Gateway Timeout", "", b"")),
        Reply::Bytes(created()),
    ];
    let tries = script.len();
    let fake = Fake::start(script).await;
    let (client, clock) = fake.client(Options::default());
    client.upload(&app(), Bytes::from_static(b"profile"), None).await.expect("uploaded in the end");
    let seen = fake.seen();
    assert_eq!(seen.len(), tries);
    assert!(seen.iter().all(|seen| seen.body == b"profile"));
    assert!(seen.iter().all(|try_| try_.header("idempotency-key") == seen[0].header("idempotency-key")));
    let pauses = clock.pauses();
    assert_eq!(pauses.len(), tries - 1);
    assert!(pauses[3] >= Duration::from_secs(11), "the server asked for 11 s: {pauses:?}");
}

#[tokio::test]
async fn another_upload_is_another_upload() {
    let fake = Fake::start(vec![Reply::Bytes(created()), Reply::Bytes(created())]).await;
    let (client, _) = fake.client(Options::default());
    for _ in 0..2 {
        client.upload(&app(), Bytes::from_static(b"profile"), None).await.expect("uploaded");
    }
    let seen = fake.seen();
    assert_ne!(seen[0].header("idempotency-key"), seen[1].header("idempotency-key"));
}

#[tokio::test]
async fn a_refusal_is_final_and_in_the_servers_words() {
    for (status, code, kind) in [
        ("400 Bad Request", 400, Kind::Invalid),
        ("401 Unauthorized", 401, Kind::Denied),
        ("403 Forbidden", 403, Kind::Denied),
    ] {
        let body = format!(r#"{{"message":"the profile is empty","code":{code}}}"#);
        let fake = Fake::start(vec![Reply::Bytes(json(status, &body))]).await;
        let (client, clock) = fake.client(Options::default());
        let error = client.upload(&app(), Bytes::new(), None).await.expect_err(status);
        assert_eq!(error.kind(), kind);
        assert!(
            error.what().starts_with("uploading the profile of checkout: the profile is empty"),
            "{error}"
        );
        assert_eq!((fake.seen().len(), clock.pauses().len()), (1, 0));
        assert_eq!(fake.seen()[0].header("content-length"), Some("0"));
    }
}

#[tokio::test]
async fn tries_end_with_the_callers_bound() {
    let down = || Reply::Bytes(answer("503 Service Unavailable", "Retry-After: 4\r\n", b""));
    let fake = Fake::start((0..20).map(|_| down()).collect()).await;
    let (client, clock) = fake.client(patient(10));
    let error = client.upload(&app(), Bytes::from_static(b"x"), None).await.expect_err("it is down");
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.what().contains("gave up after 3 tries in ") && error.what().contains("503"), "{error}");
    assert_eq!(fake.seen().len(), 3);
    assert!(clock.pauses().iter().sum::<Duration>() <= Duration::from_secs(10));
}

#[tokio::test]
async fn nobody_there_says_what_to_do() {
    // A port that was free a moment ago.
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let url = format!("http://127.0.0.1:{port}/prod");
    let error = Client::new(&url, patient(0))
        .expect("a client")
        .upload(&app(), Bytes::from_static(b"x"), None)
        .await
        .expect_err("nobody listens");
    assert_eq!(error.kind(), Kind::Unavailable);
    assert_eq!(
        error.chain(),
        format!(
            "uploading the profile of checkout: nothing answers at http://127.0.0.1:{port} (connection refused); \
             is the server running? set --api-url to where it is"
        )
    );
}

#[tokio::test]
async fn a_silent_server_is_left_and_a_slow_one_is_not() {
    let silence = Duration::from_millis(400);
    let options = || Options { timeout: silence, ..patient(0) };
    let fake = Fake::start(vec![Reply::Silence]).await;
    let error = fake
        .client(options())
        .0
        .upload(&app(), Bytes::from_static(b"x"), None)
        .await
        .expect_err("it is silent");
    assert!(error.what().contains("was silent for 400ms"), "{error}");

    // Far more than the limit in all, and never that long without a byte. Larger than what the kernel buffers.
    let slow = Fake::start(vec![no_tickets(), Reply::Slow(Duration::from_millis(8), created())]).await;
    let profile: Bytes = vec![1; 12 << 20].into();
    let start = std::time::Instant::now();
    slow.client(options()).0.upload(&app(), profile, None).await.expect("it moves");
    assert!(start.elapsed() > silence * 2, "not slow enough to prove anything: {:?}", start.elapsed());
}

#[tokio::test]
async fn an_answer_before_the_body_is_read_is_heard() {
    let too_large = json("413 Content Too Large", r#"{"message":"at most 32 MiB","code":413}"#);
    let fake = Fake::start(vec![no_tickets(), Reply::Early(too_large)]).await;
    let (client, _) = fake.client(patient(0));
    let error = client.upload(&app(), vec![1; 8 << 20], None).await.expect_err("too large");
    assert_eq!(error.kind(), Kind::TooLarge, "{}", error.chain());
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_a_profile_in_hand() {
    for status in ["301 Moved Permanently", "307 Temporary Redirect"] {
        let fake = Fake::start(vec![Reply::Bytes(answer(
            status,
            "Location: https://pgo.example.com/x?sig=s3cret\r\n",
            b"",
        ))])
        .await;
        let (client, _) = fake.client(patient(0));
        let error = client.upload(&app(), Bytes::from_static(b"x"), None).await.expect_err("redirected");
        assert!(error.what().contains("redirects to https://pgo.example.com/x,"), "{error}");
        assert!(!error.chain().contains("s3cret"));
    }
}

#[tokio::test]
async fn a_stranger_is_no_success() {
    let page = answer("200 OK", "Content-Type: text/html\r\n", b"<title>Sign in</title>");
    let fake = Fake::start(vec![Reply::Bytes(page)]).await;
    let error =
        fake.client(patient(0)).0.upload(&app(), Bytes::from_static(b"x"), None).await.expect_err("a page");
    assert!(error.what().contains("is not autopgo (text/html)"), "{error}");
}
