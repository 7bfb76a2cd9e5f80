//! A request's body in memory, within the limit, from a client that keeps sending.

use std::time::Duration;

use autopgo_core::server::Server;
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use crate::fail::Failure;

/// How long a whole body may take: less than the five minutes by which an idempotency key may be old when it has come.
/// The largest body by default makes it at 1.2 Mbit/s.
const LONGEST: Duration = Duration::from_secs(4 * 60);

/// How long to wait for a body.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The longest silence.
    pub silence: Duration,
    /// The longest time in all.
    pub all: Duration,
}

impl Patience {
    /// For what must be here while its idempotency key is fresh.
    pub(crate) const SHORT: Self = Self { silence: LONGEST, all: LONGEST };
    /// For what has a ticket: almost as long as a request may take.
    pub(crate) const LONG: Self = Self { silence: LONGEST, all: Duration::from_secs(9 * 60) };
}

/// Reads a body of at most `most` bytes; a larger one is `too_large`, before a byte is read where the length was
/// announced.
///
/// # Errors
/// 408 for a client that stalls or trickles; 400 for one that stops half-way.
pub async fn whole(
    mut body: Body,
    most: u64,
    patience: Patience,
    too_large: impl Fn() -> Failure,
) -> Result<Bytes, Failure> {
    let announced = body.size_hint().lower();
    if announced > most {
        return Err(too_large());
    }
    let mut whole = Vec::with_capacity(usize::try_from(announced).map_err(|_| too_large())?);
    let end = Instant::now() + patience.all;
    loop {
        let until = end.min(Instant::now() + patience.silence);
        let frame = timeout_at(until, body.frame()).await.map_err(|_| slow())?;
        let Some(frame) = frame else { break };
        // What is no data is trailers, which nobody asked for.
        let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
        if (whole.len() + data.len()) as u64 > most {
            return Err(too_large());
        }
        whole.extend_from_slice(&data);
    }
    // One without a length grew by doubling, and may be kept.
    whole.shrink_to_fit();
    Ok(whole.into())
}

/// A whole body.
pub(crate) struct Whole(pub(crate) Bytes);

impl FromRequest<Server> for Whole {
    type Rejection = Failure;

    /// # Errors
    /// 413 over the limit, before a byte is read where the length was announced; 408 for a client that stalls or
    /// trickles; 400 for one that stops half-way.
    async fn from_request(request: Request, server: &Server) -> Result<Self, Failure> {
        let limits = &server.host().limits;
        let too_large = || {
            let message = format!(
                "the body is larger than {} bytes, the most that this server takes (AUTOPGO_MAX_BODY_BYTES)",
                limits.body_bytes
            );
            Failure::new(StatusCode::PAYLOAD_TOO_LARGE, message)
        };
        let patience = Patience { silence: limits.idle_timeout, ..Patience::SHORT };
        whole(request.into_body(), limits.body_bytes, patience, too_large).await.map(Self)
    }
}

fn slow() -> Failure {
    Failure::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time; send it again, faster")
}

fn broken(error: &axum::Error) -> Failure {
    tracing::debug!(error = %error, "a body broke off");
    Failure::new(StatusCode::BAD_REQUEST, "the body ended before it was whole, or its chunks are malformed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use autopgo_core::clock::System;
    use autopgo_core::host::Host;
    use autopgo_core::limits::Limits;
    use autopgo_core::memory::blobs::MemoryBlobs;
    use autopgo_core::memory::bus::{ACK_DEADLINE, MemoryBus};
    use autopgo_core::port::cpu::Inline;
    use futures_util::stream;
    use tokio::time::sleep;

    /// What becomes of a body without length of `frames`, each of four bytes and each after `pause`.
    async fn taken(frames: usize, pause: Duration, limits: Limits) -> Result<usize, Failure> {
        let clock = Arc::new(System);
        let bus = Arc::new(MemoryBus::new(clock.clone(), ACK_DEADLINE));
        let blobs = Arc::new(MemoryBlobs::new(clock.clone()));
        let server = Server::new(Host::new(blobs, bus, clock, Arc::new(Inline), limits));
        let frames = stream::unfold(0, move |sent| async move {
            sleep(pause).await;
            (sent < frames).then_some((Ok::<_, std::io::Error>("four"), sent + 1))
        });
        let request = Request::new(Body::from_stream(frames));
        Whole::from_request(request, &server).await.map(|Whole(bytes)| bytes.len())
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_is_met_at_its_edge() {
        let limits = Limits { body_bytes: 400, ..Limits::default() };
        assert_eq!(taken(100, Duration::ZERO, limits.clone()).await, Ok(400));
        let failure = taken(101, Duration::ZERO, limits).await.expect_err("over the limit");
        assert_eq!(failure.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stalls_or_trickles_is_given_up() {
        let start = Instant::now();
        assert_eq!(taken(4, Duration::from_secs(59), Limits::default()).await, Err(slow()));
        assert_eq!(start.elapsed(), LONGEST);
        let start = Instant::now();
        assert_eq!(taken(2, Duration::from_secs(61), Limits::default()).await, Err(slow()));
        assert_eq!(start.elapsed(), Limits::default().idle_timeout);
        assert_eq!(taken(2, Duration::from_secs(59), Limits::default()).await, Ok(8));
    }
}
