//! A store over HTTP that takes whatever comes, whatever its condition, and counts its requests: what a worker must refuse.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::wire::Request;

/// What it says: headers, each with its line end, and a body. It is told the method, and how many requests came before.
pub type Words = fn(&str, usize) -> (String, String);

/// A store on loopback, for as long as the runtime runs.
pub struct Lax {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Lax {
    /// One that answers 200 with these words.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(words: Words) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&counter), words));
            }
        });
        Ok(Self { address, requests })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests came.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn answer(mut stream: TcpStream, requests: Arc<AtomicUsize>, words: Words) -> io::Result<()> {
    let Some(request) = Request::read(&mut stream).await? else { return Ok(()) };
    let (headers, body) = words(&request.method, requests.fetch_add(1, Ordering::SeqCst));
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all((head + &body).as_bytes()).await?;
    stream.shutdown().await
}
