//! A Kafka broker of a test's own, for whoever stops one. It keeps what it has in a folder.

use std::net::{Ipv4Addr, SocketAddr, TcpListener as Port};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use autopgo_core::error::{Error, Kind, Result};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bus::Broker;

/// The folder with its jars. The program beside the tests reads it.
const JARS: &str = "AUTOPGO_TEST_KAFKA";
/// How long it may take to start, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);
/// Asks which versions it speaks, as every client begins: request 18 of Kafka's protocol, without a name.
const VERSIONS: &[u8] = b"\0\0\0\x0a\0\x12\0\0\0\0\0\x01\xff\xff";

/// A broker that can be stopped and started again. It ends with this.
pub struct Kafka {
    ports: [u16; 2],
    folder: TempDir,
    more: Vec<String>,
    process: Mutex<Option<Child>>,
}

impl Kafka {
    /// Starts one on ports of its own, with more lines of configuration.
    ///
    /// # Errors
    /// When `AUTOPGO_TEST_KAFKA` names no jars, or it does not start.
    pub async fn started(more: &[&str]) -> Result<Self> {
        if std::env::var_os(JARS).is_none() {
            return Err(Error::new(Kind::Internal, format!("{JARS} names no folder with Kafka's jars")));
        }
        let folder = tempfile::tempdir().map_err(|error| failed("a folder", error))?;
        let more = more.iter().map(|line| (*line).to_owned()).collect();
        let own = Self { ports: free_ports()?, folder, more, process: Mutex::default() };
        own.start().await?;
        Ok(own)
    }

    /// `IP:PORT`, as clients are told.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    /// Ends it without a word, which is harder than an operator would.
    pub fn end(&self) {
        if let Some(mut child) = self.process().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    async fn answers(&self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports[0]))).await?;
        stream.write_all(VERSIONS).await?;
        let length = tokio::time::timeout(Duration::from_secs(5), stream.read_u32()).await;
        length.map_err(std::io::Error::other)?.map(drop)
    }

    fn lives(&self) -> bool {
        self.process().as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    fn process(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Broker for Kafka {
    async fn stop(&self) -> Result<()> {
        tokio::task::block_in_place(|| self.end());
        Ok(())
    }

    async fn start(&self) -> Result<()> {
        let program: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kafka-broker");
        let child = Command::new(program)
            .arg(self.folder.path())
            .args(self.ports.map(|port| port.to_string()))
            .args(&self.more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failed("starting a broker", error))?;
        *self.process() = Some(child);
        let start = Instant::now();
        while self.answers().await.is_err() {
            if start.elapsed() > PATIENCE || !self.lives() {
                return Err(Error::new(Kind::Internal, "a broker does not answer"));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.end();
    }
}

/// Nobody else is given these so soon.
fn free_ports() -> Result<[u16; 2]> {
    let free = || Port::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|port| Ok((port.local_addr()?.port(), port)));
    let ((one, _held), (two, _too)) =
        (free().map_err(|error| failed("a port", error))?, free().map_err(|error| failed("a port", error))?);
    Ok([one, two])
}

fn failed(what: &'static str, error: std::io::Error) -> Error {
    Error::new(Kind::Internal, what).because(error)
}
