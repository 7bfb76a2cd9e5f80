//! `GET /metrics`: what this process counts, in the [text format] of Prometheus. No label has a client's words in it, so
//! that nobody can make the page grow.
//!
//! [text format]: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format

use axum::Router;

use crate::access::Access;

/// The route, for any token at all, or none in a process that keeps no metrics.
#[cfg_attr(not(feature = "prometheus"), expect(unused_variables, reason = "nothing is kept without it"))]
pub(crate) fn routes(access: &Access) -> Router {
    #[cfg(feature = "prometheus")]
    if let Some(page) = crate::process::metrics::page() {
        use crate::access::gate;
        use autopgo_core::api::METRICS;
        use axum::{http::header::CONTENT_TYPE, routing::get};

        let text = (CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
        let page = get(move || async move { ([text], page.render()) });
        return Router::new().route(METRICS, gate::any(access, page));
    }
    Router::new()
}
