//! What this process counts, kept for a [Prometheus] that comes and asks, by the feature `prometheus`: a function has
//! nobody who would, and need not carry it.
//!
//! The recorder is there once a process, like the log. Routers that are made after it have `GET /metrics`; without it
//! there is no such page, and counting costs next to nothing.
//!
//! [Prometheus]: https://prometheus.io/docs/instrumenting/exposition_formats/

#[cfg(feature = "prometheus")]
mod recorder;

#[cfg(feature = "prometheus")]
pub use recorder::install;
#[cfg(feature = "prometheus")]
pub(crate) use recorder::{page, upkeep};

/// There is nothing to be kept.
#[cfg(not(feature = "prometheus"))]
pub(crate) async fn upkeep() -> std::convert::Infallible {
    std::future::pending().await
}
