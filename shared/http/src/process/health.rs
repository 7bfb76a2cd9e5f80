//! Health, readiness and metrics for a process that has no API: the worker, the scraper.

use autopgo_core::health::Checks;
use axum::Router;

use crate::route::{health, metrics};
use crate::router::finished;

/// `GET /api/health` and `GET /api/ready`, with `checks` behind the first, `GET /metrics` in a process that keeps some,
/// and nothing else.
pub fn router(checks: Checks) -> Router {
    finished(health::routes(checks).merge(metrics::routes()), "/api/health and /api/ready")
}
