//! The targets of the demo: a few services that are not there. Each replays CPU profiles recorded from a small Go
//! program at `/debug/pprof/profile`, as `net/http/pprof` would serve them, another one each time.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use autopgo_core::error::{Error, Kind, Result};
use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The application that the recorded profiles are of.
pub const APP: &str = "hello-app";

macro_rules! recorded {
    ($($name:literal),+) => {
        [$(include_bytes!(concat!("../../tests/fixtures/profiles/hello-app/", $name, ".pprof")).as_slice()),+]
    };
}

/// What each target replays, in turn.
const TARGETS: [[&[u8]; 3]; 3] =
    [recorded!["a-1", "a-4", "b-1"], recorded!["a-2", "a-5", "b-2"], recorded!["a-3", "labels-1", "b-3"]];

/// The longest that a replay pretends to measure.
const LONGEST: Duration = Duration::from_secs(30);

/// Starts the targets on free ports of loopback, until `stop`, and gives their addresses.
///
/// # Errors
/// `Unavailable` if no port can be had.
pub async fn targets(stop: &CancellationToken) -> Result<Vec<SocketAddr>> {
    let mut addresses = Vec::with_capacity(TARGETS.len());
    for profiles in TARGETS {
        let no_port =
            |error| Error::new(Kind::Unavailable, "starting a demo target on loopback").because(error);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(no_port)?;
        addresses.push(listener.local_addr().map_err(no_port)?);
        let target = Target { profiles, next: Arc::default() };
        let router = Router::new().route("/debug/pprof/profile", get(replay)).with_state(target);
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
                tracing::warn!(%error, "a demo target ended");
            }
        });
    }
    Ok(addresses)
}

#[derive(Clone)]
struct Target {
    profiles: [&'static [u8]; 3],
    next: Arc<AtomicUsize>,
}

#[derive(serde::Deserialize)]
struct Asked {
    seconds: Option<u64>,
}

async fn replay(
    State(target): State<Target>,
    Query(asked): Query<Asked>,
) -> impl axum::response::IntoResponse {
    let seconds = Duration::from_secs(asked.seconds.unwrap_or(30)).min(LONGEST);
    // A real profile takes its time, and so does this one.
    tokio::time::sleep(seconds).await;
    let turn = target.next.fetch_add(1, Ordering::Relaxed) % target.profiles.len();
    ([(CONTENT_TYPE, "application/octet-stream")], target.profiles[turn])
}
