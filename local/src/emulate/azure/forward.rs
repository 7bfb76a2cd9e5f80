//! A request for the function that has an HTTP trigger and an HTTP output, as the host forwards it
//! (`DefaultHttpWorkerService.cs`, `HttpRequestExtensions.cs`).

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;
use tower::ServiceExt;
use uuid::Uuid;

use super::{ANSWER, REQUEST, VERSION};

/// The host's route prefix; whatever is not below it is no function's.
const PREFIX: &str = "/api/";

const INVOCATION: HeaderName = HeaderName::from_static("x-azure-functions-invocationid");
const HOST_VERSION: HeaderName = HeaderName::from_static("x-azure-functions-hostversion");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The host's answer: the handler's, as it is.
pub(super) async fn answer(handler: Router, request: Request) -> Response {
    if !request.uri().path().starts_with(PREFIX) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let length = length(request.headers());
    if length.is_some_and(|length| length > REQUEST) {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    let request = forwarded(request, length.unwrap_or(0));
    match timeout(ANSWER, handler.oneshot(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => never.into_response(),
        Err(_) => {
            tracing::error!(limit_ms = super::millis(ANSWER), "the load balancer gave the request up");
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Method, path, query and headers are as they came. The body comes along if its length was announced and is not 0, and
/// else there is none.
fn forwarded(request: Request, length: u64) -> Request {
    let (mut parts, body) = request.into_parts();
    let headers = &mut parts.headers;
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    let body = if length > 0 {
        body
    } else {
        headers.remove(CONTENT_LENGTH);
        Body::empty()
    };
    let before = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let agent = [before.unwrap_or_default(), &format!("Azure-Functions-Host/{VERSION}")].join(" ");
    for (name, value) in [
        (INVOCATION, Uuid::new_v4().to_string()),
        (HOST_VERSION, VERSION.to_owned()),
        (USER_AGENT, agent.trim().to_owned()),
        (FORWARDED_FOR, "127.0.0.1".to_owned()),
        (FORWARDED_PROTO, "https".to_owned()),
    ] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    Request::from_parts(parts, body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Bytes, to_bytes};
    use axum::http::Method;
    use axum::http::request::Parts;
    use futures_util::stream;
    use tokio::time::Instant;

    async fn read(request: Request, length: u64) -> (Parts, Bytes) {
        let (parts, body) = forwarded(request, length).into_parts();
        (parts, to_bytes(body, 1000).await.expect("a body"))
    }

    fn says(parts: &Parts, name: &str) -> String {
        parts.headers.get(name).map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default()
    }

    #[tokio::test]
    async fn a_body_with_a_length_comes_along_and_the_host_says_who_it_is() {
        let request = Request::post("/api/profile/a?b=c").header("content-length", "3");
        let request = request.header("user-agent", "curl/8").body(Body::from("abc")).expect("a request");
        let (parts, body) = read(request, 3).await;
        assert_eq!((parts.uri.to_string().as_str(), body), ("/api/profile/a?b=c", Bytes::from("abc")));
        assert_eq!(says(&parts, "content-length"), "3");
        assert_eq!(says(&parts, "user-agent"), format!("curl/8 Azure-Functions-Host/{VERSION}"));
        assert_eq!(says(&parts, "x-azure-functions-invocationid").len(), 36);
        assert_eq!(says(&parts, "x-azure-functions-hostversion"), VERSION);
    }

    #[tokio::test]
    async fn a_body_in_chunks_is_lost() {
        let chunks = stream::iter(["abc", "def"].map(Ok::<_, std::io::Error>));
        let request = Request::post("/api/profile/a").header("transfer-encoding", "chunked");
        let request = request.body(Body::from_stream(chunks)).expect("a request");
        let length = length(request.headers()).unwrap_or(0);
        let (parts, body) = read(request, length).await;
        assert!(body.is_empty());
        assert_eq!((says(&parts, "transfer-encoding"), says(&parts, "content-length")), Default::default());
    }

    async fn status(method: Method, path: &str, length: u64) -> u16 {
        let handler = Router::new().fallback(async || "here");
        let request = Request::builder().method(method).uri(path).header("content-length", length);
        answer(handler, request.body(Body::empty()).expect("a request")).await.status().as_u16()
    }

    #[tokio::test]
    async fn what_is_no_functions_or_too_large_never_reaches_the_handler() {
        assert_eq!(status(Method::GET, "/api/profile", 0).await, 200);
        assert_eq!(status(Method::POST, "/api/profile/a", REQUEST).await, 200);
        assert_eq!(status(Method::POST, "/api/profile/a", REQUEST + 1).await, 413);
        for (method, path) in [(Method::POST, "/worker"), (Method::GET, "/"), (Method::GET, "/apis")] {
            assert_eq!(status(method, path, 0).await, 404, "{path}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_hangs_is_given_up() {
        let handler = Router::new().fallback(async || std::future::pending::<()>().await);
        let start = Instant::now();
        let request = Request::get("/api/profile").body(Body::empty()).expect("a request");
        assert_eq!(answer(handler, request).await.status(), StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(start.elapsed(), ANSWER);
    }

    #[test]
    fn our_function_has_every_method() {
        let ours = include_str!("../../../../functions/azure/server/function.json");
        let ours: serde_json::Value = serde_json::from_str(ours).expect("JSON");
        assert!(ours["bindings"][0].get("methods").is_none(), "the host would answer all others with 404");
    }
}
