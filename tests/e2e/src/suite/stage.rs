//! A process that is played with: `autopgo local` on a store and a bus of its own.

use std::path::PathBuf;
use std::process::Output;

use reqwest::Client;
use serde_json::Value;
use tempfile::TempDir;

use super::host::Host;
use super::shelf::Shelf;
use crate::process::{Running, binary, call, free_address};
use crate::wait;

/// How often the store is swept, and how old an upload is before a sweep takes it: late enough for what a message told of
/// to be merged because of it, and early enough for a story.
const SWEEPING: [&str; 4] = ["--sweep-every", "500ms", "--sweep-after", "8s"];

/// The process, and what there is to it.
pub struct Stage {
    /// Who plays the host.
    pub host: Host,
    /// Its store, seen past autopgo.
    pub shelf: Shelf,
    /// Its bus, where that is outside the process.
    #[cfg(feature = "services")]
    pub wire: Option<super::Wire>,
    /// A client without opinions.
    pub client: Client,
    folder: TempDir,
    address: std::net::SocketAddr,
    more: Vec<String>,
    variables: Vec<(&'static str, String)>,
    running: Option<Running>,
}

impl Stage {
    /// On a folder and a bus in memory.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn embedded(host: Host) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let more = vec!["--data-dir".to_owned(), data.to_str().expect("UTF-8").to_owned()];
        Self::new(host, Shelf::Folder(data), folder, more, Vec::new()).await
    }

