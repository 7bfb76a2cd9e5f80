//! A handler over memory, and the host before it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use autopgo_azure::Options;
use autopgo_core::clock::System;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::health::Checks;
use autopgo_core::host::Host as CoreHost;
use autopgo_core::limits::Limits;
use autopgo_core::memory::blobs::MemoryBlobs;
use autopgo_core::port::blobs::{Blobs, Entry, Object, Signed, Stat, Version, When};
use autopgo_core::port::bus::{Message, Topic};
use autopgo_core::port::cpu::Threads;
use autopgo_core::server::Server;
use autopgo_core::worker::Worker;
use autopgo_fakes::functions_host::{Host, Setup, Where};
use autopgo_fakes::servicebus::{self, Fake};
use autopgo_http::process::listen;
use autopgo_http::{Access, Api};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// No step of a test takes this long unless something hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// A profile that is taken.
pub(crate) const PROFILE: &[u8] = include_bytes!("../../../../tests/fixtures/profiles/hello-app/a-1.pprof");
/// As `worker/function.json` has them.
const TOPIC: &str = "pgo";
const SUBSCRIPTION: &str = "worker";

pub(crate) struct World {
    pub(crate) store: Arc<Moody>,
    pub(crate) bus: Arc<Fake>,
    pub(crate) router: Router,
    pub(crate) stop: CancellationToken,
    limits: Limits,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_timeout(Duration::from_secs(600))
    }

    /// One that is let run for so long.
    pub(crate) fn with_timeout(timeout: Duration) -> Self {
        let limits = Limits { drain: Duration::from_millis(100), ..Limits::default() };
        let store = Arc::new(Moody { inner: MemoryBlobs::new(Arc::new(System)), mood: AtomicU8::new(FINE) });
        let bus = Arc::new(Fake::start().expect("a peer"));
        bus.make(TOPIC, SUBSCRIPTION, servicebus::Setup { deliveries: 3, ..servicebus::Setup::default() });
        let cpu = Arc::new(Threads::per_core());
        let blobs: Arc<dyn Blobs> = Arc::clone(&store) as _;
        let host =
            CoreHost::new(blobs, Arc::new(Bus(Arc::clone(&bus))), Arc::new(System), cpu, limits.clone());
        let stop = CancellationToken::new();
        let options = Options { sweep_after: Duration::ZERO, timeout, stop: stop.clone() };
        let worker = Worker::new(host.clone(), autopgo_core::worker::Options::default());
        let server = Api::new(Server::new(host), Checks::default(), Access::open()).router();
        Self { store, bus, router: autopgo_azure::router(server, worker, options), stop, limits }
    }

    /// Calls a function as the host does.
    pub(crate) async fn call(&self, function: &str, payload: impl Into<Body>) -> Answer {
        let request = Request::post(format!("/{function}"))
            .header("content-type", "application/json; charset=utf-8")
            .header("x-azure-functions-invocationid", "8b9d1c52-0f3e-4f7a-9f5e-2f4e4a1c9d10");
        self.ask(request.body(payload.into()).expect("a request")).await
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let kind = parts.headers.get("content-type").map(|kind| kind.to_str().expect("text").to_owned());
        let body = to_bytes(body, usize::MAX).await.expect("a body");
        Answer { status: parts.status, kind: kind.unwrap_or_default(), body }
    }

    /// Uploads straight to the handler, past any host.
    pub(crate) async fn upload(&self, app: &str) {
        let request = Request::post(format!("/api/profile/{app}")).body(PROFILE.into()).expect("a request");
        assert_eq!(self.ask(request).await.status, StatusCode::CREATED);
    }

    pub(crate) async fn keys(&self) -> Vec<String> {
        self.store.inner.list("", None).map_ok(|entry| entry.key).try_collect().await.expect("memory")
    }

    /// How many messages wait, and how many are dead letters.
    pub(crate) fn messages(&self) -> (usize, usize) {
        self.bus.count(TOPIC, SUBSCRIPTION)
    }

    /// Takes the bodies of the messages that wait.
    pub(crate) fn take(&self) -> Vec<Bytes> {
        let receiver = self.bus.receiver(TOPIC, SUBSCRIPTION);
        let received = std::iter::from_fn(|| receiver.receive());
        received.inspect(|message| assert!(receiver.complete(message))).map(|message| message.body).collect()
    }

    /// A host before the handler, which tells it of messages.
    pub(crate) async fn host(&self, setup: Setup) -> Host {
        let listener = listen::bind(([127, 0, 0, 1], 0).into()).await.expect("any port");
        let address = listener.local_addr().expect("bound");
        let (router, limits, stop) = (self.router.clone(), self.limits.clone(), self.stop.clone());
        tokio::spawn(async move {
            listen::run(listener, router, &limits, stop.cancelled_owned(), listen::GRACE).await;
        });
        let mut host = Host::start(Setup { handler: Where::At(address), ..setup }).await.expect("a host");
        host.listen("worker", self.bus.receiver(TOPIC, SUBSCRIPTION)).expect("a function");
        host
    }

    /// Waits until `app` has a base, and nothing of it waits.
    pub(crate) async fn merged(&self, app: &str) {
        let start = Instant::now();
        let (base, staging) = (format!("{app}/default.pgo"), format!("{app}/staging/"));
        loop {
            let keys = self.keys().await;
            if keys.contains(&base) && !keys.iter().any(|key| key.starts_with(&staging)) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "not merged: {keys:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) kind: String,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.kind, "application/json", "{self:?}");
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// That the host takes it for a success.
    pub(crate) fn succeeds(&self) {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        let answer = self.json();
        assert_eq!(answer["Outputs"], json!({}), "{answer}");
        assert!(answer["Logs"].is_array() && answer["ReturnValue"].is_null(), "{answer}");
    }

    /// That the host takes it for a failure.
    pub(crate) fn fails(&self) {
        assert_eq!(self.status, StatusCode::INTERNAL_SERVER_ERROR, "{self:?}");
        assert_eq!(self.json()["code"], 500);
    }
}

/// The folder that is deployed.
pub(crate) fn deployed() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A copy of what is deployed, with one file changed.
pub(crate) fn changed(file: &str, change: impl FnOnce(&mut Value)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["host.json", "server/function.json", "worker/function.json", "sweep/function.json"] {
        let to = folder.path().join(name);
        fs::create_dir_all(to.parent().expect("a folder")).expect("made");
        fs::copy(deployed().join(name), to).expect("copied");
    }
    change_json(&folder.path().join(file), change);
    folder
}

fn change_json(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&fs::read(path).expect("read")).expect("JSON");
    change(&mut value);
    fs::write(path, value.to_string()).expect("written");
}

