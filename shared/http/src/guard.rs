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

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tokio::time::Instant;
    use tower::ServiceExt;

    fn ask(path: &str) -> Request {
        Request::get(path).body(Body::empty()).expect("a request")
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_hangs_is_given_up_and_its_place_free_again() {
        let room = Room::new(1);
        let hang = || async { std::future::pending::<()>().await };
        let router = Router::new().route("/", get(hang)).layer(from_fn_with_state(room.clone(), admit));
        let start = Instant::now();
        let response = router.oneshot(ask("/")).await.expect("infallible");
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(start.elapsed().as_secs(), 600);
        assert_eq!(room.0.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_place_is_taken_until_the_answer_is_sent() {
        let room = Room::new(1);
        let router = Router::new()
            .route("/", get(|| async { "hello" }))
            .layer(from_fn_with_state(room.clone(), admit));
        let first = router.clone().oneshot(ask("/")).await.expect("infallible");
        assert_eq!(first.status(), StatusCode::OK);
        let second = router.clone().oneshot(ask("/")).await.expect("infallible");
        assert_eq!(second.status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(first);
        assert_eq!(router.oneshot(ask("/")).await.expect("infallible").status(), StatusCode::OK);
    }
}
