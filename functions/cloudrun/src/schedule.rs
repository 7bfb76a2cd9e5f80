//! The sweep, when Cloud Scheduler asks for it: an HTTP request of any body
//! (<https://cloud.google.com/scheduler/docs/creating#http>), known by its path or by its header.

use std::time::Duration;

use autopgo_core::worker::Worker;
use autopgo_http::Failure;
use axum::Json;
use axum::http::HeaderMap;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Cloud Scheduler sets it to `true` (<https://cloud.google.com/scheduler/docs/reference/rpc/google.cloud.scheduler.v1#httptarget>).
const SCHEDULER: &str = "x-cloudscheduler";

/// Whether a request is one of Cloud Scheduler.
pub(crate) fn is_schedule(headers: &HeaderMap) -> bool {
    headers.get(SCHEDULER).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"))
}

/// Sweeps what is older than `after`, and begins nothing new after `timeout` or once the process is to end. The next sweep
/// goes on.
pub(crate) async fn sweep(
    worker: &Worker,
    after: Duration,
    timeout: Duration,
    stop: &CancellationToken,
) -> Result<Json<Value>, Failure> {
    let end = Instant::now() + timeout;
    let swept = worker.sweep(after, &|| stop.is_cancelled() || Instant::now() >= end).await?;
    Ok(Json(json!({
        "merged": swept.merged,
        "rejected": swept.rejected,
        "agedOut": swept.aged_out,
        "failed": swept.failed,
        "unfinished": swept.unfinished,
    })))
}
