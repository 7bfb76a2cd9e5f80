//! An upload that lost its body, and what does not look like one.

use axum::body::Body;
use axum::http::Request;
use futures_util::stream;

use crate::world::{PROFILE, World};

const INVOCATION: &str = "x-azure-functions-invocationid";

#[tokio::test]
async fn an_upload_without_its_body_asks_for_a_length() {
    let world = World::new();
    let cases: [(&str, bool, Body, u16); 8] = [
        ("/api/profile/checkout", true, Body::empty(), 411),
        ("/api/profile/checkout", true, Body::from(""), 411),
        // Whoever asks without a host between sees what an empty profile is.
        ("/api/profile/checkout", false, Body::empty(), 400),
        ("/api/profile/checkout", true, Body::from(PROFILE), 201),
        // In chunks, through a host that proxies.
        ("/api/profile/checkout", true, chunks(&[&PROFILE[..9], &PROFILE[9..]]), 201),
        ("/api/profile/checkout", true, chunks(&[]), 400),
        // These have no body by right, or say better what is wrong.
        ("/api/profile/checkout/uploads", true, Body::empty(), 400),
        ("/api/profile/checkout/uploads/1767323045000000000-0a1b2c3d", true, Body::empty(), 404),
    ];
    for (path, hosted, body, status) in cases {
        let request = Request::post(path);
        let request = if hosted { request.header(INVOCATION, "1") } else { request };
        let answer = world.ask(request.body(body).expect("a request")).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert_eq!(answer.json().get("code").is_some(), status > 201, "{path}: {answer:?}");
    }
    let answer = world.ask(
        Request::post("/api/profile/checkout")
            .header(INVOCATION, "1")
            .body(Body::empty())
            .expect("a request"),
    );
    let message = answer.await.json()["message"].as_str().expect("text").to_owned();
    assert!(message.contains("Content-Length") && message.contains("autopgo"), "{message}");
}

fn chunks(chunks: &[&'static [u8]]) -> Body {
    let chunks: Vec<std::io::Result<&'static [u8]>> = chunks.iter().map(|chunk| Ok(*chunk)).collect();
    Body::from_stream(stream::iter(chunks))
}
