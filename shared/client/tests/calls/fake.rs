//! A server of raw bytes: it reads whole requests, keeps them, and answers as a script says, misbehaviour included.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_client::{Client, Options, Patience};
use autopgo_core::clock::Clock;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What is done with the next request.
pub(crate) enum Reply {
    /// These bytes, and the connection is closed in an orderly way.
    Bytes(Vec<u8>),
    /// These pieces with a pause before each.
    Drip(Vec<Vec<u8>>, Duration),
    /// The connection is reset.
    Reset,
    /// Nothing, until the client goes.
    Silence,
    /// These bytes as soon as the head is there; then the connection is closed with the body unread.
    Early(Vec<u8>),
    /// The body is read in pieces of 64 KiB with a pause before each; then these bytes.
    Slow(Duration, Vec<u8>),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// `GET /path HTTP/1.1`.
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

pub(crate) struct Fake {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Fake {
    /// Answers each request with the next reply of `script`, and any further one with a 599.
    pub(crate) async fn start(script: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(VecDeque::from(script)));
        let kept = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&kept)));
            }
        });
        Self { url, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("seen").clone()
    }

    /// A client of this server that never really waits between tries.
    pub(crate) fn client(&self, options: Options) -> (Client, Arc<Quick>) {
        let clock = Arc::new(Quick::default());
        let client = Client::new(&self.url, options).expect("a client").with_clock(Arc::clone(&clock) as _);
        (client, clock)
    }
}

/// Options with a patience of `seconds` for everything.
pub(crate) fn patient(seconds: u64) -> Options {
    let patience = Duration::from_secs(seconds);
    Options { patience: Patience { faults: patience, unreachable: patience }, ..Options::default() }
}

/// An answer with a JSON body.
pub(crate) fn json(status: &str, body: &str) -> Vec<u8> {
    answer(status, "Content-Type: application/json\r\n", body.as_bytes())
}

/// An answer with `Connection: close` and the right length.
pub(crate) fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n", body.len())
            .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

async fn serve(mut stream: TcpStream, script: Arc<Mutex<VecDeque<Reply>>>, seen: Arc<Mutex<Vec<Seen>>>) {
    let Some((mut request, length)) = head(&mut stream).await else { return };
    let reply = script.lock().expect("script").pop_front();
    let reply = reply.unwrap_or_else(|| Reply::Bytes(answer("599 End Of Script", "", b"")));
    let pause = match &reply {
        Reply::Early(bytes) => {
            seen.lock().expect("seen").push(request);
            let _ = stream.write_all(bytes).await;
            return;
        }
        Reply::Slow(pause, _) => Some(*pause),
        _ => None,
    };
    while request.body.len() < length {
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
        let mut piece = vec![0; 64 << 10];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(count) => request.body.extend_from_slice(&piece[..count]),
        }
    }
    seen.lock().expect("seen").push(request);
    match reply {
        Reply::Bytes(bytes) | Reply::Early(bytes) | Reply::Slow(_, bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Reply::Drip(pieces, pause) => {
            for piece in pieces {
                tokio::time::sleep(pause).await;
                if stream.write_all(&piece).await.is_err() {
                    return;
                }
            }
        }
        Reply::Reset => {
            let _ = stream.set_zero_linger();
        }
        Reply::Silence => {
            let mut rest = [0; 1];
            let _ = stream.read(&mut rest).await;
        }
    }
}

async fn head(stream: &mut TcpStream) -> Option<(Seen, usize)> {
    let mut bytes = Vec::new();
    let end = loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let line = lines.next()?.to_owned();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let seen = Seen { line, headers, body: bytes[end + 4..].to_vec() };
    let length = seen.header("content-length").map_or(0, |length| length.parse().expect("a length"));
    Some((seen, length))
}

/// A clock on which sleeping takes no time but moves the hands, and which keeps how long each sleep was.
pub(crate) struct Quick {
    hands: Mutex<Timestamp>,
    pauses: Mutex<Vec<Duration>>,
}

impl Default for Quick {
    fn default() -> Self {
        Self { hands: Mutex::new(Timestamp::now()), pauses: Mutex::default() }
    }
}

impl Quick {
    pub(crate) fn pauses(&self) -> Vec<Duration> {
        self.pauses.lock().expect("pauses").clone()
    }
}

#[async_trait]
impl Clock for Quick {
    fn now(&self) -> Timestamp {
        *self.hands.lock().expect("hands")
    }

    async fn sleep(&self, duration: Duration) {
        self.pauses.lock().expect("pauses").push(duration);
        let mut hands = self.hands.lock().expect("hands");
        *hands = hands.saturating_add(duration).expect("in range");
    }

    fn random(&self) -> u64 {
        999_983
    }
}
