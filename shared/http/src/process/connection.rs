//! One client's connection: HTTP/1.1, request after request, until it is idle for too long or the process stops.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use autopgo_core::limits::Limits;
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::pulse::Pulse;
use super::stream::Stream;
use crate::log::Peer;
use crate::tail::{Tail, Watch};

/// Bytes of a request's line and headers. Above, hyper answers 431 by itself; so it does above 100 headers.
const HEAD_BYTES: usize = 16 << 10;
/// Bytes that are buffered of a request as it is read.
const BUFFER_BYTES: usize = 64 << 10;

/// How connections are served.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) router: Router,
    pub(super) header_timeout: Duration,
    pub(super) idle_timeout: Duration,
    /// Once it is cancelled, a connection ends with the answer that it is at.
    pub(super) stopping: CancellationToken,
}

impl Server {
    pub(super) fn new(router: Router, limits: &Limits, stopping: CancellationToken) -> Self {
        let Limits { header_timeout, idle_timeout, .. } = *limits;
        Self { router, header_timeout, idle_timeout, stopping }
    }

    /// Answers every request that comes over `stream`.
    pub(super) async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin, peer: SocketAddr) {
        let pulse = Arc::new(Pulse::new(self.header_timeout, self.idle_timeout));
        let io = TokioIo::new(Stream::new(stream, Arc::clone(&pulse)));
        let service = service_fn(|request: Request<Incoming>| {
            let answer = self.router.clone().oneshot(begun(request, &pulse, peer));
            let pulse = Arc::clone(&pulse);
            async move { Ok::<_, Infallible>(answered(answer.await?, pulse)) }
        });
        let mut http = Builder::new();
        // The pulse tells a slow head from a connection at rest; hyper's own timer does not.
        http.header_read_timeout(None).max_header_size(HEAD_BYTES).max_buf_size(BUFFER_BYTES);
        let mut connection = pin!(http.serve_connection(io, service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = pulse.expired() => return too_slow(peer),
            () = self.stopping.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => ended,
                    () = pulse.expired() => return too_slow(peer),
                }
            }
        };
        if let Err(error) = ended {
            // A client that went away, was too slow, or speaks something else: its own affair.
            tracing::debug!(client.address = %peer, error = %chain(&error), "a connection ended early");
        }
    }
}

fn too_slow(peer: SocketAddr) {
    tracing::debug!(client.address = %peer, "a connection was closed: no request came in time");
}

fn begun(request: Request<Incoming>, pulse: &Arc<Pulse>, peer: SocketAddr) -> Request<Body> {
    let has_body = !request.body().is_end_stream();
    pulse.begun(has_body);
    let mut request = request.map(Body::new);
    if has_body {
        request = request.map(|body| Tail::on(body, Question(Arc::clone(pulse))));
    }
    request.extensions_mut().insert(Peer(peer));
    request
}

fn answered(mut response: Response, pulse: Arc<Pulse>) -> Response {
    if pulse.is_unread() {
        // What is left of the request's body would be taken for the next request, so there is none.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response.map(|body| Tail::on(body, Answer(pulse)))
}

/// Tells the pulse that a request's body was read.
struct Question(Arc<Pulse>);

impl Watch for Question {
    fn ended(&mut self) {
        self.0.body_read();
    }
}

/// Tells the pulse that an answer was sent, or given up.
struct Answer(Arc<Pulse>);

impl Watch for Answer {}

impl Drop for Answer {
    fn drop(&mut self) {
        self.0.answered();
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use bytes::Bytes;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::task::JoinHandle;
    use tokio::time::{Instant, sleep};

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    /// A connection served under the default limits, and how long it lasted by the clock that the test turns.
    fn served(answer: &'static [u8]) -> (DuplexStream, JoinHandle<Duration>) {
        let router = Router::new().route("/", get(move || async move { Bytes::from_static(answer) }));
        let server = Server::new(router, &Limits::default(), CancellationToken::new());
        let (client, stream) = duplex(1024);
        let start = Instant::now();
        let served = async move {
            server.serve(stream, ([127, 0, 0, 1], 1).into()).await;
            start.elapsed()
        };
        (client, tokio::spawn(served))
    }

    #[track_caller]
    fn about(lasted: Duration, seconds: u64) {
        assert!(lasted.abs_diff(Duration::from_secs(seconds)) < Duration::from_secs(1), "{lasted:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_is_due_in_ten_seconds_from_the_start() {
        let (_silent, served) = self::served(b"");
        about(served.await.expect("no panic"), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_is_due_in_ten_seconds_from_its_first_byte() {
        let (mut client, served) = self::served(b"");
        sleep(Duration::from_secs(9)).await;
        let trickle = async {
            for byte in REQUEST {
                sleep(Duration::from_secs(2)).await;
                if client.write_all(&[*byte]).await.is_err() {
                    break;
                }
            }
        };
        let (lasted, ()) = tokio::join!(served, trickle);
        // The first byte comes too late for the first head.
        about(lasted.expect("no panic"), 10);
        let (mut client, served) = self::served(b"");
        client.write_all(&REQUEST[..5]).await.expect("it reads");
        let trickle = async {
            for byte in &REQUEST[5..] {
                sleep(Duration::from_secs(2)).await;
                if client.write_all(&[*byte]).await.is_err() {
                    break;
                }
            }
        };
        let (lasted, ()) = tokio::join!(served, trickle);
        about(lasted.expect("no panic"), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_rests_for_a_minute_between_requests() {
        let (mut client, served) = self::served(b"hello");
        let mut answer = [0; 4096];
        for _ in 0..3 {
            client.write_all(REQUEST).await.expect("it reads");
            let read = client.read(&mut answer).await.expect("it answers");
            assert!(answer[..read].ends_with(b"hello"));
            sleep(Duration::from_secs(55)).await;
        }
        client.write_all(&REQUEST[..5]).await.expect("it reads");
        about(served.await.expect("no panic"), 3 * 55 + 10);
        let (mut client, served) = self::served(b"hello");
        client.write_all(REQUEST).await.expect("it reads");
        about(served.await.expect("no panic"), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_left_after_a_minute() {
        let (mut client, served) = self::served(&[0; 1 << 20]);
        client.write_all(REQUEST).await.expect("it reads");
        about(served.await.expect("no panic"), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_drops_is_left_in_the_end() {
        let (mut client, served) = self::served(&[0; 1 << 20]);
        client.write_all(REQUEST).await.expect("it reads");
        let sips = async {
            loop {
                sleep(Duration::from_secs(50)).await;
                if client.read(&mut [0; 1024]).await.is_ok_and(|read| read == 0) {
                    break;
                }
            }
        };
        let (lasted, ()) = tokio::join!(served, sips);
        about(lasted.expect("no panic"), 20 * 60);
    }
}
