//! Clients that are slow, rude or strange at the level of bytes.

use std::time::Duration;

use autopgo_core::limits::Limits;
use tokio::time::Instant;

use crate::world::{World, fixture, post};

const PROFILE: &str = "profiles/hello-app/a-1.pprof";
const READY: &str = "GET /api/ready HTTP/1.1\r\nHost: x\r\n\r\n";

fn hasty() -> Limits {
    Limits {
        header_timeout: Duration::from_millis(300),
        idle_timeout: Duration::from_millis(600),
        ..Limits::default()
    }
}

#[tokio::test]
async fn a_head_that_trickles_is_cut_off() {
    let world = World::with(hasty()).await;
    let start = Instant::now();
    let mut client = world.connect().await;
    for byte in READY.bytes().cycle().skip(1).take(20) {
        client.send([byte]).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert_eq!(client.rest().await, b"", "nothing was asked, so nothing is answered");
    assert!(start.elapsed() >= Duration::from_millis(300), "{:?}", start.elapsed());

    let silent = world.connect().await;
    assert_eq!(silent.rest().await, b"");
    assert_eq!(world.get("/api/ready").await.status, 200);
}

#[tokio::test]
async fn a_body_that_stalls_is_given_up() {
    let world = World::with(hasty()).await;
    let whole = post("/api/profile/hello", "", &fixture(PROFILE));
    let mut client = world.connect().await;
    client.send(&whole[..whole.len() / 2]).await;
    client.answer().await.is(408, "in time");
    assert_eq!(world.keys().await, [""; 0]);
}

#[tokio::test]
async fn a_client_that_hangs_up_half_way_leaves_nothing() {
    let world = World::new().await;
    let body = fixture(PROFILE);
    let whole = post("/api/profile/hello", "", &body);
    let chunked =
        "POST /api/profile/hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nabc";
    for part in [&whole[..20], &whole[..whole.len() / 2], &whole[..whole.len() - 1], chunked.as_bytes()] {
        let mut client = world.connect().await;
        client.send(part).await;
        drop(client);
    }
    assert_eq!(world.ask(&whole).await.status, 201);
    assert_eq!(world.keys().await.len(), 1);
}

#[tokio::test]
async fn malformed_chunks_are_refused() {
    let world = World::new().await;
    let head = "POST /api/profile/hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for chunks in ["zz\r\n", "fffffffffffffffff\r\n", "3\r\nabcd\r\n"] {
        world.ask(format!("{head}{chunks}")).await.is(400, "chunks are malformed");
    }
}

#[tokio::test]
async fn heads_that_are_too_large_or_no_http_are_refused_by_the_wire() {
    let world = World::new().await;
    let many = (0..200).map(|i| format!("X-{i}: 1\r\n")).collect::<String>();
    let large = format!("X: {}\r\n", "x".repeat(100_000));
    let smuggled = "Content-Length: 5\r\nContent-Length: 6\r\n";
    for (head, status) in [
        (format!("GET /api/ready HTTP/1.1\r\nHost: x\r\n{many}\r\n"), 431),
        (format!("GET /api/ready HTTP/1.1\r\nHost: x\r\n{large}\r\n"), 431),
        (format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(100_000)), 431),
        (format!("POST /api/profile/a HTTP/1.1\r\nHost: x\r\n{smuggled}\r\n"), 400),
        ("GET /api/ready HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n".to_owned(), 400),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\u{3}\r\n\r\n".to_owned(), 400),
        ("GET /api/ready HTTP/9.9\r\n\r\n".to_owned(), 400),
    ] {
        let answer = world.ask(&head).await;
        assert_eq!(answer.status, status, "{}", &head[..head.len().min(80)]);
    }
    world.ask("CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n").await.is(404, "nothing at this path");
    world.ask("GET http://x/nowhere HTTP/1.1\r\nHost: x\r\n\r\n").await.is(404, "nothing at this path");
    assert_eq!(world.get("/api/ready").await.status, 200);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let world = World::new().await;
    let upload = post("/api/profile/hello", "", &fixture(PROFILE));
    let mut client = world.connect().await;
    client
        .send(
            [READY.as_bytes(), &upload, b"GET /api/profile HTTP/1.1\r\nHost: x\r\n\r\n", READY.as_bytes()]
                .concat(),
        )
        .await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(client.answer().await.status);
    }
    assert_eq!(statuses, [200, 201, 200, 200]);
}

#[tokio::test]
async fn an_old_client_gets_its_answer_and_the_end() {
    let world = World::new().await;
    let mut client = world.connect().await;
    client.send("GET /api/ready HTTP/1.0\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(client.rest().await, b"");
}
