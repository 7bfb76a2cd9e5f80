//! What the host is answered. It reads the JSON of a success and nothing but the status of a failure
//! (`DefaultHttpWorkerService.cs`, `ProcessDefaultInvocationRequest`).

use autopgo_http::Failure;
use axum::Json;
use axum::body::HttpBody;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// The handler listens.
pub(crate) async fn ready() -> Response {
    Json(json!({"status": "ready"})).into_response()
}

/// The function has run, and this is worth a line in its log.
pub(crate) fn success(log: impl Into<Value>) -> Response {
    outputs(&json!({}), &[log.into()])
}

/// The function has run and gives `outputs`, by the names of its bindings.
pub(crate) fn outputs(outputs: &Value, logs: &[Value]) -> Response {
    Json(json!({"Outputs": outputs, "Logs": logs, "ReturnValue": null})).into_response()
}

/// The function has failed: what triggered it is not done. The log has said why.
pub(crate) fn failure(what: String) -> Response {
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, what).into_response()
}

/// Lets no success go out empty: the host reads nothing there, takes that for no result and no failure either, and waits
/// until the function is out of time.
pub(crate) async fn filled(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let is_empty = response.body().size_hint().exact() == Some(0);
    if response.status().is_success() && is_empty { outputs(&json!({}), &[]) } else { response }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::middleware::from_fn;
    use axum::routing::post;
    use tower::ServiceExt;

    #[tokio::test]
    async fn no_success_is_empty() {
        for status in [200, 201, 202, 204, 299, 307, 404, 500] {
            let status = StatusCode::from_u16(status).expect("a status");
            let router = Router::new().route("/", post(async move || status)).layer(from_fn(filled));
            let response = router
                .oneshot(Request::post("/").body(Body::empty()).expect("a request"))
                .await
                .expect("one");
            let body = to_bytes(response.into_body(), 1 << 10).await.expect("a body");
            assert_eq!(status.is_success(), !body.is_empty(), "{status}");
            if status.is_success() {
                let answer: Value = serde_json::from_slice(&body).expect("JSON");
                assert_eq!(answer, json!({"Outputs": {}, "Logs": [], "ReturnValue": null}));
            }
        }
    }
}
