//! Health and readiness for a process that has no API: the worker, the scraper.

use autopgo_core::health::Checks;
use axum::Router;

use crate::route::health::routes;
use crate::router::finished;

/// `GET /api/health` and `GET /api/ready`, with `checks` behind the first, and nothing else.
pub fn router(checks: Checks) -> Router {
    finished(routes(checks), "/api/health and /api/ready")
}
