//! A server on a port of its own, and a client that sends exactly the bytes it is given.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::clock::{Clock, System};
use autopgo_core::error::Result;
use autopgo_core::health::{BlobCheck, Check, Checks};
use autopgo_core::host::Host;
use autopgo_core::limits::Limits;
use autopgo_core::memory::blobs::MemoryBlobs;
use autopgo_core::memory::bus::{ACK_DEADLINE, MemoryBus};
use autopgo_core::port::blobs::{Blobs, When};
use autopgo_core::port::cpu::Threads;
use autopgo_core::server::Server;
use autopgo_http::process::listen;
use autopgo_http::{Access, Api, Objects};
use axum::Router;
use bytes::Bytes;
use futures_util::TryStreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// No step of a test takes this long unless something hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub(crate) struct World {
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) port: u16,
    pub(crate) stop: CancellationToken,
    pub(crate) running: JoinHandle<()>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let blobs: Arc<dyn Blobs> = Arc::new(MemoryBlobs::new(Arc::new(System)));
        Self::over(blobs, limits).await
    }

    pub(crate) async fn over(blobs: Arc<dyn Blobs>, limits: Limits) -> Self {
        let server = server(Arc::clone(&blobs), limits.clone());
        let checks = Checks::default().with("blob", Arc::new(BlobCheck(Arc::clone(&blobs))));
        let router = Api::new(server, checks, Access::open()).router();
        Self::of(router, blobs, limits, Duration::from_secs(10)).await
    }

    /// One that is its own store, over memory.
    pub(crate) async fn with_objects(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self::behind(Access::open(), Checks::default(), limits, clock).await
    }

    /// The same for those whom `access` lets in.
    pub(crate) async fn behind(
        access: Access,
        checks: Checks,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let objects = Objects::over(Arc::new(MemoryBlobs::new(Arc::clone(&clock))), Arc::clone(&clock));
        let blobs: Arc<dyn Blobs> = Arc::new(objects.clone());
        let bus = Arc::new(MemoryBus::new(Arc::clone(&clock), ACK_DEADLINE));
        let host = Host::new(Arc::clone(&blobs), bus, clock, Arc::new(Threads::per_core()), limits.clone());
        let router = Api::new(Server::new(host), checks, access).objects(objects).router();
        Self::of(router, blobs, limits, Duration::from_secs(10)).await
    }

    pub(crate) async fn of(router: Router, blobs: Arc<dyn Blobs>, limits: Limits, grace: Duration) -> Self {
        let listener = listen::bind(([127, 0, 0, 1], 0).into()).await.expect("any port");
        let port = listener.local_addr().expect("bound").port();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let running =
            tokio::spawn(async move { listen::run(listener, router, &limits, stopped, grace).await });
        Self { blobs, port, stop, running }
    }

    pub(crate) async fn connect(&self) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("it listens");
        Client { stream, read: Vec::new() }
    }

    /// One request over one connection.
    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut client = self.connect().await;
        client.send(request).await;
        client.answer().await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &str, body: &[u8]) -> Answer {
        self.ask(post(path, headers, body)).await
    }

    /// Puts a base profile where the worker would.
    pub(crate) async fn put_base(&self, app: &str, bytes: Vec<u8>) {
        self.blobs.write(&format!("{app}/default.pgo"), bytes.into(), When::Always).await.expect("memory");
    }

    pub(crate) async fn keys(&self) -> Vec<String> {
        self.blobs.list("", None).map_ok(|entry| entry.key).try_collect().await.expect("memory")
    }

    pub(crate) async fn bytes(&self, key: &str) -> Bytes {
        self.blobs.read(key, u64::MAX).await.expect("memory").expect("it is there").bytes
    }
}

pub(crate) fn server(blobs: Arc<dyn Blobs>, limits: Limits) -> Server {
    let clock = Arc::new(System);
    let bus = Arc::new(MemoryBus::new(clock.clone(), ACK_DEADLINE));
    Server::new(Host::new(blobs, bus, clock, Arc::new(Threads::per_core()), limits))
}

/// A `POST` with its length.
pub(crate) fn post(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A file of `tests/fixtures`.
pub(crate) fn fixture(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A connection.
pub(crate) struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    /// Sends bytes, or as many as the server takes before it closes: what counts is its answer. Whether it took all.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        timeout(PATIENCE, self.stream.write_all(bytes.as_ref()))
            .await
            .expect("the server stopped reading")
            .is_ok()
    }

    /// The next answer. Its body goes by `Content-Length`, and a chunked one is not expected of this server.
    pub(crate) async fn answer(&mut self) -> Answer {
        self.answer_to("GET").await
    }

    /// The same for an answer to `HEAD`, which has no body.
    pub(crate) async fn answer_to(&mut self, method: &str) -> Answer {
        let end = loop {
            match self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break end,
                None => assert!(
                    self.more().await,
                    "closed within a head: {:?}",
                    String::from_utf8_lossy(&self.read)
                ),
            }
        };
        let head = String::from_utf8(self.read.drain(..end + 4).collect()).expect("a head is text");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
        let status = status.parse().expect("a status");
        let header =
            |line: &str| line.split_once(": ").map(|(k, v)| (k.to_owned(), v.to_owned())).expect("a header");
        let mut answer = Answer { status, headers: lines.map(header).collect(), body: Vec::new() };
        let bodiless = method == "HEAD" || status == 304 || status < 200;
        let length = if bodiless {
            0
        } else {
            answer.header("content-length").map_or(0, |n| n.parse().expect("a length"))
        };
        while self.read.len() < length {
            assert!(self.more().await, "closed after {} of {length} bytes", self.read.len());
        }
        answer.body = self.read.drain(..length).collect();
        answer
    }

    /// Whether more came before the end.
    async fn more(&mut self) -> bool {
        let read =
            timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await.expect("the server says nothing");
        read.unwrap_or(0) > 0
    }

    /// Waits for the server to close, and gives what came before that.
    pub(crate) async fn rest(mut self) -> Vec<u8> {
        while self.more().await {}
        self.read
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The message of an error, after a look at its form.
    pub(crate) fn message(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        assert!(self.header("x-request-id").is_some(), "{self:?}");
        let failure: autopgo_core::api::Failure =
            serde_json::from_slice(&self.body).expect("json of a failure");
        assert_eq!(failure.code, self.status);
        failure.message
    }

    /// Checks that this is an error with `status` whose message has `says` in it.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, says: &str) {
        assert_eq!(self.status, status, "{}", self.text());
        assert!(self.message().contains(says), "{} does not say {says:?}", self.text());
    }
}

/// Polls `what` until it holds.
pub(crate) async fn until(what: impl Fn() -> bool) {
    let waited = timeout(PATIENCE, async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    waited.await.expect("it never came true");
}

/// A dependency that is what it is said to be.
pub(crate) struct Fixed(pub(crate) fn() -> Result<()>);

#[async_trait]
impl Check for Fixed {
    async fn check(&self) -> Result<()> {
        (self.0)()
    }
}
