//! A server that answers as it is told to, for what no emulator does.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use autopgo_core::error::Result;
use autopgo_core::port::bus::{Subscription, Topic};
use autopgo_pubsub::open::{subscription, topic};
use bytes::{Bytes, BytesMut};
use h2::server::{SendResponse, handshake};
use http::{HeaderMap, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;

use crate::rig::environment;

/// A call that came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The method alone, without its service.
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// How many connections were opened before the one by which it came.
    pub(crate) connection: usize,
    /// The message, in hexadecimal.
    pub(crate) message: String,
}

/// What a call is answered with.
pub(crate) enum Answer {
    /// A message, in hexadecimal.
    Message(&'static str),
    /// An error, and its details in hexadecimal.
    Error(Code, &'static str),
    /// Nothing, ever.
    Silence,
}

/// An answer to a call, and to how many of its method came before it.
type Answers = Box<dyn Fn(&Asked, usize) -> Answer + Send + Sync>;

/// One that runs. It ends with the test.
pub(crate) struct Canned {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Canned {
    pub(crate) async fn new(answers: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let (answers, asking) = (Arc::<Answers>::new(Box::new(answers)), Arc::clone(&asked));
        tokio::spawn(async move {
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else { break };
                tokio::spawn(serve(stream, connection, Arc::clone(&answers), Arc::clone(&asking)));
            }
        });
        Self { address, asked }
    }

    pub(crate) async fn topic(&self) -> Arc<dyn Topic> {
        topic("gcppubsub://acme/pgo", &environment(self.address)).await.expect("a topic")
    }

    pub(crate) async fn subscription(&self, query: &str) -> Arc<dyn Subscription> {
        let url = format!("gcppubsub://acme/worker?{query}");
        subscription(&url, &environment(self.address)).await.expect("a subscription")
    }

    /// The calls of this method that came.
    pub(crate) fn asked(&self, method: &str) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().filter(|asked| asked.method == method).cloned().collect()
    }
}

async fn serve(stream: TcpStream, number: usize, answers: Arc<Answers>, seen: Arc<Mutex<Vec<Asked>>>) {
    let Ok(mut connection) = handshake(stream).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(one(request, respond, number, Arc::clone(&answers), Arc::clone(&seen)));
    }
}

/// Serves one call. A client that is gone is its own affair.
async fn one(
    request: Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    connection: usize,
    answers: Arc<Answers>,
    seen: Arc<Mutex<Vec<Asked>>>,
) {
    let (head, mut body) = request.into_parts();
    let mut message = BytesMut::new();
    while let Some(Ok(chunk)) = body.data().await {
        message.extend_from_slice(&chunk);
    }
    // In front of each message, whether it is compressed, and its length.
    let message: String = message.iter().skip(5).map(|byte| format!("{byte:02x}")).collect();
    let path = head.uri.path().to_owned();
    let method = path.rsplit('/').next().unwrap_or_default().to_owned();
    let asked = Asked { method, path, headers: head.headers, connection, message };
    let before = {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(asked.clone());
        seen.iter().filter(|earlier| earlier.method == asked.method).count() - 1
    };
    let head = Response::builder().header("content-type", "application/grpc");
    let _: Result<(), h2::Error> = match answers(&asked, before) {
        Answer::Message(message) => {
            async {
                let message = unhex(message);
                let length = u32::try_from(message.len()).expect("short").to_be_bytes();
                let frame = [&[0], &length[..], &message[..]].concat();
                let mut stream = respond.send_response(head.body(()).expect("a head"), false)?;
                stream.send_data(frame.into(), false)?;
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().expect("a header"));
                stream.send_trailers(trailers)
            }
            .await
        }
        Answer::Error(code, details) => {
            use base64::Engine;
            let details = base64::engine::general_purpose::STANDARD_NO_PAD.encode(unhex(details));
            let head = head
                .header("grpc-status", i32::from(code))
                .header("grpc-message", "canned")
                .header("grpc-status-details-bin", details);
            respond.send_response(head.body(()).expect("a head"), true).map(drop)
        }
        Answer::Silence => std::future::pending().await,
    };
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    (0..text.len()).step_by(2).map(digits).collect()
}
