//! Too much at once: bodies over the limit, more requests than there is room for, stores that do not answer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::clock::System;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::limits::Limits;
use autopgo_core::memory::blobs::MemoryBlobs;
use autopgo_core::port::blobs::{Blobs, Entry, Object, Signed, Stat, Version, When};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use tokio::sync::Semaphore;

use crate::world::{World, fixture, until};

const PROFILE: &str = "profiles/hello-app/a-1.pprof";

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_a_length_and_without() {
    let world = World::with(Limits { body_bytes: 1 << 20, ..Limits::default() }).await;
    let mut client = world.connect().await;
    client.send("POST /api/profile/hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n").await;
    let answer = client.answer().await;
    answer.is(413, "1048576 bytes");
    assert_eq!(answer.header("connection"), Some("close"), "the body was not read");

    // The client sends all of it before it reads, and still gets to see the answer.
    for head in ["Content-Length: 16777216\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n1000000\r\n"] {
        let mut client = world.connect().await;
        client.send(format!("POST /api/profile/hello HTTP/1.1\r\nHost: x\r\n{head}")).await;
        assert!(client.send(vec![0; 16 << 20]).await, "{head}");
        client.answer().await.is(413, "1048576 bytes");
    }
    let huge =
        format!("POST /api/profile/hello HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", u64::MAX - 2);
    world.ask(huge).await.is(413, "1048576 bytes");
    assert_eq!(world.keys().await, [""; 0]);
}

#[tokio::test]
async fn the_129th_request_is_turned_away_and_health_is_not() {
    let (blobs, gate) = Slow::gated();
    let world = World::over(blobs, Limits::default()).await;
    world.put_base("hello", fixture(PROFILE)).await;
    let mut clients = Vec::new();
    for _ in 0..Limits::default().requests {
        let mut client = world.connect().await;
        client.send("GET /api/profile/hello HTTP/1.1\r\nHost: x\r\n\r\n").await;
        clients.push(client);
    }
    until(|| gate.waiting() == Limits::default().requests).await;
    for _ in 0..3 {
        let answer = world.get("/api/profile/hello").await;
        answer.is(503, "too many requests");
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(world.get("/api/health").await.status, 200);
        assert_eq!(world.get("/api/ready").await.status, 200);
    }
    gate.open();
    for mut client in clients {
        assert_eq!(client.answer().await.status, 200);
    }
    assert_eq!(world.get("/api/profile/hello").await.status, 200);
}

#[tokio::test]
async fn a_client_that_leaves_gives_its_place_back() {
    let (blobs, gate) = Slow::gated();
    let world = World::over(blobs, Limits { requests: 1, ..Limits::default() }).await;
    world.put_base("hello", fixture(PROFILE)).await;
    let mut client = world.connect().await;
    client.send("GET /api/profile/hello HTTP/1.1\r\nHost: x\r\n\r\n").await;
    until(|| gate.waiting() == 1).await;
    world.get("/api/profile/hello").await.is(503, "too many");
    drop(client);
    until(|| gate.waiting() == 0).await;
    gate.open();
    assert_eq!(world.get("/api/profile/hello").await.status, 200);
}

#[tokio::test]
async fn a_store_that_fails_is_a_503_and_its_words_stay_inside() {
    let world = World::over(Arc::new(Broken(Kind::Unavailable)), Limits::default()).await;
    let answer = world.post("/api/profile/hello", "", &fixture(PROFILE)).await;
    answer.is(503, "try again");
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert!(!answer.text().contains("disk"), "{}", answer.text());
    world.get("/api/profile").await.is(503, "try again");
    assert_eq!(world.get("/api/health").await.status, 503);
    let world = World::over(Arc::new(Broken(Kind::Denied)), Limits::default()).await;
    world.get("/api/profile/hello").await.is(502, "refused");
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_next_request_is_answered() {
    let blobs = Arc::new(Broken(Kind::Unavailable));
    let world = World::over(blobs, Limits { requests: 1, ..Limits::default() }).await;
    let mut client = world.connect().await;
    for (app, status) in [("panic", 500), ("other", 503), ("panic", 500), ("other", 503)] {
        client.send(format!("DELETE /api/profile/{app} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        client.answer().await.is(status, "server");
    }
}

/// A store whose reads wait at a gate.
struct Slow {
    inner: MemoryBlobs,
    gate: Arc<Gate>,
}

struct Gate {
    open: Semaphore,
    waiting: std::sync::atomic::AtomicUsize,
}

impl Gate {
    fn waiting(&self) -> usize {
        self.waiting.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn open(&self) {
        self.open.close();
    }
}

impl Slow {
    fn gated() -> (Arc<dyn Blobs>, Arc<Gate>) {
        let gate = Arc::new(Gate { open: Semaphore::new(0), waiting: Default::default() });
        (Arc::new(Self { inner: MemoryBlobs::new(Arc::new(System)), gate: Arc::clone(&gate) }), gate)
    }
}

#[async_trait]
impl Blobs for Slow {
    async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        struct Waiting<'a>(&'a Gate);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.waiting.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
            }
        }
        self.gate.waiting.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let waiting = Waiting(&self.gate);
        let _ = self.gate.open.acquire().await;
        drop(waiting);
        self.inner.read(key, limit).await
    }
    async fn stat(&self, key: &str) -> Result<Option<Stat>> {
        self.inner.stat(key).await
    }
    async fn write(&self, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        self.inner.write(key, bytes, when).await
    }
    async fn copy(&self, from: &str, to: &str) -> Result<bool> {
        self.inner.copy(from, to).await
    }
    async fn delete(&self, key: &str) -> Result<()> {
        self.inner.delete(key).await
    }
    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'_, Result<Entry>> {
        self.inner.list(prefix, after)
    }
    async fn sign_put(&self, _: &str, _: u64, _: Duration) -> Result<Option<Signed>> {
        Ok(None)
    }

    async fn sign_get(&self, _: &str, _: Duration) -> Result<Option<Signed>> {
        Ok(None)
    }

    async fn check(&self) -> Result<()> {
        self.inner.check().await
    }
}

/// A store that fails at everything, by panicking where `panic` is in the key.
struct Broken(Kind);

impl Broken {
    fn fail(&self, key: &str) -> Error {
        assert!(!key.contains("panic"), "as asked");
        Error::new(self.0, "the disk of 10.0.0.7 is full")
    }
}

#[async_trait]
impl Blobs for Broken {
    async fn read(&self, key: &str, _: u64) -> Result<Option<Object>> {
        Err(self.fail(key))
    }
    async fn stat(&self, key: &str) -> Result<Option<Stat>> {
        Err(self.fail(key))
    }
    async fn write(&self, key: &str, _: Bytes, _: When) -> Result<Version> {
        Err(self.fail(key))
    }
    async fn copy(&self, from: &str, _: &str) -> Result<bool> {
        Err(self.fail(from))
    }
    async fn delete(&self, key: &str) -> Result<()> {
        Err(self.fail(key))
    }
    fn list(&self, prefix: &str, _: Option<&str>) -> BoxStream<'_, Result<Entry>> {
        let error = self.fail(prefix);
        Box::pin(futures_util::stream::iter([Err(error)]))
    }
    async fn sign_put(&self, _: &str, _: u64, _: Duration) -> Result<Option<Signed>> {
        Ok(None)
    }

    async fn sign_get(&self, _: &str, _: Duration) -> Result<Option<Signed>> {
        Ok(None)
    }

    async fn check(&self) -> Result<()> {
        Err(self.fail("check"))
    }
}
