//! Health and readiness for a process that has no API: the worker, the scraper.

use autopgo_core::health::Checks;
use axum::Router;

use crate::access::Access;
use crate::route::health::routes;
use crate::router::finished;

/// `GET /api/health` and `GET /api/ready`, with `checks` behind the first, and nothing else. Everybody is told all.
pub fn router(checks: Checks) -> Router {
    finished(routes(checks, Access::open()), "/api/health and /api/ready")
}
