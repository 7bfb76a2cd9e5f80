//! A server that answers as it is told to, for what no emulator does.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use autopgo_conformance::wire::{Request, answer};
use tokio::net::{TcpListener, TcpStream};

/// A status and a body for the body of a request.
type Answers = dyn Fn(&str) -> (u16, String) + Send + Sync;

/// The bodies of the requests that came.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Starts one, which ends with the test.
pub(crate) async fn server(
    answers: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
) -> (SocketAddr, Seen) {
    let answers: Arc<Answers> = Arc::new(answers);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let seen = Seen::default();
    let serving = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&answers), serving.clone()));
        }
    });
    (address, seen)
}

async fn serve(mut stream: TcpStream, answers: Arc<Answers>, seen: Seen) {
    let Ok(Some(request)) = Request::read(&mut stream).await else { return };
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let (status, text) = answers(&body);
    seen.0.lock().unwrap_or_else(PoisonError::into_inner).push(body);
    // A client that is gone is its own affair.
    let _ = answer(&mut stream, status, text.as_bytes()).await;
}
