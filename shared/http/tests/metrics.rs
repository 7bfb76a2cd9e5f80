//! `/metrics` in a process of its own, for the recorder is there once a process and these tests make it.

use std::sync::Arc;

use autopgo_core::clock::System;
use autopgo_core::health::Checks;
use autopgo_core::host::Host;
use autopgo_core::limits::Limits;
use autopgo_core::memory::blobs::MemoryBlobs;
use autopgo_core::memory::bus::{ACK_DEADLINE, MemoryBus};
use autopgo_core::port::cpu::Inline;
use autopgo_core::server::Server;
use autopgo_http::access::{Name, Pattern, Secret, Token, Tokens};
use autopgo_http::process::{health, metrics};
use autopgo_http::{Access, Api};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderValue, Request, StatusCode, Uri};
use axum::response::Response;
use tower::ServiceExt;

async fn asked(router: &Router) -> Response {
    asked_with(router, None).await
}

async fn asked_with(router: &Router, token: Option<&str>) -> Response {
    let mut request = Request::new(Body::empty());
    let bearer = token.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok());
    request.headers_mut().extend(bearer.map(|bearer| (Some(AUTHORIZATION), bearer)));
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

    // Where there are tokens it wants one, if only one that may do nothing else.
    let (secret, all) = (Secret::fresh().expect("random"), Pattern::parse("*").expect("a pattern"));
    let token = Token::new(Name::parse("prometheus").expect("a name"), &secret, vec![], vec![all]);
    let list = format!("[{}]", serde_json::to_string(&token).expect("JSON"));
    let access = Access::by(Tokens::parse(&list, "list").expect("a list"));
    let clock = Arc::new(System);
    let bus = Arc::new(MemoryBus::new(clock.clone(), ACK_DEADLINE));
    let blobs = Arc::new(MemoryBlobs::new(clock.clone()));
    let server = Server::new(Host::new(blobs, bus, clock, Arc::new(Inline), Limits::default()));
    let guarded = Api::new(server, Checks::default(), access).router();
    for (given, status) in [
        (None, StatusCode::UNAUTHORIZED),
        (Some("wrong"), StatusCode::UNAUTHORIZED),
        (Some(secret.reveal()), StatusCode::OK),
    ] {
        assert_eq!(asked_with(&guarded, given).await.status(), status);
    }
}
