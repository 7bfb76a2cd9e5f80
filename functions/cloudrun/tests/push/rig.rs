//! The two services as processes, and what is pushed to one of them.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::process::Command;

use autopgo_core::clock::System;
use autopgo_core::event::{Envelope, Event};
use autopgo_core::key::{Key, Place};
use autopgo_e2e::process::{Running, call, free_address};
use autopgo_e2e::{once, profile, wait};
use autopgo_fakes::gcs;
use autopgo_fakes::push::{Push, Setup};
use bytes::Bytes;
use reqwest::Client;
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

/// The application of every story.
pub(crate) const APP: &str = "story";
const BUCKET: &str = "profiles";

/// Where profiles are.
pub(crate) enum Store {
    /// In a folder.
    Folder(TempDir),
    /// In the fake of Google Cloud Storage, with the file that says who one is.
    Google(gcs::Fake, NamedTempFile),
}

impl Store {
    pub(crate) fn folder() -> Self {
        Self::Folder(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn google() -> Self {
        let fake = gcs::Fake::start().expect("a fake of Google Cloud Storage");
        fake.make(BUCKET);
        let mut key = NamedTempFile::new().expect("a file");
        key.write_all(fake.account().credentials().to_string().as_bytes()).expect("written");
        Self::Google(fake, key)
    }

    /// Where the fake is.
    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Self::Folder(_) => panic!("a folder is nowhere"),
            Self::Google(fake, _) => fake.address(),
        }
    }

    /// Its variables, with another way to the fake if one is given.
    fn variables(&self, way: Option<SocketAddr>) -> Vec<(&'static str, String)> {
        let url = match self {
            Self::Folder(folder) => format!("file://{}", folder.path().display()),
            Self::Google(fake, _) => {
                format!("gs://{BUCKET}?endpoint=http://{}", way.unwrap_or_else(|| fake.address()))
            }
        };
        let mut variables = vec![("AUTOPGO_BLOB_STORE_URL", url)];
        if let Self::Google(_, key) = self {
            variables.push(("GOOGLE_APPLICATION_CREDENTIALS", key.path().display().to_string()));
        }
        variables
    }

    /// How many uploads are staged.
    pub(crate) fn staged(&self) -> usize {
        match self {
            Self::Folder(folder) => once::files(&folder.path().join(APP).join("staging")),
            Self::Google(fake, _) => {
                let start = format!("{APP}/staging/");
                fake.objects(BUCKET).iter().filter(|(name, _)| name.starts_with(&start)).count()
            }
        }
    }
}

/// One of the services, on a port of its own. Its events reach nobody: what is pushed, a story says.
pub(crate) fn service(role: &str, store: &Store, way: Option<SocketAddr>) -> (Command, SocketAddr) {
    let address = free_address();
    let mut command = call(env!("CARGO_BIN_EXE_autopgo-cloudrun"), &[role]);
    command
        .envs(store.variables(way))
        .env("AUTOPGO_EVENT_WRITER_URL", "mem://events")
        .env("AUTOPGO_SWEEP_AFTER", "1ms")
        .env("PORT", address.port().to_string());
    (command, address)
}

pub(crate) async fn start(role: &str, store: &Store) -> Running {
    let (command, address) = service(role, store, None);
    Running::start(command, address).await
}

/// A subscription that pushes to a worker, quickly.
pub(crate) fn push_to(worker: &Running, change: impl FnOnce(&mut Setup)) -> Push {
    let mut setup = Setup::to(format!("{}/", worker.url));
    change(&mut setup);
    Push::start(setup).expect("a client")
}

/// Takes uploads and tells nobody.
pub(crate) struct Uploads {
    server: Running,
    client: Client,
    names: BTreeSet<String>,
}

impl Uploads {
    pub(crate) async fn on(store: &Store) -> Self {
        Self { server: start("server", store).await, client: Client::new(), names: BTreeSet::new() }
    }

    fn url(&self) -> String {
        format!("{}/api/profile/{APP}", self.server.url)
    }

    /// One more upload; what a server would publish of it.
    pub(crate) async fn next(&mut self) -> Bytes {
        let name = once::name(self.names.len());
        let event = self.of(profile::cpu(&[("main.main", &name, 1)])).await;
        self.names.insert(name);
        event
    }

    /// One of these bytes, which is not counted.
    pub(crate) async fn of(&self, profile: Vec<u8>) -> Bytes {
        let answer = self.client.post(self.url()).body(profile).send().await.expect("answered");
        assert_eq!(answer.status(), 201);
        let answer: Value = answer.json().await.expect("JSON");
        let key = Key::parse(answer["key"].as_str().expect("a key")).expect("one of ours");
        let Place::Staged(id) = key.place else { panic!("{answer}") };
        Envelope::new(Event::Uploaded { app: key.app, id }, &System).message().body
    }

    /// What is in the base, if there is one.
    pub(crate) async fn base(&self) -> Option<Bytes> {
        let url = format!("{}?form=compact", self.url());
        let answer = self.client.get(url).send().await.expect("answered");
        answer.error_for_status().ok()?.bytes().await.ok()
    }

    /// Waits until nothing is to be pushed any more, and looks at the base: each upload is there, once.
    pub(crate) async fn are_merged_once_by(&self, push: &Push) {
        wait::until("all is acknowledged", async || (push.outstanding() == 0).then_some(())).await;
        let seen = profile::seen(&self.base().await.expect("a base"), "upload.");
        let names: BTreeSet<String> = seen.keys().cloned().collect();
        assert_eq!(names, self.names, "lost, or from nowhere");
        assert!(seen.values().all(|times| *times == 1), "merged more than once: {seen:?}");
    }

    pub(crate) async fn stop(self) {
        let (code, log) = self.server.stop().await;
        assert_eq!(code, Some(0), "{log:#?}");
    }
}

/// Stops a worker that has nothing to do.
pub(crate) async fn stop(worker: Running) -> Vec<Value> {
    let (code, log) = worker.stop().await;
    assert_eq!(code, Some(0), "{log:#?}");
    parsed(&log)
}

pub(crate) fn parsed(log: &[String]) -> Vec<Value> {
    log.iter().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// How many lines of a log have this message.
pub(crate) fn said(log: &[Value], message: &str) -> usize {
    log.iter().filter(|line| line["message"] == message).count()
}