    /// The same, with the tokens of [`crate::matrix::LIST`] at its door.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn guarded(host: Host) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (data, tokens) = (folder.path().join("data"), folder.path().join("tokens.json"));
        std::fs::write(&tokens, crate::matrix::LIST).expect("written");
        // What is said to whoever looks for a mistake has no secrets either.
        let mut more = ["--log-level", "debug"].map(str::to_owned).to_vec();
        for (flag, path) in [("--data-dir", &data), ("--tokens-file", &tokens)] {
            more.extend([flag.to_owned(), path.to_str().expect("UTF-8").to_owned()]);
        }
        Self::new(host, Shelf::Folder(data), folder, more, Vec::new()).await
    }

    /// With the demo, on a folder and a bus in memory.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn demo(host: Host) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let more = ["--demo", "--data-dir", data.to_str().expect("UTF-8")].map(str::to_owned).to_vec();
        Self::new(host, Shelf::Folder(data), folder, more, Vec::new()).await
    }

    /// On a bucket of MinIO and a bus on NATS, both by URL; `None`, said aloud, where there is no server.
    ///
    /// # Panics
    /// When it does not start.
    #[cfg(feature = "services")]
    pub async fn by_url(host: Host, is_jetstream: bool) -> Option<Self> {
        let bucket = crate::s3::Bucket::new().await?;
        let (wire, nats) = super::Wire::new(is_jetstream)?;
        let cable = autopgo_conformance::brokers::Cable::to(bucket.address()).await.expect("a port");
        let mut more = Vec::new();
        for (flag, value) in [
            ("--blob-store-url", bucket.url_by(cable.address())),
            ("--event-writer-url", nats.writer),
            ("--event-reader-url", nats.reader),
        ] {
            more.extend([flag.to_owned(), value]);
        }
        let folder = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::Bucket { bucket, cable };
        let mut stage = Self::new(host, shelf, folder, more, nats.variables).await;
        stage.wire = Some(wire);
        Some(stage)
    }

    async fn new(
        host: Host,
        shelf: Shelf,
        folder: TempDir,
        more: Vec<String>,
        variables: Vec<(&'static str, String)>,
    ) -> Self {
        let mut stage = Self {
            host,
            shelf,
            #[cfg(feature = "services")]
            wire: None,
            // A redirect is looked at, and followed by whoever wants to.
            client: Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client"),
            folder,
            address: free_address(),
            more,
            variables,
            running: None,
        };
        stage.start().await;
        if let Some(says) = stage.host.says() {
            assert!(stage.log().iter().any(|line| line.contains(says)), "{:#?}", stage.log());
        }
        stage
    }

    async fn start(&mut self) {
        let port = self.address.port().to_string();
        let mut arguments = vec!["local", "--port", &port];
        arguments.extend(SWEEPING);
        arguments.extend(self.host.arguments());
        arguments.extend(self.more.iter().map(String::as_str));
        let mut command = call(binary(), &arguments);
        command.envs(self.variables.iter().cloned());
        self.running = Some(Running::start_at(command, self.url()).await);
    }

    /// The base URL of its API.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.host.prefix())
    }

    /// The URL of the profile of `app`.
    pub fn profile(&self, app: &str) -> String {
        format!("{}/api/profile/{app}", self.url())
    }

    /// A file of the story's own.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command against its API, to the end.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let url = self.url();
        let command = call(binary(), &[arguments, &["--api-url", &url]].concat());
        tokio::process::Command::from(command).output().await.expect("autopgo starts")
    }

    /// The same, and gives its standard output.
    ///
    /// # Panics
    /// When it fails.
    pub async fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Sends `body` with its length, and gives the status and the answer's JSON.
    ///
    /// # Panics
    /// When there is no answer, or one without JSON.
    pub async fn post(&self, app: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        self.answer(self.client.post(self.profile(app)).body(body)).await
    }

    /// The status of a request's answer, and its JSON.
    ///
    /// # Panics
    /// When there is no answer, or one without JSON.
    pub async fn answer(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let answer = request.send().await.expect("an answer");
        let (status, what) = (answer.status().as_u16(), format!("{answer:?}"));
        (status, answer.json().await.unwrap_or_else(|error| panic!("{error}: {what}")))
    }

    /// Waits until `app` has a base profile, and gives it.
    ///
    /// # Panics
    /// When it has none in time.
    pub async fn base(&self, app: &str) -> Vec<u8> {
        let url = self.profile(app);
        wait::until(&format!("{app} has a base profile"), async || {
            let answer = self.client.get(&url).send().await.ok()?;
            let bytes = if answer.status().is_success() { answer.bytes().await.ok()? } else { return None };
            Some(bytes.to_vec())
        })
        .await
    }

    /// Waits until nothing of `app` is staged.
    ///
    /// # Panics
    /// When something is for too long.
    pub async fn settled(&self, app: &str) {
        let staging = format!("{app}/staging/");
        wait::until(&format!("staging of {app} is empty"), async || {
            self.shelf.keys(&staging).await.is_empty().then_some(())
        })
        .await;
    }

    /// What the process has logged since its last start.
    pub fn log(&self) -> Vec<String> {
        self.running.as_ref().map(Running::log).unwrap_or_default()
    }

    /// The lines of its log with this message, as JSON.
    pub fn lines(&self, message: &str) -> Vec<Value> {
        let lines = self.log();
        let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["message"] == message).collect()
    }

    /// How many uploads of `app` were merged because of this: `message` or `sweep`.
    pub fn merged(&self, app: &str, by: &str) -> u64 {
        let lines = self.lines("base profile written");
        let ours = lines.iter().filter(|line| line["app"] == app && line["by"] == by);
        ours.filter_map(|line| line["uploads"].as_u64()).sum()
    }

    /// Waits until something of `app` was merged because of this, which is logged a moment after it can be seen.
    ///
    /// # Panics
    /// When it takes too long.
    pub async fn brought(&self, app: &str, by: &str) {
        let what = format!("a {by} brings something of {app}");
        wait::until(&what, async || (self.merged(app, by) > 0).then_some(())).await;
    }

    /// Asks the process to stop, and waits until it has.
    ///
    /// # Panics
    /// When it does not stop in time, or not well.
    pub async fn stop(&mut self) -> Vec<String> {
        let (code, log) = self.running.take().expect("it runs").stop().await;
        assert_eq!(code, Some(0), "{log:#?}");
        log
    }

    /// Starts it again.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_again(&mut self) {
        self.start().await;
    }
}
