//! Functions over stores in memory, and events for them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use autopgo_boot::{Config, Ports, Served, rules, server, worker};
use autopgo_core::clock::System;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::host::Host;
use autopgo_core::memory::blobs::MemoryBlobs;
use autopgo_core::memory::bus::{ACK_DEADLINE, MemoryBus};
use autopgo_core::port::blobs::{Blobs, Entry, Object, Signed, Stat, Version, When};
use autopgo_core::port::cpu::Inline;
use autopgo_http::{Access, Api};
use autopgo_lambda::{http, worker as fed};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use lambda_runtime::Context;
use serde_json::{Value, json};

/// Both functions over one store.
pub(crate) struct World {
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) server: http::Function,
    pub(crate) worker: fed::Function,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::over(Arc::new(MemoryBlobs::new(Arc::new(System))), &Config::default())
    }

    pub(crate) fn over(blobs: Arc<dyn Blobs>, config: &Config) -> Self {
        let topic = Arc::new(MemoryBus::new(Arc::new(System), ACK_DEADLINE));
        let ports = Ports { blobs: Arc::clone(&blobs), topic, subscription: None };
        // A clock that a test turns would not wait for another thread.
        let host = Host { cpu: Arc::new(Inline), ..ports.host(config) };
        let rules = rules(config).expect("no rules");
        let worker = fed::Function::new(worker(config, rules, host.clone()), config.sweep_after);
        let Served { server, checks } = server(&ports, host);
        let router = Api::new(server, checks, Access::open()).router();
        Self { blobs, server: http::Function::new(router), worker }
    }

    /// Asks the server.
    pub(crate) async fn ask(&self, event: &Value) -> Answer {
        asked(&self.server, event).await
    }

    /// Gives the worker an event, and its answer or error as JSON.
    pub(crate) async fn work(&self, event: &Value) -> Result<Value, String> {
        let answer = self.worker.call_json(event.to_string().as_bytes(), context()).await;
        let answer = answer.map_err(|error| format!("{}: {}", error.error_type, error.error_message))?;
        Ok(serde_json::from_slice(&answer).expect("JSON"))
    }

    /// What of a batch the worker gives back.
    pub(crate) async fn handed_back(&self, event: &Value) -> Vec<String> {
        handed_back(&self.work(event).await.expect("an answer"))
    }

    /// Uploads a profile and gives the event that tells of it.
    pub(crate) async fn upload(&self, app: &str) -> String {
        let answer = self.ask(&upload(app)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        uploaded(app, answer.json()["key"].as_str().expect("a key"))
    }

    pub(crate) async fn read(&self, key: &str) -> Option<Bytes> {
        self.blobs.read(key, u64::MAX).await.expect("memory").map(|object| object.bytes)
    }

    /// The keys that begin with this.
    pub(crate) async fn keys(&self, prefix: &str) -> Vec<String> {
        let entries: Vec<Result<Entry>> = self.blobs.list(prefix, None).collect().await;
        entries.into_iter().map(|entry| entry.expect("memory").key).collect()
    }
}

/// An answer as a client gets it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u64,
    pub(crate) raw: Value,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn of(raw: Value) -> Self {
        use base64::Engine as _;
        let status = raw["statusCode"].as_u64().expect("always a status");
        let text = raw["body"].as_str().unwrap_or_default();
        let body = if raw["isBase64Encoded"].as_bool().expect("always said") {
            base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
        } else {
            text.as_bytes().to_vec()
        };
        let answer = Self { status, raw, body };
        assert!(answer.header("content-type").is_some(), "every answer has a content type: {answer:?}");
        assert!(answer.header("x-request-id").is_some(), "and an id: {answer:?}");
        answer
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.raw["headers"][name].as_str()
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        assert_eq!(self.raw["isBase64Encoded"], false, "JSON is text: {self:?}");
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

pub(crate) async fn asked(function: &http::Function, event: &Value) -> Answer {
    let answer = function.call_json(event.to_string().as_bytes(), context()).await.expect("an answer");
    Answer::of(serde_json::from_slice(&answer).expect("JSON"))
}

/// The ids in the answer to a queue.
pub(crate) fn handed_back(answer: &Value) -> Vec<String> {
    let failures = answer["batchItemFailures"].as_array().expect("a list");
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().expect("an id").to_owned()).collect()
}

