//! Health, readiness and metrics for a process that has no API: the worker, the scraper, and what a platform calls.

use autopgo_core::health::Checks;
use autopgo_core::limits::Limits;
use axum::Router;
use axum::middleware::from_fn_with_state;

use crate::access::Access;
use crate::guard::{Room, admit};
use crate::route::{health, metrics};
use crate::router::finished;

/// `GET /api/health` and `GET /api/ready`, with `checks` behind the first, `GET /metrics` in a process that keeps some,
/// and nothing else. Everybody is told all.
pub fn router(checks: Checks) -> Router {
    let routes = health::routes(checks, Access::open()).merge(metrics::routes(&Access::open()));
    finished(routes, "/api/health and /api/ready")
}

/// Health and readiness beside `calls`, of which only so many are let in at once as the limits say. `served` names them,
/// for whoever asks for something else.
pub fn beside(calls: Router, checks: Checks, limits: &Limits, served: &'static str) -> Router {
    let calls = calls.layer(from_fn_with_state(Room::new(limits.requests), admit));
    finished(calls.merge(health::routes(checks, Access::open())), served)
}
