//! `GET /metrics`: what this process counts, in the [text format] of Prometheus. No label has a client's words in it, so
//! that nobody can make the page grow.
//!
//! [text format]: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format

use axum::Router;

/// The route, or none in a process that keeps no metrics. A router by itself, so that it can have a layer of its own.
pub(crate) fn routes() -> Router {
    #[cfg(feature = "prometheus")]
    if let Some(page) = crate::process::metrics::page() {
        use autopgo_core::api::METRICS;
        use axum::{http::header::CONTENT_TYPE, routing::get};

        let text = (CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
        return Router::new().route(METRICS, get(move || async move { ([text], page.render()) }));
    }
    Router::new()
}
