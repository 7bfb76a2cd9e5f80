//! Stopping: what is in hand ends, what is at rest is closed, what hangs is cut off.

use std::sync::Arc;
use std::time::Duration;

use autopgo_core::clock::System;
use autopgo_core::limits::Limits;
use autopgo_core::memory::blobs::MemoryBlobs;
use autopgo_http::process::{health, listen};
use axum::Router;
use axum::routing::{get, post};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::world::{PATIENCE, World};

/// A router with a request that ends when it is told to.
async fn world(grace: Duration) -> (World, Arc<Notify>, Arc<Notify>) {
    let (begun, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (its_begun, its_end) = (Arc::clone(&begun), Arc::clone(&end));
    let slow = move |body: String| async move {
        its_begun.notify_one();
        its_end.notified().await;
        format!("took {}", body.len())
    };
    let router = Router::new().route("/slow", post(slow)).merge(health::router(Default::default()));
    let blobs = Arc::new(MemoryBlobs::new(Arc::new(System)));
    (World::of(router, blobs, Limits::default(), grace).await, begun, end)
}

#[tokio::test]
async fn a_request_in_hand_is_answered_and_the_rest_closed() {
    let (world, begun, end) = world(PATIENCE).await;
    let mut resting = world.connect().await;
    resting.send("GET /api/ready HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(resting.answer().await.status, 200);
    let silent = world.connect().await;
    let mut busy = world.connect().await;
    busy.send("POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello").await;
    timeout(PATIENCE, begun.notified()).await.expect("it begins");

    world.stop.cancel();
    assert_eq!(resting.rest().await, b"");
    assert_eq!(silent.rest().await, b"");
    let refused = TcpStream::connect(("127.0.0.1", world.port)).await;
    assert!(refused.is_err(), "nobody listens any more");
    assert!(!world.running.is_finished());

    end.notify_one();
    let answer = busy.answer().await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "took 5"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(busy.rest().await, b"");
    timeout(PATIENCE, world.running).await.expect("it ends").expect("no panic");
}

#[tokio::test]
async fn a_request_that_hangs_is_cut_off_after_the_grace() {
    let (world, begun, _end) = world(Duration::from_millis(200)).await;
    let mut busy = world.connect().await;
    busy.send("POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello").await;
    timeout(PATIENCE, begun.notified()).await.expect("it begins");
    let start = Instant::now();
    world.stop.cancel();
    timeout(PATIENCE, world.running).await.expect("it ends").expect("no panic");
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert_eq!(busy.rest().await, b"");
}

#[tokio::test]
async fn a_port_that_is_taken_says_so() {
    let first = listen::bind(([127, 0, 0, 1], 0).into()).await.expect("any port");
    let port = first.local_addr().expect("bound").port();
    let error = listen::bind(([127, 0, 0, 1], port).into()).await.expect_err("it is taken");
    let text = error.what();
    assert!(text.contains(&format!("port {port} of 127.0.0.1")) && text.contains("--port"), "{text}");
    let error = listen::bind(([203, 0, 113, 1], 0).into()).await.expect_err("a documentation address");
    assert!(error.what().contains("does not have that address"), "{error}");
}

#[tokio::test]
async fn a_router_of_a_host_is_served_too() {
    let (world, ..) = world(PATIENCE).await;
    assert_eq!(world.get("/slow").await.status, 405);
    let plain = Router::new().route("/", get(|| async { "hello" }));
    let blobs = Arc::new(MemoryBlobs::new(Arc::new(System)));
    let world = World::of(plain, blobs, Limits::default(), PATIENCE).await;
    assert_eq!(world.get("/").await.text(), "hello");
}
