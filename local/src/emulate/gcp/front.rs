//! What stands before the server's service: plain HTTP/1 both ways, with limits, and a few headers more.

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::FORWARDED;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::Limited;
use tokio::time::timeout;
use tower::ServiceExt;
use uuid::Uuid;

use super::{BODY, REQUEST, millis};

/// By which a request is found again in the logs.
pub(super) const TRACE: HeaderName = HeaderName::from_static("x-cloud-trace-context");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The service's answer within the limits. One in pieces has none.
pub(super) async fn answer(service: Router, request: Request) -> Response {
    if request.body().size_hint().lower() > BODY {
        return (StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large").into_response();
    }
    // A body without a length breaks off at the limit.
    let most = usize::try_from(BODY).unwrap_or(usize::MAX);
    let mut request = request.map(|body| Body::new(Limited::new(body, most)));
    let headers = request.headers_mut();
    for (name, value) in [
        (TRACE, trace()),
        (FORWARDED_FOR, "127.0.0.1".to_owned()),
        (FORWARDED_PROTO, "https".to_owned()),
        (FORWARDED, "for=\"127.0.0.1\";proto=https".to_owned()),
    ] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    let response = match timeout(REQUEST, service.oneshot(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => {
            tracing::error!(limit_ms = millis(REQUEST), "the request took too long and was given up");
            return (StatusCode::GATEWAY_TIMEOUT, "upstream request timeout").into_response();
        }
    };
    let size = response.body().size_hint().exact().unwrap_or_default();
    if size > BODY {
        tracing::error!(size_bytes = size, limit_bytes = BODY, "the answer is too large and was thrown away");
        return (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").into_response();
    }
    response
}

/// A fresh one: the ids of a trace and a span, and whether it is sampled.
pub(super) fn trace() -> String {
    let id = Uuid::new_v4();
    format!("{}/{};o=0", id.simple(), id.as_u64_pair().1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Bytes, to_bytes};
    use axum::http::HeaderMap;
    use futures_util::stream;
    use tokio::time::Instant;

    async fn ask(service: Router, body: Body) -> (u16, Bytes) {
        let request = Request::post("/api/profile/a").body(body).expect("a request");
        let response = answer(service, request).await;
        let status = response.status().as_u16();
        (status, to_bytes(response.into_body(), usize::MAX).await.expect("a body"))
    }

    fn counts() -> Router {
        Router::new().fallback(async |body: Body| match to_bytes(body, usize::MAX).await {
            Ok(bytes) => (StatusCode::OK, bytes.len().to_string()),
            Err(_) => (StatusCode::BAD_REQUEST, "it broke off".to_owned()),
        })
    }

    fn chunks(pieces: usize) -> Body {
        Body::from_stream(stream::iter((0..pieces).map(|_| Ok::<_, std::io::Error>(vec![7_u8; 1 << 20]))))
    }

    #[tokio::test]
    async fn a_request_goes_through_to_the_limit() {
        assert_eq!(ask(counts(), Body::from(vec![7; 32 << 20])).await, (200, (32 << 20).to_string().into()));
        assert_eq!(ask(counts(), chunks(32)).await.0, 200);
        assert_eq!(ask(counts(), Body::from(vec![7; (32 << 20) + 1])).await.0, 413);
        assert_eq!(ask(counts(), chunks(33)).await.0, 400);
    }

    #[tokio::test]
    async fn an_answer_has_the_same_limit_unless_it_comes_in_pieces() {
        for (size, status) in [(32 << 20, 200), ((32 << 20) + 1, 500)] {
            let service = Router::new().fallback(move || async move { vec![7_u8; size] });
            assert_eq!(ask(service, Body::empty()).await.0, status);
        }
        let service = Router::new().fallback(async || chunks(33).into_response());
        assert_eq!(ask(service, Body::empty()).await.1.len(), 33 << 20);
    }

    #[tokio::test]
    async fn who_asks_is_in_headers() {
        let service = Router::new().fallback(async |headers: HeaderMap| {
            let says =
                |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            format!("{:?} {:?}", says(&FORWARDED_PROTO), says(&TRACE).map(|trace| trace.len() > 34))
        });
        assert_eq!(ask(service, Body::empty()).await.1, "Some(\"https\") Some(true)");
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_hangs_is_given_up() {
        let start = Instant::now();
        let service = Router::new().fallback(async || std::future::pending::<()>().await);
        assert_eq!(ask(service, Body::empty()).await, (504, "upstream request timeout".into()));
        assert_eq!(start.elapsed(), REQUEST);
    }
}
