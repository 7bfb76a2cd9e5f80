//! The test of the laws about networks and signatures: a store over HTTP with one fault at a time, and the law that must
//! find it. The store is in memory; what goes over the wire only says that a call is to be run.

#![expect(clippy::expect_used, reason = "all of it is a test")]

use std::any::Any;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_conformance::wire::{Request, answer};
use autopgo_conformance::{Gap, blobs};
use autopgo_core::clock::System;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::memory::blobs::MemoryBlobs;
use autopgo_core::port::blobs::{Blobs, Entry, Object, Signed, Stat, Version, When};
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, join_all};
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use jiff::Timestamp;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is wrong with a store, or with its client.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    // The client.
    SendsConditionsAgain,
    TriesOnce,
    TriesForEver,
    WaitsForEver,
    SaysConflict,
    GoesOnWhenDropped,
    StrangersAreUnavailable,
    // The server.
    LetsStrangersIn,
    TakesAnySignature,
    TakesAnyVerb,
    SignsWithoutTheKey,
    NeverEnds,
    TakesAnyLength,
    TakesNothingSigned,
    UnpacksGzip,
    // What it says of itself.
    SignsNothing,
    SignsSecretly,
}

type Outcome = Result<Box<dyn Any + Send>>;
type Call = Arc<dyn Fn() -> BoxFuture<'static, Outcome> + Send + Sync>;

/// The server: calls by their numbers, and signed requests.
struct Server {
    fault: Fault,
    inner: Arc<MemoryBlobs>,
    calls: Mutex<HashMap<u64, (Call, Option<Outcome>)>>,
    next: AtomicU64,
}

impl Server {
    async fn serve(self: Arc<Self>, mut stream: TcpStream) -> std::io::Result<()> {
        let Some(request) = Request::read(&mut stream).await? else { return Ok(()) };
        let (status, body) = match request.header("x-call") {
            Some(number) => (self.call(number.parse().expect("a number"), &request).await, Bytes::new()),
            None => self.signed(&request).await,
        };
        answer(&mut stream, status, &body).await
    }

    async fn call(&self, number: u64, request: &Request) -> u16 {
        if request.header("x-stranger").is_some() && self.fault != Fault::LetsStrangersIn {
            return 403;
        }
        let call = Arc::clone(&self.calls.lock().expect("calls").get(&number).expect("a call").0);
        let outcome = call().await;
        if let Some(entry) = self.calls.lock().expect("calls").get_mut(&number) {
            entry.1 = Some(outcome);
        }
        200
    }

    async fn signed(&self, request: &Request) -> (u16, Bytes) {
        let refused = (403, Bytes::new());
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let key = plain(path.strip_prefix("/").unwrap_or(path));
        let fields: HashMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let (Some(verb), Some(length), Some(ends), Some(signature)) =
            (fields.get("verb"), fields.get("length"), fields.get("ends"), fields.get("signature"))
        else {
            return refused;
        };
        let good = *signature == self.sign(&key, verb, length, ends);
        let ends: i64 = ends.parse().unwrap_or(0);
        if (!good && self.fault != Fault::TakesAnySignature)
            || (*verb != request.method && self.fault != Fault::TakesAnyVerb)
            || (ends < Timestamp::now().as_millisecond() && self.fault != Fault::NeverEnds)
            || (*verb == "PUT"
                && *length != request.body.len().to_string()
                && self.fault != Fault::TakesAnyLength)
            || self.fault == Fault::TakesNothingSigned
        {
            return refused;
        }
        match request.method.as_str() {
            "PUT" => {
                self.inner.write(&key, request.body.clone().into(), When::Always).await.expect("written");
                (200, Bytes::new())
            }
            "GET" => match self.inner.read(&key, 1 << 20).await.expect("read") {
                Some(_) if self.fault == Fault::UnpacksGzip => (200, "unpacked".into()),
                Some(object) => (200, object.bytes),
                None => (404, Bytes::new()),
            },
            _ => {
                self.inner.delete(&key).await.expect("deleted");
                (204, Bytes::new())
            }
        }
    }

    fn sign(&self, key: &str, verb: &str, length: &str, ends: &str) -> String {
        let key = if self.fault == Fault::SignsWithoutTheKey { "" } else { key };
        let mut hasher = DefaultHasher::new();
        ("secret", key, verb, length, ends).hash(&mut hasher);
        format!("{:x}", hasher.finish())
    }
}

