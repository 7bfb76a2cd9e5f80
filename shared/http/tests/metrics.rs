//! `/metrics` in a process of its own, for the recorder is there once a process and these tests make it.

use autopgo_core::health::Checks;
use autopgo_http::process::{health, metrics};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, Uri};
use axum::response::Response;
use tower::ServiceExt;

async fn asked(router: &Router) -> Response {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::from_static("/metrics");
    match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

#[tokio::test]
async fn the_page_is_there_once_somebody_keeps_metrics() {
    let before = health::router(Checks::default());
    assert_eq!(asked(&before).await.status(), StatusCode::NOT_FOUND);

    metrics::install().expect("the first");
    metrics::install().expect("the same again");
    let routers = [health::router(Checks::default()), health::router(Checks::default())];
    for router in &routers {
        let answer = asked(router).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        let page = to_bytes(answer.into_body(), 1 << 20).await.expect("a page");
        let page = String::from_utf8(page.to_vec()).expect("text");
        let build = concat!("autopgo_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1\n");
        assert!(page.contains(build), "{page}");
    }
    let answer = asked(&routers[1]).await;
    let page = to_bytes(answer.into_body(), 1 << 20).await.expect("a page");
    let page = String::from_utf8(page.to_vec()).expect("text");
    // The two before it, by both routers: there is one page a process.
    let two = "autopgo_requests_total{route=\"/metrics\",method=\"GET\",status=\"200\"} 2\n";
    assert!(page.contains(two), "{page}");
}
