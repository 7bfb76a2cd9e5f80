//! A NATS server of a test's own, from the binary that `AUTOPGO_TEST_NATS_SERVER` names.

#![expect(clippy::expect_used, clippy::panic, reason = "a test whose server does not start has failed")]

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use autopgo_core::error::{Error, Kind, Result};

use crate::bus::Broker;
use crate::skip;

const VARIABLE: &str = "AUTOPGO_TEST_NATS_SERVER";

/// A server with JetStream. It ends with the test.
pub struct Nats {
    binary: PathBuf,
    port: u16,
    data: tempfile::TempDir,
    more: Vec<String>,
    child: Mutex<Option<Child>>,
}

impl Nats {
    /// One that runs, or `None`, said aloud.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start() -> Option<Self> {
        Self::with(&[])
    }

    /// The same, with more of its options.
    ///
    /// # Panics
    /// When it does not start.
    pub fn with(more: &[&str]) -> Option<Self> {
        let Some(binary) = std::env::var_os(VARIABLE).filter(|binary| !binary.is_empty()) else {
            skip(
                "nats-server",
                &format!("{VARIABLE} names no nats-server; `tests/run services` installs one"),
            );
            return None;
        };
        let more: Vec<String> = more.iter().map(|option| (*option).to_owned()).collect();
        // Somebody may be faster with the port.
        for _ in 0..5 {
            let server = Self {
                binary: binary.clone().into(),
                port: free_port(),
                data: tempfile::tempdir().expect("a folder"),
                more: more.clone(),
                child: Mutex::default(),
            };
            server.spawn();
            if server.answers() {
                return Some(server);
            }
        }
        panic!("nats-server does not start");
    }

    /// `IP:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// As clients are told.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    fn spawn(&self) {
        let child = Command::new(&self.binary)
            .args(["--addr", "127.0.0.1", "--port", &self.port.to_string(), "--jetstream", "--store_dir"])
            .arg(self.data.path())
            .args(&self.more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        *self.child() = Some(child.expect("nats-server"));
    }

    /// Whether it greets, within a while and as long as it lives.
    fn answers(&self) -> bool {
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until && self.lives() {
            if greets(self.port) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    fn lives(&self) -> bool {
        self.child().as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    fn end(&self) {
        if let Some(mut child) = self.child().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.end();
    }
}

#[async_trait]
impl Broker for Nats {
    /// Without a word, which is harder than an operator would.
    async fn stop(&self) -> Result<()> {
        tokio::task::block_in_place(|| self.end());
        Ok(())
    }

    async fn start(&self) -> Result<()> {
        let answers = tokio::task::block_in_place(|| {
            self.spawn();
            self.answers()
        });
        match answers {
            true => Ok(()),
            false => Err(Error::new(Kind::Internal, "nats-server does not start again")),
        }
    }
}

/// The first that a server says is `INFO`.
fn greets(port: u16) -> bool {
    use std::io::Read;
    let Ok(mut stream) = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    let mut first = [0; 4];
    stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok()
        && stream.read_exact(&mut first).is_ok()
        && &first == b"INFO"
}

/// A port of the loopback address on which nobody listens.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}