fn escaped(key: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'/';
    key.bytes()
        .map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn plain(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let hex: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&hex, 16).unwrap_or(0)
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// The client.
struct Remote {
    fault: Fault,
    address: SocketAddr,
    stranger: bool,
    server: Arc<Server>,
}

impl Remote {
    async fn call<T: Send + 'static, F>(&self, conditional: bool, call: F) -> Result<T>
    where
        F: Fn(Arc<MemoryBlobs>) -> BoxFuture<'static, Result<T>> + Send + Sync + 'static,
    {
        let inner = Arc::clone(&self.server.inner);
        let call: Call = Arc::new(move || {
            let running = call(Arc::clone(&inner));
            async move { running.await.map(|value| Box::new(value) as Box<dyn Any + Send>) }.boxed()
        });
        let number = self.server.next.fetch_add(1, Ordering::Relaxed);
        self.server.calls.lock().expect("calls").insert(number, (call, None));
        let tries = match self.fault {
            Fault::TriesForEver => 30,
            Fault::TriesOnce => 1,
            Fault::SendsConditionsAgain => 4,
            _ if conditional => 1,
            _ => 4,
        };
        for _ in 0..tries {
            let (address, stranger) = (self.address, self.stranger);
            let sending = async move { send(address, number, stranger).await };
            let sending = match self.fault {
                Fault::GoesOnWhenDropped => {
                    tokio::spawn(sending).map(Result::ok).map(Option::flatten).boxed()
                }
                _ => sending.boxed(),
            };
            let patience = match self.fault {
                Fault::WaitsForEver => Duration::from_secs(600),
                _ => Duration::from_secs(1),
            };
            match tokio::time::timeout(patience, sending).await {
                Ok(Some(200)) => {
                    let (_, outcome) =
                        self.server.calls.lock().expect("calls").remove(&number).expect("a call");
                    return outcome
                        .expect("it was run")
                        .map(|value| *value.downcast().expect("its own type"));
                }
                Ok(Some(403)) if self.fault != Fault::StrangersAreUnavailable => {
                    return Err(Error::new(Kind::Denied, "who are you"));
                }
                _ => {}
            }
        }
        let kind = if self.fault == Fault::SaysConflict { Kind::Conflict } else { Kind::Unavailable };
        Err(Error::new(kind, "no answer"))
    }

    fn sign(&self, verb: &str, key: &str, size: u64, lasts: Duration) -> Option<Signed> {
        if self.fault == Fault::SignsNothing {
            return None;
        }
        let expires = Timestamp::now() + lasts;
        let (length, ends) = (size.to_string(), expires.as_millisecond().to_string());
        let signature = self.server.sign(key, verb, &length, &ends);
        let url = format!(
            "http://{}/{}?verb={verb}&length={length}&ends={ends}&signature={signature}",
            self.address,
            escaped(key)
        );
        Some(Signed { url, headers: Vec::new(), expires })
    }
}

/// The status of the answer, or `None` if there is none.
async fn send(address: SocketAddr, number: u64, stranger: bool) -> Option<u16> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let mut headers = vec![("x-call".to_owned(), number.to_string())];
    if stranger {
        headers.push(("x-stranger".to_owned(), "1".to_owned()));
    }
    let request = Request { method: "POST".to_owned(), target: "/".to_owned(), headers, body: Vec::new() };
    request.send(&mut stream).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

#[async_trait]
impl Blobs for Remote {
    async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        let key = key.to_owned();
        self.call(false, move |inner| {
            let key = key.clone();
            async move { inner.read(&key, limit).await }.boxed()
        })
        .await
    }

    async fn stat(&self, key: &str) -> Result<Option<Stat>> {
        let key = key.to_owned();
        self.call(false, move |inner| {
            let key = key.clone();
            async move { inner.stat(&key).await }.boxed()
        })
        .await
    }

    async fn write(&self, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        let key = key.to_owned();
        self.call(when != When::Always, move |inner| {
            let (key, bytes, when) = (key.clone(), bytes.clone(), when.clone());
            async move { inner.write(&key, bytes, when).await }.boxed()
        })
        .await
    }

    async fn copy(&self, from: &str, to: &str) -> Result<bool> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.call(false, move |inner| {
            let (from, to) = (from.clone(), to.clone());
            async move { inner.copy(&from, &to).await }.boxed()
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let key = key.to_owned();
        self.call(false, move |inner| {
            let key = key.clone();
            async move { inner.delete(&key).await }.boxed()
        })
        .await
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'_, Result<Entry>> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        let listing = self.call(false, move |inner| {
            let (prefix, after) = (prefix.clone(), after.clone());
            async move { inner.list(&prefix, after.as_deref()).try_collect::<Vec<_>>().await }.boxed()
        });
        stream::once(listing).map_ok(|entries| stream::iter(entries).map(Ok)).try_flatten().boxed()
    }

    async fn sign_put(&self, key: &str, size: u64, lasts: Duration) -> Result<Option<Signed>> {
        Ok(self.sign("PUT", key, size, lasts))
    }

    async fn sign_get(&self, key: &str, lasts: Duration) -> Result<Option<Signed>> {
        Ok(self.sign("GET", key, 0, lasts))
    }

    async fn check(&self) -> Result<()> {
        self.call(false, |_| async { Ok(()) }.boxed()).await
    }
}

