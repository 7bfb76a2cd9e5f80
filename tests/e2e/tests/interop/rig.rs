//! What every story has: a bus, a bucket, and the two who share them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use autopgo_e2e::original::{Original, Started};
use autopgo_e2e::paths::fixture;
use autopgo_e2e::process::{Running, autopgo, free_address};
use autopgo_e2e::s3::Bucket;
use autopgo_e2e::wait;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::bus::Bus;

/// The application.
pub(crate) const APP: &str = "shared-app";
/// No sweep in a story's time.
const NEVER: [&str; 4] = ["--sweep-every", "1h", "--sweep-after", "2h"];

/// The uploads.
pub(crate) fn captures() -> Vec<String> {
    ["a-1", "a-2", "a-3"].map(|name| text(fixture(&format!("hello-app/{name}.pprof")))).to_vec()
}

fn text(path: PathBuf) -> String {
    path.into_os_string().into_string().expect("a UTF-8 path")
}

pub(crate) struct Rig {
    pub(crate) bus: Bus,
    pub(crate) bucket: Bucket,
    pub(crate) original: Original,
    folder: TempDir,
}

impl Rig {
    /// `None`, said aloud, where something is missing.
    pub(crate) async fn new(bus: Option<Bus>) -> Option<Self> {
        let (bus, bucket, mut original) = (bus?, Bucket::new().await?, Original::new()?);
        for (name, value) in &bus.variables {
            original = original.with(name, value);
        }
        Some(Self { bus, bucket, original, folder: tempfile::tempdir().expect("a folder") })
    }

    pub(crate) async fn server(&self) -> Running {
        self.start(&["server"]).await
    }

    pub(crate) async fn worker(&self) -> Running {
        let reading = ["worker", "--event-reader-url", &self.bus.our_reader];
        self.start(&[&reading[..], &NEVER].concat()).await
    }

    async fn start(&self, arguments: &[&str]) -> Running {
        let address = free_address();
        let port = address.port().to_string();
        let (store, writer) = (&self.bucket.url, &self.bus.our_writer);
        let shared = ["--blob-store-url", store, "--event-writer-url", writer, "--port", &port];
        let mut command = autopgo(&[arguments, &shared].concat());
        command.envs(self.bus.variables.iter().map(|(name, value)| (name, value)));
        Running::start(command, address).await
    }

    /// The original, listening to what we say.
    pub(crate) async fn listener(&self) -> Started {
        self.original.start(&["consume", &self.bus.their_reader]).await
    }

    /// What the original sees in the bucket below `prefix`.
    pub(crate) async fn listed(&self, prefix: &str) -> BTreeSet<String> {
        let lines = self.original.lines(&["list", &self.bucket.url, prefix], "").await;
        let key = |line: &String| {
            let object: Value = serde_json::from_str(line).expect("JSON");
            object["key"].as_str().expect("a key").to_owned()
        };
        lines.iter().map(key).collect()
    }

    /// What the original reads at `key`, as Go's tools understand it.
    pub(crate) async fn content(&self, key: &str) -> Vec<String> {
        let bytes = self.original.run(&["get", &self.bucket.url, key], b"").await;
        let path = self.folder.path().join("read");
        std::fs::write(&path, bytes).expect("written");
        self.show(&[text(path)]).await
    }

    /// What Go's tools make of these profiles.
    pub(crate) async fn show(&self, files: &[String]) -> Vec<String> {
        let files = files.iter().map(String::as_str);
        self.original.lines(&["show"].into_iter().chain(files).collect::<Vec<_>>(), "").await
    }

    /// Waits until nothing waits to be merged.
    pub(crate) async fn settled(&self) {
        let prefix = format!("{APP}/staging/");
        wait::until("staging is empty", async || self.bucket.keys(&prefix).await.is_empty().then_some(()))
            .await;
    }

    /// Checks an event as the original understood it, and what it came in.
    pub(crate) fn check(&self, event: &Value, expected: &Value) {
        assert_eq!(event["event"], *expected, "{event}");
        let beside: Vec<&String> =
            event["metadata"].as_object().into_iter().flatten().map(|(name, _)| name).collect();
        assert_eq!(beside, self.bus.beside, "{event}");
        assert_eq!(event["key"], if self.bus.keyed { APP } else { "" }, "{event}");
        let body: Value = serde_json::from_str(event["body"].as_str().expect("text")).expect("JSON");
        let names: Vec<&String> = body.as_object().expect("an envelope").keys().collect();
        assert_eq!(names, ["id", "payload", "timestamp", "type"]);
        let id = event["id"].as_str().expect("an id");
        assert!(id.len() == 36 && id.as_bytes()[14] == b'4', "no random UUID: {id}");
        let time = event["timestamp"].as_str().expect("a time");
        assert!(time.ends_with('Z') && time.starts_with("20"), "no time of UTC: {time}");
    }

    /// What the original publishes, past its server and worker.
    pub(crate) async fn publish(&self, kind: &str, payload: &Value) {
        let event = json!({"type": kind, "payload": payload}).to_string();
        let said = self.original.lines(&["publish", &self.bus.their_writer], &event).await;
        assert_eq!(said.len(), 1);
    }
}

/// Stops what ran, which must end well.
pub(crate) async fn stop(running: Running) {
    let (code, log) = running.stop().await;
    assert_eq!(code, Some(0), "{log:#?}");
}
