//! A proxy that writes down what is asked of the server behind it.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use autopgo_conformance::wire::Request;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::iam::Asked;

/// A proxy on a port of its own. It ends when it is dropped.
pub struct Recorder {
    /// Its base URL.
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Recorder {
    /// One in front of the server at this `http://IP:PORT`.
    ///
    /// # Panics
    /// When there is no port for it, or that is no address.
    pub async fn before(server: &str) -> Self {
        let server: SocketAddr = server.trim_start_matches("http://").parse().expect("http://IP:PORT");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::default();
        let writes = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            // With the task end the connections.
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let asked = Arc::clone(&writes);
                // One that breaks is its client's affair.
                connections.spawn(async move { pass(client, server, &asked).await });
                while connections.try_join_next().is_some() {}
            }
        });
        Self { url, asked, task }
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Passes one request on, as it came and signed as it was, and its answer back.
async fn pass(mut client: TcpStream, server: SocketAddr, asked: &Mutex<Vec<Asked>>) -> io::Result<()> {
    let Some(request) = Request::read(&mut client).await? else { return Ok(()) };
    // Bodies of other methods are profiles.
    let body = if request.method == "POST" { request.body.clone() } else { Vec::new() };
    let (method, target, headers) = (request.method.clone(), request.target.clone(), request.headers.clone());
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(Asked { method, target, headers, body });
    let mut server = TcpStream::connect(server).await?;
    request.send(&mut server).await?;
    tokio::io::copy(&mut server, &mut client).await?;
    client.shutdown().await
}
