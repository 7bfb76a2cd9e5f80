//! A gate between a server and one client: what the server says waits there until it is opened.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// It ends when it is dropped.
pub(crate) struct Gate {
    address: SocketAddr,
    open: watch::Sender<bool>,
    /// What the client has said, and what the server has.
    said: [Said; 2],
    task: JoinHandle<()>,
}

#[derive(Clone, Default)]
struct Said(Arc<Mutex<String>>);

impl Gate {
    pub(crate) async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (open, opened) = watch::channel(true);
        let said = [Said::default(), Said::default()];
        let [asked, told] = said.clone();
        let task = tokio::spawn(async move {
            let (client, _) = listener.accept().await.expect("a client");
            let server = TcpStream::connect(server).await.expect("a server");
            client.set_nodelay(true).expect("an option");
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let always = watch::channel(true).1;
            tokio::join!(
                pass(from_client, to_server, asked, always),
                pass(from_server, to_client, told, opened)
            );
        });
        Self { address, open, said, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    pub(crate) fn close(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn open(&self) {
        self.open.send_replace(true);
    }

    /// How much the client has said.
    pub(crate) fn said(&self) -> usize {
        self.said[0].0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(crate) fn server_has_said(&self, what: &str) -> bool {
        self.said[1].has(what)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Said {
    fn has(&self, what: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(what)
    }
}

/// Until either end is gone. It goes as over a slow line, in pieces that are read one by one.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, said: Said, mut open: watch::Receiver<bool>) {
    let (mut waiting, mut piece) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = from.read(&mut piece) => match read {
                Ok(length @ 1..) => {
                    let piece = &piece[..length];
                    said.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(piece));
                    waiting.extend_from_slice(piece);
                }
                _ => return,
            },
            Ok(()) = open.changed() => {}
        }
        if *open.borrow() {
            for piece in waiting.chunks(waiting.len() / 4 + 1) {
                if to.write_all(piece).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            waiting.clear();
        }
    }
}
