//! `GET /api/health` and `GET /api/ready`.
//!
//! Health asks everything that the process leans on. Ready says that the process serves: it listens, and has not begun
//! to stop. It leaves the dependencies out, because a store that is away is away for every copy of the server, and an
//! orchestrator that took them all out of service would turn clear answers into refused connections.

use std::sync::Arc;
use std::time::Duration;

use autopgo_core::api;
use autopgo_core::health::{Checks, Report, Status};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long a report stands. Nobody is kept from asking for one, so asking must cost next to nothing.
const FRESH: Duration = Duration::from_secs(1);

/// The two routes.
pub(crate) fn routes(checks: Checks) -> Router {
    let reports = Reports { checks, last: Arc::default() };
    Router::new().route(api::HEALTH, get(health)).with_state(reports).route(api::READY, get(ready))
}

#[derive(Clone)]
struct Reports {
    checks: Checks,
    last: Arc<Mutex<Option<(Instant, Report)>>>,
}

impl Reports {
    /// The last report while it is fresh, or a new one: whoever asks meanwhile waits for that same one.
    async fn report(&self) -> Report {
        let mut last = self.last.lock().await;
        match &*last {
            Some((made, report)) if made.elapsed() < FRESH => report.clone(),
            _ => {
                let report = self.checks.report().await;
                *last = Some((Instant::now(), report.clone()));
                report
            }
        }
    }
}

async fn health(State(reports): State<Reports>) -> (StatusCode, Json<Report>) {
    let report = reports.report().await;
    let status = match report.status {
        Status::Healthy => StatusCode::OK,
        Status::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(report))
}

#[derive(Serialize)]
struct Ready {
    status: &'static str,
}

async fn ready() -> Json<Ready> {
    Json(Ready { status: "ready" })
}
