//! Uploads with a ticket: asked for above a size and after a 413, put with what the ticket says and nothing else, and
//! left alone where there are none.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use autopgo_client::{Headers, Identity, Moved, Options, Progress};
use autopgo_core::app::App;
use autopgo_core::error::Kind;
use bytes::Bytes;

use crate::fake::{Fake, Reply, Seen, answer, json, patient};

const LARGE: usize = (4 << 20) + 1;
const ID: &str = "1730075435311000000-0a1b2c3d";

fn app() -> App {
    App::parse("checkout").expect("a name")
}

fn large() -> Bytes {
    vec![7; LARGE].into()
}

fn ticket(url: &str) -> Reply {
    let body = format!(
        r#"{{"id":"{ID}","url":"{url}","method":"PUT","headers":{{"x-ms-blob-type":"BlockBlob"}},
            "key":"checkout/incoming/{ID}","expires":"2024-10-28T12:16:34Z"}}"#
    );
    Reply::Bytes(json("200 OK", &body))
}

fn created() -> Reply {
    Reply::Bytes(json("201 Created", r#"{"key":"checkout/staging/1"}"#))
}

fn refusal(status: &str, message: &str) -> Reply {
    let code = &status[..3];
    Reply::Bytes(json(status, &format!(r#"{{"message":"{message}","code":{code}}}"#)))
}

fn stored() -> Reply {
    Reply::Bytes(answer("200 OK", "", b""))
}

fn secret() -> Options {
    let mut headers = Headers::default();
    headers.add("X-Gateway: s3cret").expect("a header");
    Options { identity: Identity::bearer("s3cret").expect("a token"), headers, ..patient(0) }
}

fn lines(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|seen| seen.line.strip_suffix(" HTTP/1.1").expect("HTTP")).collect()
}

const ASK: &str = "POST /api/profile/checkout/uploads";
const COMPLETE: &str = "POST /api/profile/checkout/uploads/1730075435311000000-0a1b2c3d";
const PLAIN: &str = "POST /api/profile/checkout";

#[tokio::test]
async fn a_large_profile_goes_to_the_store_without_our_secrets() {
    let store = Fake::start(vec![stored()]).await;
    let fake = Fake::start(vec![ticket(&format!("{}/bucket/k?sig=abc", store.url)), created()]).await;
    let (client, _) = fake.client(secret());
    let moved = Arc::new(Mutex::new(Vec::new()));
    let progress: Progress = {
        let moved = Arc::clone(&moved);
        Arc::new(move |step| moved.lock().expect("moved").push(step))
    };
    let uploaded = client.upload(&app(), large(), Some(progress)).await.expect("uploaded");
    assert_eq!(uploaded.key, "checkout/staging/1");
    let seen = fake.seen();
    assert_eq!(lines(&seen), [ASK, COMPLETE]);
    assert_eq!(seen[0].body, format!("{{\"size\":{LARGE}}}").as_bytes());
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    let key: uuid::Uuid = seen[0].header("idempotency-key").expect("a key").parse().expect("a UUID");
    assert_eq!(key.get_version_num(), 7);
    assert!(seen.iter().all(|seen| seen.header("authorization") == Some("Bearer s3cret")));
    assert!(seen.iter().all(|seen| seen.header("x-gateway") == Some("s3cret")));

    let put = &store.seen()[0];
    assert_eq!(put.line, "PUT /bucket/k?sig=abc HTTP/1.1");
    assert!(put.body == large(), "{} bytes", put.body.len());
    let mut names: Vec<_> = put.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "content-length", "host", "user-agent", "x-ms-blob-type"]);
    assert_eq!(put.header("content-length"), Some(LARGE.to_string().as_str()));
    let moved = moved.lock().expect("moved");
    assert!(moved.len() > 60 && moved.is_sorted_by_key(|step| step.bytes));
    assert_eq!(moved.last(), Some(&Moved { bytes: LARGE as u64, of: Some(LARGE as u64) }));
}

#[tokio::test]
async fn a_url_without_a_host_is_the_apis_own() {
    let fake = Fake::start(vec![ticket("../../objects/k?sig=abc"), stored(), created()]).await;
    let client = autopgo_client::Client::new(&format!("{}/prod", fake.url), secret());
    client.expect("a client").upload(&app(), large(), None).await.expect("uploaded");
    let seen = fake.seen();
    assert_eq!(seen[1].line, "PUT /prod/api/objects/k?sig=abc HTTP/1.1");
    assert_eq!(seen[1].header("x-gateway"), Some("s3cret"));
    assert_eq!(seen[1].header("x-ms-blob-type"), Some("BlockBlob"));

    // One that leaves out no more than the scheme names a host.
    let store = Fake::start(vec![stored()]).await;
    let other = store.url.strip_prefix("http:").expect("plain").to_owned();
    let fake = Fake::start(vec![ticket(&format!("{other}/k")), created()]).await;
    let (client, _) = fake.client(secret());
    client.upload(&app(), large(), None).await.expect("uploaded");
    assert!(!format!("{:?}", store.seen()[0].headers).contains("s3cret"));
}

#[tokio::test]
async fn up_to_the_size_it_is_a_plain_upload() {
    let fake = Fake::start(vec![created()]).await;
    let (client, _) = fake.client(patient(0));
    client.upload(&app(), large().slice(1..), None).await.expect("uploaded");
    assert_eq!(lines(&fake.seen()), [PLAIN]);
}

#[tokio::test]
async fn a_413_leads_to_a_ticket_of_the_same_upload() {
    let foreign = || Reply::Early(json("413 Content Too Large", r#"{"message":"Request Too Long"}"#));
    let store = Fake::start(vec![stored()]).await;
    let fake = Fake::start(vec![foreign(), ticket(&format!("{}/k", store.url)), created()]).await;
    let (client, _) = fake.client(patient(0));
    client.upload(&app(), Bytes::from_static(b"profile"), None).await.expect("uploaded");
    let seen = fake.seen();
    assert_eq!(lines(&seen), [PLAIN, ASK, COMPLETE]);
    assert!(seen[0].header("idempotency-key").is_some());
    assert_eq!(seen[0].header("idempotency-key"), seen[1].header("idempotency-key"));
    assert_eq!(&store.seen()[0].body[..], b"profile");

    // Where there are no tickets, and where they do not reach that far, there is no more to try.
    for (second, says) in [
        (refusal("501 Not Implemented", "signs nothing"), "Request Too Long"),
        (refusal("413 Content Too Large", "at most 64 MiB"), "at most 64 MiB"),
    ] {
        let fake = Fake::start(vec![foreign(), second]).await;
        let (client, _) = fake.client(patient(9));
        let error = client.upload(&app(), Bytes::from_static(b"profile"), None).await.expect_err("too large");
        assert_eq!(error.kind(), Kind::TooLarge);
        assert!(error.what().starts_with("uploading the profile of checkout: "), "{error}");
        assert!(error.what().contains(says), "{error}");
        assert_eq!(lines(&fake.seen()), [PLAIN, ASK]);
    }
}

#[tokio::test]
async fn a_411_leads_to_a_ticket_too() {
    let lost = || refusal("411 Length Required", "no profile came with this upload");
    let store = Fake::start(vec![stored()]).await;
    let fake = Fake::start(vec![lost(), ticket(&format!("{}/k", store.url)), created()]).await;
    let (client, _) = fake.client(patient(0));
    client.upload(&app(), Bytes::from_static(b"profile"), None).await.expect("uploaded");
    let seen = fake.seen();
    assert_eq!(lines(&seen), [PLAIN, ASK, COMPLETE]);
    assert_eq!(seen[0].header("idempotency-key"), seen[1].header("idempotency-key"));
    assert_eq!(&store.seen()[0].body[..], b"profile");

    let fake = Fake::start(vec![lost(), refusal("501 Not Implemented", "signs nothing")]).await;
    let (client, _) = fake.client(patient(9));
    let error = client.upload(&app(), Bytes::from_static(b"profile"), None).await.expect_err("lost");
    assert!(error.what().contains("no profile came"), "{error}");
}

#[tokio::test]
async fn a_server_without_tickets_is_sent_the_profile_itself() {
    for none in [
        refusal("501 Not Implemented", "the store signs nothing"),
        Reply::Bytes(answer("404 Not Found", "Content-Type: text/plain\r\n", b"404 page not found")),
        Reply::Bytes(answer("405 Method Not Allowed", "", b"")),
    ] {
        let fake = Fake::start(vec![none, created()]).await;
        let (client, clock) = fake.client(patient(9));
        client.upload(&app(), large(), None).await.expect("uploaded");
        let seen = fake.seen();
        assert_eq!(lines(&seen), [ASK, PLAIN]);
        assert!(seen[1].body == large());
        assert_eq!(seen[0].header("idempotency-key"), seen[1].header("idempotency-key"));
        assert!(clock.pauses().is_empty());
    }
    // That it is too large for a ticket is final.
    let fake = Fake::start(vec![refusal("413 Content Too Large", "at most 1 MiB")]).await;
    let error = fake.client(patient(9)).0.upload(&app(), large(), None).await.expect_err("too large");
    assert_eq!((error.kind(), fake.seen().len()), (Kind::TooLarge, 1));
}

#[tokio::test]
async fn every_step_is_tried_again() {
    let busy = || refusal("503 Service Unavailable", "busy");
    let store = Fake::start(vec![
        Reply::Reset,
        Reply::Bytes(answer("500 Internal Server Error", "", b"")),
        Reply::Bytes(answer("201 Created", "", b"")),
    ])
    .await;
    let url = format!("{}/k", store.url);
    let fake = Fake::start(vec![Reply::Reset, busy(), ticket(&url), Reply::Reset, busy(), created()]).await;
    let (client, clock) = fake.client(Options::default());
    client.upload(&app(), large(), None).await.expect("uploaded in the end");
    let seen = fake.seen();
    assert_eq!(lines(&seen), [ASK, ASK, ASK, COMPLETE, COMPLETE, COMPLETE]);
    assert!(seen[..3].iter().all(|ask| ask.header("idempotency-key") == seen[0].header("idempotency-key")));
    let puts = store.seen();
    assert_eq!(puts.len(), 3);
    assert!(puts.iter().all(|put| put.body == large()));
    assert_eq!(clock.pauses().len(), 6);
}

#[tokio::test]
async fn a_ticket_that_the_store_knows_no_more_is_renewed_once() {
    let denied = || {
        let body = b"<Error><Code>ExpiredToken</Code><Message>s3cret</Message></Error>";
        Reply::Bytes(answer("403 Forbidden", "Content-Type: application/xml\r\n", body))
    };
    let store = Fake::start(vec![denied(), stored()]).await;
    let url = format!("{}/k", store.url);
    let fake = Fake::start(vec![ticket(&url), ticket(&url), created()]).await;
    fake.client(patient(0)).0.upload(&app(), large(), None).await.expect("uploaded");
    let seen = fake.seen();
    assert_eq!(lines(&seen), [ASK, ASK, COMPLETE]);
    assert_eq!(seen[0].header("idempotency-key"), seen[1].header("idempotency-key"));

    let store = Fake::start(vec![denied(), denied()]).await;
    let url = format!("{}/k?sig=s3cret", store.url);
    let fake = Fake::start(vec![ticket(&url), ticket(&url)]).await;
    let error = fake.client(patient(9)).0.upload(&app(), large(), None).await.expect_err("denied");
    assert_eq!(error.kind(), Kind::Denied);
    let says =
        format!("uploading the profile of checkout: {}/k answered 403 Forbidden (ExpiredToken)", store.url);
    assert_eq!(error.chain(), says);
}

#[tokio::test]
async fn what_the_server_says_at_the_end_is_the_answer() {
    for (status, kind) in [
        ("400 Bad Request", Kind::Invalid),
        ("404 Not Found", Kind::NotFound),
        ("413 Content Too Large", Kind::TooLarge),
    ] {
        let store = Fake::start(vec![stored()]).await;
        let script = vec![ticket(&format!("{}/k", store.url)), refusal(status, "no CPU profile")];
        let fake = Fake::start(script).await;
        let (client, clock) = fake.client(patient(9));
        let error = client.upload(&app(), large(), None).await.expect_err("refused");
        assert_eq!(error.kind(), kind);
        assert!(error.what().starts_with("uploading the profile of checkout: no CPU profile"), "{error}");
        assert_eq!((lines(&fake.seen()), clock.pauses().len()), (vec![ASK, COMPLETE], 0));
    }
}

#[tokio::test]
async fn a_store_out_of_reach_is_named() {
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let fake = Fake::start(vec![ticket(&format!("http://127.0.0.1:{port}/k?sig=s3cret"))]).await;
    let options = Options { timeout: Duration::from_secs(5), ..patient(0) };
    let error = fake.client(options).0.upload(&app(), large(), None).await.expect_err("nobody listens");
    assert_eq!(error.kind(), Kind::Unavailable);
    let says = format!(
        "nothing answers at http://127.0.0.1:{port} (connection refused); the server names this store"
    );
    assert!(error.what().contains(&says), "{error}");
    assert!(!error.chain().contains("s3cret"));
}

#[tokio::test]
async fn a_ticket_that_is_none_is_not_used() {
    let good = format!(
        r#""id":"{ID}","url":"http://h/k","method":"PUT","headers":{{}},"key":"k","expires":"2024-10-28T12:16:34Z""#
    );
    for (from, to, says) in [
        (ID, "../../other", "without an id"),
        ("PUT", "DELETE", "that is not for a PUT"),
        ("http://h/k", "file:///etc/passwd", "to what is no web address"),
        ("http://h/k", "http://", "to what is no URL"),
        ("{}", "{\"a b\":\"c\"}", "with a header that is none"),
        ("{}", "{\"a\":\"b\\nc\"}", "with a header that is none"),
        ("\"key\":\"k\",", "", "is not autopgo"),
    ] {
        let body = format!("{{{}}}", good.replace(from, to));
        let fake = Fake::start(vec![Reply::Bytes(json("200 OK", &body))]).await;
        let error = fake.client(patient(9)).0.upload(&app(), large(), None).await.expect_err(says);
        assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{says}: {error}");
        assert_eq!(fake.seen().len(), 1);
    }
}
