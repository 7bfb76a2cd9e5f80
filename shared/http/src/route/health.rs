//! `GET /api/health` and `GET /api/ready`.
//!
//! Health asks everything that the process leans on. Ready says that the process serves: it listens, and has not begun
//! to stop. It leaves the dependencies out, because a store that is away is away for every copy of the server, and an
//! orchestrator that took them all out of service would turn clear answers into refused connections.
//!
//! Probes have no token, so both are open. What a dependency says may name hosts, though: where tokens are asked for, only
//! who has one is told.

use std::sync::Arc;
use std::time::Duration;

use autopgo_core::api;
use autopgo_core::health::{Checks, Report, Status};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::access::Access;

/// How long a report stands. Nobody is kept from asking for one, so asking must cost next to nothing.
const FRESH: Duration = Duration::from_secs(1);

/// The two routes.
pub(crate) fn routes(checks: Checks, access: Access) -> Router {
    let reports = Reports { checks, access, last: Arc::default() };
    Router::new().route(api::HEALTH, get(health)).with_state(reports).route(api::READY, get(ready))
}

#[derive(Clone)]
struct Reports {
    checks: Checks,
    access: Access,
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

async fn health(State(reports): State<Reports>, headers: HeaderMap) -> (StatusCode, Json<Report>) {
    let mut report = reports.report().await;
    if !reports.access.knows(&headers) {
        report.dependencies.iter_mut().for_each(|dependency| dependency.message.clear());
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    use async_trait::async_trait;
    use autopgo_core::error::Result;
    use autopgo_core::health::Check;
    use futures_util::future::join_all;
    use tokio::time::sleep;

    struct Counted(Arc<AtomicU64>);

    #[async_trait]
    impl Check for Counted {
        async fn check(&self) -> Result<()> {
            self.0.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(100)).await;
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_ask_it_is_looked_up_once_a_second() {
        let count = Arc::new(AtomicU64::new(0));
        let checks = Checks::default().with("blob", Arc::new(Counted(Arc::clone(&count))));
        let reports = Reports { checks, access: Access::open(), last: Arc::default() };
        let all = join_all((0..100).map(|_| reports.report())).await;
        assert!(all.iter().all(|report| report.status == Status::Healthy));
        assert_eq!(count.load(Ordering::SeqCst), 1);
        sleep(FRESH).await;
        reports.report().await;
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }
}
