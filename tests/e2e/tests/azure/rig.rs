//! A Function App: the folder, the host, a container and a topic.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use autopgo_e2e::azurite::Container;
use autopgo_e2e::paths::root;
use autopgo_e2e::process;
use autopgo_e2e::wait;
use autopgo_fakes::functions_host::{Host, Setup};
use autopgo_fakes::servicebus::{self, Fake};
use reqwest::Client;
use serde_json::Value;

/// As `worker/function.json` has them.
pub(crate) const TOPIC: &str = "pgo";
const SUBSCRIPTION: &str = "worker";
/// So often is a message delivered until it is a dead letter.
const DELIVERIES: u32 = 4;

/// The handler's program.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| process::program("autopgo-azure"))
}

/// A Function App at work.
pub(crate) struct Rig {
    pub(crate) host: Host,
    pub(crate) bus: Arc<Fake>,
    pub(crate) container: Container,
    pub(crate) client: Client,
    _folder: tempfile::TempDir,
}

impl Rig {
    /// One whose host is as `change` makes it; `None`, said aloud, where there is no Azurite.
    pub(crate) async fn new(change: impl FnOnce(Setup) -> Setup) -> Option<Self> {
        let container = Container::new().await?;
        let store = container.url();
        Some(Self::over(container, &store, change).await)
    }

    /// One that reaches its container by this URL.
    pub(crate) async fn over(container: Container, store: &str, change: impl FnOnce(Setup) -> Setup) -> Self {
        let bus = Arc::new(Fake::start().expect("a peer"));
        let setup = servicebus::Setup { lock: Duration::from_secs(5), deliveries: DELIVERIES };
        bus.make(TOPIC, SUBSCRIPTION, setup);
        let folder = deployed();
        let (key, secret) = container.key();
        let settings = [
            ("AUTOPGO_BLOB_STORE_URL", store.to_owned()),
            ("AUTOPGO_EVENT_WRITER_URL", format!("azuresb://{TOPIC}")),
            ("AUTOPGO_SWEEP_AFTER", "1s".to_owned()),
            ("SERVICEBUS_CONNECTION_STRING", bus.connection_string("manager")),
            (key, secret),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let setup = change(Setup { settings, ..Setup::of(folder.path()) });
        let host = Host::start(setup).await.expect("a host");
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().expect("a client");
        Self { host, bus, container, client, _folder: folder }
    }

    /// From now on, the host hears of messages.
    pub(crate) fn listen(&mut self) {
        self.host.listen("worker", self.bus.receiver(TOPIC, SUBSCRIPTION)).expect("a function");
    }

    /// The base URL of its API.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.host.address())
    }

    /// Where the profile of `app` is.
    pub(crate) fn profile(&self, app: &str) -> String {
        format!("{}/api/profile/{app}", self.url())
    }

    /// How many uploads of `app` are staged.
    pub(crate) async fn staged(&self, app: &str) -> usize {
        self.container.names(&format!("{app}/staging")).await.len()
    }

    /// Waits until no message waits, and says how many are dead letters.
    pub(crate) async fn settled(&self) -> usize {
        // They may be many, and Azurite does one thing at a time.
        wait::within(Duration::from_secs(120), "no message waits", async || {
            let (waiting, dead) = self.bus.count(TOPIC, SUBSCRIPTION);
            (waiting == 0).then_some(dead)
        })
        .await
    }

    /// What the handler has logged with this message.
    pub(crate) fn logged(&self, message: &str) -> Vec<Value> {
        let lines = self.host.log();
        let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["message"] == message).collect()
    }

    /// How many uploads it has written into bases that were found by a message, or by a sweep.
    pub(crate) fn written(&self, by: &str) -> u64 {
        let written = self.logged("base profile written");
        written.iter().filter(|line| line["by"] == by).filter_map(|line| line["uploads"].as_u64()).sum()
    }
}

impl Drop for Rig {
    /// What went wrong is mostly in the handler's log.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (waiting, dead) = self.bus.count(TOPIC, SUBSCRIPTION);
            println!("{waiting} messages wait, {dead} are dead letters; the handler has logged:");
            self.host.log().iter().for_each(|line| println!("{line}"));
        }
    }
}

/// The folder as it is deployed: what README.md of the handler says belongs in it, and nothing else.
fn deployed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let from = root().join("functions/azure").canonicalize().expect("the handler's folder");
    for name in ["host.json", "server", "worker", "sweep"] {
        symlink(from.join(name), folder.path().join(name)).expect("linked");
    }
    symlink(program(), folder.path().join("autopgo-azure")).expect("linked");
    folder
}
