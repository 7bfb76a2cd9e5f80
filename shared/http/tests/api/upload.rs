//! Uploads that are right, in every way in which clients send them.

use autopgo_core::api::Uploaded;
use autopgo_core::clock::{Clock, System};

use crate::world::{World, fixture, post};

const PROFILE: &str = "profiles/hello-app/a-1.pprof";

#[tokio::test]
async fn an_upload_is_staged_as_it_came() {
    let world = World::new().await;
    let answer = world.post("/api/profile/hello", "", &fixture(PROFILE)).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let uploaded: Uploaded = serde_json::from_slice(&answer.body).expect("json");
    assert_eq!(world.keys().await, [uploaded.key.as_str()]);
    assert!(uploaded.key.starts_with("hello/staging/"), "{}", uploaded.key);
    assert_eq!(world.bytes(&uploaded.key).await, fixture(PROFILE));
}

#[tokio::test]
async fn a_chunked_upload_without_type_or_length_works() {
    let world = World::new().await;
    let mut client = world.connect().await;
    client.send("POST /api/profile/hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    for chunk in fixture(PROFILE).chunks(1000) {
        client.send([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat()).await;
    }
    client.send("0\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 201);
    assert_eq!(world.bytes(&world.keys().await[0]).await, fixture(PROFILE));
}

#[tokio::test]
async fn any_type_and_gzip_by_name_or_not_are_fine() {
    let world = World::new().await;
    let packed = fixture(PROFILE);
    let raw = unpack(&packed);
    for body in [&packed, &raw] {
        for headers in [
            "Content-Type: application/x-www-form-urlencoded\r\n",
            "Content-Type: nonsense;;\r\n",
            "Content-Encoding: gzip\r\n",
            "Content-Encoding: X-GZIP\r\nContent-Type: application/octet-stream\r\n",
            "Content-Encoding: identity\r\n",
        ] {
            let answer = world.post("/api/profile/hello", headers, body).await;
            assert_eq!(answer.status, 201, "{headers}: {}", answer.text());
        }
    }
    let keys = world.keys().await;
    assert_eq!(keys.len(), 10);
    for key in keys {
        // What came without gzip is packed: what is staged always has it.
        let staged = world.bytes(&key).await;
        assert!(staged == packed || !unpack(&staged).is_empty(), "{key}");
    }
}

#[tokio::test]
async fn an_encoding_that_nobody_undoes_is_refused_before_the_body() {
    let world = World::new().await;
    for encoding in ["br", "zstd", "gzip, gzip", "deflate"] {
        let head =
            "POST /api/profile/hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nContent-Encoding: ";
        world.ask(format!("{head}{encoding}\r\n\r\n")).await.is(415, "Content-Encoding");
    }
    assert_eq!(world.keys().await, [""; 0]);
}

#[tokio::test]
async fn a_retry_with_the_same_key_is_the_same_upload() {
    let world = World::new().await;
    let key = |time: jiff::Timestamp| {
        let millis = u64::try_from(time.as_millisecond()).expect("after 1970");
        let time = uuid::Timestamp::from_unix_time(millis / 1000, (millis % 1000) as u32 * 1_000_000, 0, 0);
        format!("Idempotency-Key: {}\r\n", uuid::Uuid::new_v7(time))
    };
    let now = key(System.now());
    let first = world.post("/api/profile/hello", &now, &fixture(PROFILE)).await;
    assert_eq!(first.status, 201, "{}", first.text());
    assert_eq!(world.post("/api/profile/hello", &now, &fixture(PROFILE)).await.text(), first.text());
    assert_eq!(world.keys().await.len(), 1);

    let old = key(System.now() - jiff::SignedDuration::from_mins(6));
    world.post("/api/profile/hello", &old, &fixture(PROFILE)).await.is(400, "5 minutes");
    for bad in ["Idempotency-Key: 1\r\n", "Idempotency-Key:\r\n", "Idempotency-Key: caf\u{e9}\r\n"] {
        world.post("/api/profile/hello", bad, &fixture(PROFILE)).await.is(400, "no UUID version 7");
    }
    assert_eq!(world.keys().await.len(), 1);
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on_or_not() {
    let limits = autopgo_core::limits::Limits { body_bytes: 30_000, ..Default::default() };
    let world = World::with(limits).await;
    let mut client = world.connect().await;
    let body = fixture(PROFILE);
    let whole = post("/api/profile/hello", "Expect: 100-continue\r\n", &body);
    let (head, body) = whole.split_at(whole.len() - body.len());
    client.send(head).await;
    assert_eq!(client.answer().await.status, 100);
    client.send(body).await;
    assert_eq!(client.answer().await.status, 201);

    let mut client = world.connect().await;
    client.send("POST /api/profile/hello HTTP/1.1\r\nHost: x\r\nContent-Length: 30001\r\nExpect: 100-continue\r\n\r\n").await;
    client.answer().await.is(413, "30000 bytes");
}

#[tokio::test]
async fn a_profile_deleted_is_gone_and_one_that_never_was_is_not_found() {
    let world = World::new().await;
    let delete = "DELETE /api/profile/hello HTTP/1.1\r\nHost: x\r\n\r\n";
    world.ask(delete).await.is(404, "hello");
    assert_eq!(world.post("/api/profile/hello", "", &fixture(PROFILE)).await.status, 201);
    let answer = world.ask(delete).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    world.get("/api/profile/hello").await.is(404, "hello");
    world.ask(delete).await.is(404, "hello");
}

fn unpack(bytes: &[u8]) -> Vec<u8> {
    let mut raw = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(bytes), &mut raw).expect("gzip");
    raw
}
