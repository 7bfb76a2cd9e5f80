//! What a request may cost before it is refused: how many at once, for how long, and ([`body`]) how many bytes.

pub(crate) mod body;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::fail::Failure;
use crate::tail::Tail;

/// How long a request may take until its answer begins. Far above what any takes, and below the 20 minutes that the
/// ledger allows for a write under way.
const LONGEST: Duration = Duration::from_secs(10 * 60);
/// Seconds after which a server that is full may be asked again.
const SOON: u32 = 1;

/// Room for so many requests at once.
#[derive(Clone)]
pub(crate) struct Room(Arc<Semaphore>);

impl Room {
    /// Room for `requests`.
    pub(crate) fn new(requests: usize) -> Self {
        Self(Arc::new(Semaphore::new(requests.clamp(1, Semaphore::MAX_PERMITS))))
    }
}

/// Lets a request in if there is room, at once: queueing would hide an overload and keep bodies waiting. The place is
/// free again when the answer was sent, because until then its bytes are in memory.
pub(crate) async fn admit(State(Room(room)): State<Room>, request: Request, next: Next) -> Response {
    let Ok(place) = room.try_acquire_owned() else {
        return Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the server has too many requests at once; try again",
        )
        .retry_after(SOON)
        .into_response();
    };
    match timeout(LONGEST, next.run(request)).await {
        Ok(response) => response.map(|body| Tail::on(body, place)),
        Err(_) => {
            tracing::error!(limit_ms = LONGEST.as_millis(), "a request took too long and was given up");
            Failure::new(StatusCode::SERVICE_UNAVAILABLE, "the server took too long; try again")
                .into_response()
        }
    }
}
