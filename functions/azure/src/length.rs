//! Uploads that lost their body on the way.
//!
//! With `enableForwardingHttpRequest` the host hands a body on if `Content-Length` is above 0, and else none
//! (`HttpRequestExtensions.cs`, `ToHttpRequestMessage`): one that came in chunks, as every upload of the Go original does,
//! is gone. Hosts that know `enableProxyingHttpRequest` hand on all there is.

use autopgo_core::api;
use autopgo_http::Failure;
use axum::body::HttpBody;
use axum::extract::Request;
use axum::http::{HeaderName, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// What the host adds to every request (`HttpWorkerConstants.cs`).
pub(crate) const INVOCATION: HeaderName = HeaderName::from_static("x-azure-functions-invocationid");

/// Answers an upload that came from the host without a byte with 411, so that whoever sent it sends it in another way.
pub(crate) async fn needed(request: Request, next: Next) -> Response {
    let by_the_host = request.headers().contains_key(INVOCATION);
    let is_empty = request.body().size_hint().exact() == Some(0);
    if !(by_the_host && is_empty && is_upload(&request)) {
        return next.run(request).await;
    }
    tracing::warn!(
        path = request.uri().path(),
        "an upload came without its body, which was sent in chunks or was empty"
    );
    Failure::new(
        StatusCode::LENGTH_REQUIRED,
        "no profile came with this upload: it was empty, or it was sent in chunks, which Azure Functions drops; send it with \
         a Content-Length (curl --data-binary @FILE), or use the autopgo command, which does",
    )
    .into_response()
}

/// `POST /api/profile/{app}`.
fn is_upload(request: &Request) -> bool {
    let app = request.uri().path().strip_prefix(api::PROFILES).and_then(|rest| rest.strip_prefix('/'));
    request.method() == Method::POST && app.is_some_and(|app| !app.is_empty() && !app.contains('/'))
}