struct Harness {
    server: Arc<Server>,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Harness {
    async fn new(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let inner = Arc::new(MemoryBlobs::new(Arc::new(System)));
        let server = Arc::new(Server { fault, inner, calls: Mutex::default(), next: AtomicU64::new(0) });
        let serving = Arc::clone(&server);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&serving).serve(stream));
            }
        });
        Self { server, address, task }
    }

    fn store(&self, address: SocketAddr, stranger: bool) -> Arc<dyn Blobs> {
        Arc::new(Remote { fault: self.server.fault, address, stranger, server: Arc::clone(&self.server) })
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[async_trait]
impl blobs::Harness for Harness {
    async fn open(&self) -> Result<Arc<dyn Blobs>> {
        Ok(self.store(self.address, false))
    }

    async fn missing(&self) -> Result<(Arc<dyn Blobs>, String)> {
        Ok((self.open().await?, "nowhere".to_owned()))
    }

    fn signs(&self) -> bool {
        self.server.fault != Fault::SignsSecretly
    }

    async fn stranger(&self) -> Result<Option<Arc<dyn Blobs>>> {
        Ok(Some(self.store(self.address, true)))
    }

    fn remote(&self) -> Option<SocketAddr> {
        Some(self.address)
    }

    async fn open_at(&self, address: SocketAddr) -> Result<Arc<dyn Blobs>> {
        Ok(self.store(address, false))
    }

    fn gaps(&self) -> &[Gap] {
        const { &[Gap::always("a_missing_store_is_named", "memory is always there")] }
    }

    fn skew(&self) -> Duration {
        Duration::from_millis(100)
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(15)
    }
}

async fn breaks(fault: Fault, law: &str) -> bool {
    blobs::prove(law, &Harness::new(fault).await).await.is_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_a_network_or_a_signature_is_found() {
    let cases = [
        (Fault::SendsConditionsAgain, "a_conditional_write_is_sent_once"),
        (Fault::SaysConflict, "a_conditional_write_is_sent_once"),
        (Fault::TriesOnce, "a_short_fault_is_ridden_out"),
        (Fault::TriesForEver, "a_long_fault_ends"),
        (Fault::SaysConflict, "a_long_fault_ends"),
        (Fault::WaitsForEver, "a_silent_store_is_given_up_on"),
        (Fault::GoesOnWhenDropped, "a_call_that_is_dropped_ends"),
        (Fault::LetsStrangersIn, "a_stranger_is_denied"),
        (Fault::StrangersAreUnavailable, "a_stranger_is_denied"),
        (Fault::TakesAnySignature, "a_signature_is_for_what_it_says"),
        (Fault::TakesAnyVerb, "a_signature_is_for_what_it_says"),
        (Fault::SignsWithoutTheKey, "a_signature_is_for_what_it_says"),
        (Fault::NeverEnds, "a_signature_ends"),
        (Fault::TakesAnyLength, "a_signed_put_has_the_length_it_says"),
        (Fault::TakesNothingSigned, "a_signed_put_is_anybodys"),
        (Fault::TakesNothingSigned, "a_signed_get_is_anybodys"),
        (Fault::UnpacksGzip, "a_signed_get_is_anybodys"),
        (Fault::SignsNothing, "a_signed_put_is_anybodys"),
        (Fault::SignsSecretly, "a_signed_get_is_anybodys"),
    ];
    // Nearly all of it is waiting.
    join_all(cases.map(|(fault, found_by)| async move {
        assert!(breaks(fault, found_by).await, "{fault:?} passes {found_by}");
        if let Err(broken) = blobs::prove(found_by, &Harness::new(Fault::None).await).await {
            panic!("a good store breaks {found_by}: {broken}");
        }
    }))
    .await;
}
