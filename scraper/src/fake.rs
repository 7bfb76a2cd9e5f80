//! What tests scrape and upload to: targets that speak raw TCP, so that they can misbehave in any way, and a server
//! whose answers are written down beforehand.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use autopgo_core::app::App;
use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::target::Target;

/// How long tests wait for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A recorded profile of `tests/fixtures/profiles`.
pub(crate) fn fixture(name: &str) -> Bytes {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/profiles");
    std::fs::read(folder.join(name)).expect(name).into()
}

/// Returns once `there` gives something.
pub(crate) async fn until<T>(mut there: impl FnMut() -> Option<T>) -> T {
    let polled = async {
        loop {
            if let Some(found) = there() {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, polled).await.expect("in time")
}

/// A target on a port of its own.
pub(crate) struct FakeTarget {
    pub(crate) address: String,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl FakeTarget {
    /// Gives each connection, once a request's head has come, to `answer`.
    pub(crate) async fn start<R: Future<Output = ()> + Send + 'static>(
        answer: impl Fn(TcpStream) -> R + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(head) = read_head(&mut stream).await else { continue };
                seen.lock().expect("requests").push(head);
                connections.spawn(answer(stream));
            }
        });
        Self { address, requests, task }
    }

    /// Answers each request with `bytes` as they are and hangs up.
    pub(crate) async fn saying(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::start(move |mut stream| {
            let bytes = bytes.clone();
            async move {
                // Whoever asked may have hung up.
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
            }
        })
        .await
    }

    /// Answers with 200 and `body`.
    pub(crate) async fn serving(body: impl AsRef<[u8]>) -> Self {
        Self::saying(ok(body)).await
    }

    /// Never answers.
    pub(crate) async fn hanging() -> Self {
        Self::start(async |_stream| std::future::pending().await).await
    }

    pub(crate) fn target(&self, app: &str) -> Arc<Target> {
        Arc::new(Target::new(&self.address, "", App::parse(app).expect(app)).expect("good"))
    }

    /// The heads of the requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("requests").clone()
    }
}

impl Drop for FakeTarget {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A whole answer: 200 and `body`.
pub(crate) fn ok(body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// An upload that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upload {
    pub(crate) path: String,
    pub(crate) key: String,
    pub(crate) body: Bytes,
}

/// A server: its answers as they are planned, then 201 for ever.
pub(crate) struct FakeServer {
    pub(crate) url: String,
    uploads: Arc<Mutex<Vec<Upload>>>,
    task: JoinHandle<()>,
}

impl FakeServer {
    pub(crate) async fn start(planned: &[StatusCode]) -> Self {
        let planned = Arc::new(Mutex::new(VecDeque::from(planned.to_vec())));
        let uploads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&uploads);
        let answer = async move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
            seen.lock().expect("uploads").push(Upload { path: uri.path().into(), key: key.into(), body });
            let planned = planned.lock().expect("planned").pop_front();
            let json = [("content-type", "application/json")];
            match planned.unwrap_or(StatusCode::CREATED) {
                StatusCode::CREATED => (StatusCode::CREATED, json, r#"{"key": "app/staging/1"}"#.to_owned()),
                status => (status, json, format!(r#"{{"message": "planned", "code": {}}}"#, status.as_u16())),
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let task = tokio::spawn(async move {
            axum::serve(listener, Router::new().fallback(answer)).await.expect("serves");
        });
        Self { url, uploads, task }
    }

    /// The uploads so far, the refused ones too.
    pub(crate) fn uploads(&self) -> Vec<Upload> {
        self.uploads.lock().expect("uploads").clone()
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