/// The files of this kind among the fixtures, with their names.
pub(crate) fn fixtures(kind: &str) -> Vec<(String, Value)> {
    let folder = deployed().join("../../tests/fixtures/events/azure");
    let mut found: Vec<(String, Value)> = fs::read_dir(folder)
        .expect("the fixtures")
        .map(|entry| entry.expect("an entry"))
        .filter_map(|entry| {
            let name = entry.file_name().to_str().expect("UTF-8").to_owned();
            name.starts_with(kind).then(|| {
                (name, serde_json::from_slice(&fs::read(entry.path()).expect("read")).expect("JSON"))
            })
        })
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(!found.is_empty(), "no fixtures of {kind}");
    found
}

/// Publishes where the host listens.
struct Bus(Arc<Fake>);

#[async_trait]
impl Topic for Bus {
    async fn publish(&self, message: Message) -> Result<()> {
        assert!(self.0.send(TOPIC, &message.body, &message.key));
        Ok(())
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// A store that answers, is away, or never answers.
pub(crate) struct Moody {
    inner: MemoryBlobs,
    mood: AtomicU8,
}

const FINE: u8 = 0;
const AWAY: u8 = 1;
const SILENT: u8 = 2;

impl Moody {
    pub(crate) fn is_fine(&self) {
        self.mood.store(FINE, Ordering::SeqCst);
    }

    pub(crate) fn is_away(&self) {
        self.mood.store(AWAY, Ordering::SeqCst);
    }

    pub(crate) fn is_silent(&self) {
        self.mood.store(SILENT, Ordering::SeqCst);
    }

    async fn there(&self) -> Result<()> {
        match self.mood.load(Ordering::SeqCst) {
            FINE => Ok(()),
            AWAY => Err(Error::new(Kind::Unavailable, "the store is away")),
            _ => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Blobs for Moody {
    async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        self.there().await?;
        self.inner.read(key, limit).await
    }

    async fn stat(&self, key: &str) -> Result<Option<Stat>> {
        self.there().await?;
        self.inner.stat(key).await
    }

    async fn write(&self, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        self.there().await?;
        self.inner.write(key, bytes, when).await
    }

    async fn copy(&self, from: &str, to: &str) -> Result<bool> {
        self.there().await?;
        self.inner.copy(from, to).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.there().await?;
        self.inner.delete(key).await
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'_, Result<Entry>> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        Box::pin(
            futures_util::stream::once(async move {
                self.there().await?;
                Ok::<_, Error>(self.inner.list(&prefix, after.as_deref()))
            })
            .try_flatten(),
        )
    }

    async fn sign_put(&self, _: &str, _: u64, _: Duration) -> Result<Option<Signed>> {
        Ok(None)
    }

    async fn sign_get(&self, _: &str, _: Duration) -> Result<Option<Signed>> {
        Ok(None)
    }

    async fn check(&self) -> Result<()> {
        self.there().await
    }
}
