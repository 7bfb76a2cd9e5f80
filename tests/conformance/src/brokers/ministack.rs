//! A MiniStack of a test's own, for whoever stops it. It keeps what it has in a folder when it is told to end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use autopgo_core::error::{Error, Kind, Result};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::bus::Broker;

const VARIABLE: &str = "AUTOPGO_TEST_MINISTACK";
/// How long it may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
/// It ends with the process that holds its standard input, however that ends. The folder is what it is known by.
const PROGRAM: &str = "
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
sys.argv.pop()
from ministack.app import main
main()
";

/// A server that can be stopped and started again. It ends with this.
pub struct Ministack {
    python: PathBuf,
    address: SocketAddr,
    folder: TempDir,
    process: Mutex<Option<Child>>,
}

impl Ministack {
    /// Starts one on a port of its own, with the Python that `AUTOPGO_TEST_MINISTACK` names.
    ///
    /// # Errors
    /// When there is none, or it does not start.
    pub async fn started() -> Result<Self> {
        let python = std::env::var_os(VARIABLE)
            .ok_or_else(|| {
                Error::new(Kind::Internal, format!("{VARIABLE} names no Python that has MiniStack"))
            })?
            .into();
        // Nobody else is given this port so soon.
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| failed("a port", error))?;
        let address = listener.local_addr().map_err(|error| failed("a port", error))?;
        drop(listener);
        let folder = tempfile::tempdir().map_err(|error| failed("a folder", error))?;
        let own = Self { python, address, folder, process: Mutex::default() };
        own.start().await?;
        Ok(own)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn process(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answers(&self) -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(b"GET /_ministack/health HTTP/1.0\r\nhost: 127.0.0.1\r\n\r\n").await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(answer.get(8..12) == Some(b" 200"))
    }
}

#[async_trait]
impl Broker for Ministack {
    async fn stop(&self) -> Result<()> {
        let Some(mut child) = self.process().take() else { return Ok(()) };
        let told = Command::new("kill").arg(child.id().to_string()).status();
        told.map_err(|error| failed("telling the server to end", error))?;
        let start = Instant::now();
        while child.try_wait().map_err(|error| failed("waiting for the server", error))?.is_none() {
            if start.elapsed() > PATIENCE {
                let _ = child.kill();
                return Err(Error::new(Kind::Internal, "the server does not end"));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    async fn start(&self) -> Result<()> {
        let folder = self.folder.path();
        let child = Command::new(&self.python)
            .args(["-c", PROGRAM])
            .arg(folder)
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", self.address.port().to_string())
            .env("PERSIST_STATE", "1")
            .envs(["STATE_DIR", "S3_DATA_DIR", "TMPDIR"].map(|name| (name, folder)))
            .env("LOG_LEVEL", "ERROR")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failed("starting a server", error))?;
        *self.process() = Some(child);
        let start = Instant::now();
        while !self.answers().await.unwrap_or(false) {
            if start.elapsed() > PATIENCE {
                return Err(Error::new(Kind::Internal, "a server does not answer"));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        if let Some(mut child) = self.process().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn failed(what: &'static str, error: std::io::Error) -> Error {
    Error::new(Kind::Internal, what).because(error)
}
