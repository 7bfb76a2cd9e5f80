//! The `autopgo` command as a process of its own, as a person would run it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::paths::root;
use crate::{facts, wait};

/// The command with every cloud in it, and for the stories about them every store and bus; as a release if this is one.
///
/// # Panics
/// When it cannot be built.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| program("autopgo"))
}

/// The program of the package `name`, as a release if this is one. Cargo makes it anew only when a source has changed.
///
/// # Panics
/// When it cannot be built.
pub fn program(name: &str) -> PathBuf {
    let usual =
        if cfg!(feature = "services") { "autopgo/full" } else { "autopgo/aws,autopgo/azure,autopgo/gcp" };
    // `tests/run` names those that it builds the tests with.
    let features = std::env::var("AUTOPGO_TEST_FEATURES").unwrap_or_else(|_| usual.to_owned());
    // With a test among the targets, and of the whole workspace: so what it leans on is what the tests have already. A
    // release is measured, and is what is in it alone.
    let what: &[&str] = if cfg!(debug_assertions) {
        &["--workspace", "--bin", name, "--test", "house"]
    } else {
        &["--package", name]
    };
    cargo_builds(name, &[what, &["--features", &features]].concat())
}

/// The one program of this package, with no feature that the package itself does not ask for.
///
/// # Panics
/// When it cannot be built.
pub fn alone(package: &str, arguments: &[&str]) -> PathBuf {
    cargo_builds(package, &[&["--package", package], arguments].concat())
}

fn cargo_builds(name: &str, arguments: &[&str]) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--message-format", "json"])
        .args(if cfg!(debug_assertions) { &[][..] } else { &["--release"] })
        .args(arguments)
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{name} cannot be built");
    let messages = String::from_utf8(output.stdout).expect("cargo speaks UTF-8");
    let mut messages =
        messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let made = messages.find_map(|message| {
        let target = &message["target"];
        let wanted = target["name"] == name && target["kind"][0] == "bin";
        wanted.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    });
    made.expect("cargo names the executable")
}

/// A call of the command, without any `AUTOPGO_*` of whoever runs the tests.
pub fn autopgo(arguments: &[&str]) -> Command {
    call(binary(), arguments)
}

/// The same of another program.
pub fn call(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AUTOPGO_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs the command to its end.
///
/// # Panics
/// When it cannot be started.
pub fn run(arguments: &[&str]) -> Output {
    autopgo(arguments).output().expect("autopgo starts")
}

/// Runs the command to its end and gives its standard output.
///
/// # Panics
/// When it fails.
pub fn succeed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A command that runs until it is stopped. Killed when it is dropped.
pub struct Running {
    child: Child,
    log: Log,
    logging: tokio::task::JoinHandle<()>,
    /// The base URL of its HTTP API.
    pub url: String,
}

impl Running {
    /// Starts `command`, which listens at `address` when `GET /api/ready` answers there.
    ///
    /// # Panics
    /// When it cannot be started, or is not ready in time.
    pub async fn start(command: Command, address: SocketAddr) -> Self {
        Self::start_at(command, format!("http://{address}")).await
    }

    /// The same, whose API is at this base URL.
    ///
    /// # Panics
    /// When it cannot be started, or is not ready in time.
    pub async fn start_at(mut command: Command, url: String) -> Self {
        command.env("AUTOPGO_LOG_FORMAT", "json").stderr(Stdio::piped()).stdout(Stdio::null());
        let mut child =
            tokio::process::Command::from(command).kill_on_drop(true).spawn().expect("autopgo starts");
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let log = Log::default();
        let logging = tokio::spawn(collect(lines, log.clone()));
        let mut running = Self { child, log, logging, url };
        let ready = format!("{}/api/ready", running.url);
        wait::until("autopgo is ready", async || {
            if let Ok(Some(status)) = running.child.try_wait() {
                panic!("autopgo ended with {status}: {:#?}", running.log());
            }
            reqwest::get(&ready).await.ok().filter(|answer| answer.status().is_success())
        })
        .await;
        running
    }

    /// What it has logged so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lines()
    }

    /// Ends it as a power cut would.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("killed");
    }

    /// Asks it to stop and gives its exit code and its log lines.
    ///
    /// # Panics
    /// When it does not stop in time.
    pub async fn stop(mut self) -> (Option<i32>, Vec<String>) {
        let id = self.id().to_string();
        let kill =
            tokio::process::Command::new("kill").args(["-TERM", &id]).status().await.expect("kill runs");
        assert!(kill.success());
        let status = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        let status = status.expect("it stops within 30 s").expect("it can be waited for");
        self.logging.await.expect("the log");
        (status.code(), self.log.lines())
    }

    /// The most memory that it ever held, in bytes.
    ///
    /// # Panics
    /// Where `/proc` does not tell.
    pub fn peak_memory(&self) -> u64 {
        facts::peak_memory(self.id()).expect("/proc")
    }

    /// The memory that it holds now, in bytes.
    ///
    /// # Panics
    /// Where `/proc` does not tell.
    pub fn memory(&self) -> u64 {
        facts::memory(self.id()).expect("/proc")
    }

    /// How many files, sockets among them, it has open.
    ///
    /// # Panics
    /// Where `/proc` does not tell.
    pub fn open_files(&self) -> usize {
        facts::open_files(self.id()).expect("/proc")
    }

    fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }
}

/// Runs the command to its end and gives its standard output, and the most memory that it held, in bytes, as seen just
/// before it ended.
///
/// # Panics
/// When it cannot be started, fails, or takes minutes.
pub async fn measured(command: Command) -> (String, u64) {
    let shown = format!("{command:?}");
    let mut command = tokio::process::Command::from(command);
    let mut child = command.kill_on_drop(true).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut pipe = child.stdout.take().expect("a pipe");
    let reading = tokio::spawn(async move {
        let mut out = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut pipe, &mut out).await.expect("UTF-8");
        out
    });
    let mut most = 0;
    let status = wait::within(Duration::from_secs(300), "it ends", async || {
        most = child.id().and_then(facts::peak_memory).unwrap_or(0).max(most);
        child.try_wait().expect("it can be waited for")
    })
    .await;
    assert!(status.success(), "{shown}: {status}");
    (reading.await.expect("its output"), most)
}

/// Lines of a log, as they come.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn push(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

async fn collect(mut lines: tokio::io::Lines<BufReader<tokio::process::ChildStderr>>, log: Log) {
    while let Ok(Some(line)) = lines.next_line().await {
        log.push(line);
    }
}

/// An address on loopback that nobody listens at just now.
///
/// # Panics
/// When there is none.
pub fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}

/// `autopgo local` over `data`, swept often, so that a story need not wait for minutes.
pub async fn local(data: &Path, more: &[&str]) -> Running {
    let address = free_address();
    let port = address.port().to_string();
    let data = data.to_str().expect("a UTF-8 path");
    let mut arguments =
        vec!["local", "--port", &port, "--data-dir", data, "--sweep-every", "500ms", "--sweep-after", "1s"];
    arguments.extend(more);
    Running::start(autopgo(&arguments), address).await
}