/// An invocation with a minute to go.
pub(crate) fn context() -> Context {
    within(Duration::from_secs(60))
}

pub(crate) fn within(time: Duration) -> Context {
    let deadline = (SystemTime::now() + time).duration_since(UNIX_EPOCH).expect("after 1970");
    let mut context = Context::default();
    context.deadline = u64::try_from(deadline.as_millis()).expect("not so late");
    context.request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned();
    context
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/events/aws")
}

pub(crate) fn fixture(name: &str) -> Value {
    let path = folder().join(name).with_extension("json");
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).expect("JSON")
}

/// The event of `GET path`, or of another method.
pub(crate) fn request(method: &str, path: &str) -> Value {
    let mut event = fixture("url-health");
    event["requestContext"]["http"]["method"] = method.into();
    event["rawPath"] = path.into();
    event
}

pub(crate) fn upload(app: &str) -> Value {
    let mut event = fixture("url-upload");
    event["rawPath"] = format!("/api/profile/{app}").into();
    event
}

/// `profile.uploaded` of this staged upload.
pub(crate) fn uploaded(app: &str, key: &str) -> String {
    let payload = json!({"app": app, "profileKey": key});
    json!({"id": "1", "timestamp": "2025-01-02T03:04:05Z", "type": "profile.uploaded", "payload": payload})
        .to_string()
}

/// A batch of a queue with these bodies, whose ids are `0`, `1` and so on. With groups it is a FIFO queue.
pub(crate) fn queue(bodies: &[(String, Option<&str>)]) -> Value {
    let records = bodies.iter().enumerate().map(|(index, (body, group))| {
        let arn = format!("arn:aws:sqs:eu-west-1:123456789012:pgo{}", group.map_or("", |_| ".fifo"));
        let mut attributes = json!({"ApproximateReceiveCount": "1"});
        if let Some(group) = group {
            attributes["MessageGroupId"] = (*group).into();
        }
        json!({"messageId": index.to_string(), "receiptHandle": "x", "body": body, "attributes": attributes,
            "messageAttributes": {}, "eventSource": "aws:sqs", "eventSourceARN": arn, "awsRegion": "eu-west-1"})
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

/// A store of which one application cannot be read, or never is.
pub(crate) struct Sick {
    pub(crate) inner: MemoryBlobs,
    pub(crate) app: &'static str,
    pub(crate) how: How,
}

/// How it is sick.
#[derive(Clone, Copy)]
pub(crate) enum How {
    Unavailable,
    Silent,
    Panics,
}

impl Sick {
    pub(crate) fn new(app: &'static str, how: How) -> Self {
        Self { inner: MemoryBlobs::new(Arc::new(System)), app, how }
    }

    async fn look(&self, key: &str) -> Result<()> {
        if !key.starts_with(self.app) {
            return Ok(());
        }
        match self.how {
            How::Unavailable => Err(Error::new(Kind::Unavailable, "the store: not now")),
            How::Silent => std::future::pending().await,
            How::Panics => panic!("as asked"),
        }
    }
}

#[async_trait]
impl Blobs for Sick {
    async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        self.look(key).await?;
        self.inner.read(key, limit).await
    }
    async fn stat(&self, key: &str) -> Result<Option<Stat>> {
        self.look(key).await?;
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
        if matches!(self.how, How::Unavailable) && self.app.is_empty() {
            return stream::once(async { Err(Error::new(Kind::Unavailable, "the store: not now")) }).boxed();
        }
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
