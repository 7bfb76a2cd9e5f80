//! Servers of a test's own, and what tests say of them.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autopgo_conformance::Gap;
use autopgo_conformance::brokers::Nats as Server;
use autopgo_conformance::bus::{Broker, Facts, Harness, Missing};
use autopgo_core::clock::System;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::bus::{Message, Subscription, Topic};
use autopgo_pubsub::open::{Environment, subscription, topic};

/// At most once: what is handed over is gone, whatever becomes of it.
const AT_MOST_ONCE: &str = "core NATS forgets a message when it hands it over, as with the Go original; the sweep finds what it told of";

const CORE_GAPS: &[Gap] = const {
    &[
        Gap::always("a_nacked_message_comes_back", AT_MOST_ONCE),
        Gap::always("a_message_comes_back_after_a_lost_ack", AT_MOST_ONCE),
        Gap::always("a_message_comes_back_to_whoever_still_waits", AT_MOST_ONCE),
        Gap::by_chance("a_dropped_consumer_loses_nothing", AT_MOST_ONCE),
        Gap::by_chance("a_killed_consumer_loses_nothing", AT_MOST_ONCE),
        Gap::always("settling_twice_is_harmless", AT_MOST_ONCE),
        Gap::always("a_late_ack_is_harmless", AT_MOST_ONCE),
        Gap::always("poison_blocks_nothing", AT_MOST_ONCE),
        Gap::always("what_is_held_no_more_comes_back", AT_MOST_ONCE),
        Gap::by_chance("what_a_broker_has_outlives_its_restart", AT_MOST_ONCE),
    ]
};

const ACK_DEADLINE: Duration = Duration::from_secs(1);

/// A server with one subject, and one stream of it perhaps.
pub(crate) struct Nats {
    server: Option<Server>,
    keeps: bool,
}

impl Nats {
    pub(crate) fn core() -> Self {
        Self { server: Server::start(), keeps: false }
    }

    pub(crate) fn jetstream() -> Self {
        Self { server: Server::start(), keeps: true }
    }

    fn server(&self) -> Result<&Server> {
        self.server.as_ref().ok_or_else(|| Error::new(Kind::Internal, "there is no nats-server"))
    }

    fn environment(&self) -> Result<Environment> {
        Ok(environment(&self.server()?.url()))
    }
}

pub(crate) fn environment(url: &str) -> Environment {
    let url = url.to_owned();
    Environment::new(Arc::new(System))
        .with_variables(move |name| (name == "NATS_SERVER_URL").then(|| url.clone()))
}

#[async_trait]
impl Harness for Nats {
    async fn topic(&self) -> Result<Arc<dyn Topic>> {
        let url = if self.keeps { "nats://laws?jetstream=LAWS" } else { "nats://laws" };
        topic(url, &self.environment()?).await
    }

    async fn subscription(&self) -> Result<Arc<dyn Subscription>> {
        let url = match self.keeps {
            true => "nats://laws?jetstream=LAWS&ack_wait=1s&max_deliver=-1",
            false => "nats://laws?queue=workers",
        };
        subscription(url, &self.environment()?).await
    }

    /// A subject is there when somebody names it, and a stream is made; a server is not.
    async fn missing(&self) -> Result<(Missing, String)> {
        let nobody = "127.0.0.1:1";
        let url = if self.keeps { "nats://laws?jetstream=LAWS" } else { "nats://laws" };
        Ok((Missing::Topic(topic(url, &environment(nobody)).await?), nobody.to_owned()))
    }

    fn broker(&self) -> Option<&dyn Broker> {
        self.server.as_ref().map(|server| server as &dyn Broker)
    }

    fn pushes(&self) -> bool {
        !self.keeps
    }

    fn lacking(&self) -> Option<String> {
        self.server.is_none().then(|| "nats-server".to_owned())
    }

    fn facts(&self) -> Facts {
        Facts { ordered_by_key: true, ack_deadline: ACK_DEADLINE, many: 10_000 }
    }

    fn gaps(&self) -> &[Gap] {
        if self.keeps { &[] } else { CORE_GAPS }
    }

    fn patience(&self) -> Duration {
        // What at-most-once cannot do is waited for in vain.
        if self.keeps { Duration::from_secs(120) } else { Duration::from_secs(20) }
    }
}

pub(crate) fn message(body: &str) -> Message {
    Message { body: body.to_owned().into(), key: "app".to_owned() }
}

/// The next body, which must come soon.
pub(crate) async fn next(subscription: &dyn Subscription) -> String {
    let batch = tokio::time::timeout(Duration::from_secs(20), subscription.receive(1)).await;
    let batch = batch.expect("something comes").expect("received");
    subscription.ack(&batch[0]).await.expect("acked");
    String::from_utf8_lossy(&batch[0].body).into_owned()
}

/// Looks again and again until it is so, which must be soon.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut so: impl FnMut() -> F) -> T {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = so().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "it never happens: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A server with a file of configuration, which it reads again when it is told to.
pub(crate) struct Configured {
    pub(crate) server: Server,
    folder: tempfile::TempDir,
}

impl Configured {
    pub(crate) fn start(text: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, id) = (folder.path().join("nats.conf"), folder.path().join("nats.pid"));
        std::fs::write(&file, text).expect("written");
        let names = [file, id].map(|file| file.to_str().expect("a name").to_owned());
        let server = Server::with(&["--config", &names[0], "--pid", &names[1]])?;
        Some(Self { server, folder })
    }

    pub(crate) fn reload(&self, text: &str) {
        std::fs::write(self.folder.path().join("nats.conf"), text).expect("written");
        let binary = std::env::var_os("AUTOPGO_TEST_NATS_SERVER").map(PathBuf::from).expect("it runs");
        let id = self.folder.path().join("nats.pid");
        let mut told = Command::new(binary);
        told.arg("--signal").arg(format!("reload={}", id.display()));
        let told = told.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("told");
        assert!(told.success(), "{told}");
    }

    /// The environment of one of its users, whose password is `secret`.
    pub(crate) fn environment(&self, user: &str) -> Environment {
        environment(&format!("nats://{user}:secret@{}", self.server.address()))
    }
}
