//! One client's connection: HTTP/1.1, request after request, until it is idle for too long or the process stops.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use autopgo_core::limits::Limits;
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::Request;
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
            async move {
                Ok::<_, std::convert::Infallible>(answer.await?.map(|body| Tail::on(body, Answer(pulse))))
            }
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
