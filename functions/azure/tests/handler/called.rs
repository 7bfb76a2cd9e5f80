//! What the host calls: success, failure, and never neither.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::world::{PROFILE, World};

/// What the host tells of these messages.
fn told<T: AsRef<[u8]>>(bodies: &[T]) -> String {
    let texts: Vec<_> = bodies.iter().map(|body| String::from_utf8_lossy(body.as_ref())).collect();
    json!({"Data": {"msg": json!(texts).to_string()}}).to_string()
}

#[tokio::test]
async fn it_is_ready() {
    let world = World::new();
    let answer = world.ask(Request::get("/").body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json(), json!({"status": "ready"}));
}

#[tokio::test]
async fn an_upload_is_merged_by_its_messages() {
    let world = World::new();
    world.upload("checkout").await;
    let uploaded = world.take();
    assert_eq!(uploaded.len(), 1);
    world.call("worker", told(&uploaded)).await.succeeds();
    let merged = world.take();
    assert_eq!(merged.len(), 1);
    assert_eq!(world.keys().await.len(), 2);
    world.call("worker", told(&merged)).await.succeeds();
    // Each of them again, as after an answer that was lost.
    for again in [uploaded, merged] {
        world.call("worker", told(&again)).await.succeeds();
    }
    assert_eq!(world.keys().await, ["checkout/default.pgo"]);
}

#[tokio::test]
async fn a_store_that_is_away_fails_what_needs_it_and_nothing_else() {
    let world = World::new();
    world.upload("checkout").await;
    let messages = world.take();
    world.store.is_away();
    world.call("worker", told(&messages)).await.fails();
    world.call("worker", told(&["nothing of ours"])).await.succeeds();
    // One that fails fails all that it came with.
    world.call("worker", told(&[&b"nothing of ours"[..], &messages[0]])).await.fails();
    world.call("sweep", "{}").await.fails();
    world.store.is_fine();
    world.call("worker", told(&messages)).await.succeeds();
    world.call("sweep", "{}").await.succeeds();
    assert_eq!(world.keys().await, ["checkout/default.pgo"]);
}

#[tokio::test]
async fn a_store_that_is_silent_is_given_up_in_time() {
    let world = World::with_timeout(Duration::from_secs(1));
    world.upload("checkout").await;
    let messages = world.take();
    world.store.is_silent();
    let start = Instant::now();
    world.call("worker", told(&messages)).await.fails();
    world.call("sweep", "{}").await.fails();
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    world.store.is_fine();
    world.call("worker", told(&messages)).await.succeeds();
}

#[tokio::test]
async fn a_sweep_leaves_the_rest_when_its_time_is_over() {
    let world = World::with_timeout(Duration::ZERO);
    world.upload("checkout").await;
    let answer = world.call("sweep", "{}").await;
    // It was given up at once, or had nothing begun.
    assert!(answer.status.is_server_error() || answer.json()["Logs"].to_string().contains("there is more"));
    assert_eq!(world.keys().await.len(), 1);
}

#[tokio::test]
async fn a_process_that_ends_hands_back_what_it_cannot_finish() {
    let world = World::new();
    world.upload("checkout").await;
    let messages = world.take();
    world.store.is_silent();
    let stopping = async {
        world.stop.cancel();
    };
    let (answer, ()) = tokio::join!(world.call("worker", told(&messages)), stopping);
    answer.fails();
    world.call("sweep", "{}").await.fails();
}

#[tokio::test]
async fn a_payload_that_is_far_too_large_is_refused() {
    let world = World::new();
    let answer = world.call("worker", vec![b'x'; (16 << 20) + 1]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.json()["code"], 413);
}

#[tokio::test]
async fn no_call_has_an_empty_success() {
    let world = World::new();
    world.upload("checkout").await;
    for (function, payload) in [
        ("worker", told(&world.take())),
        ("worker", told::<&str>(&[])),
        ("sweep", String::new()),
        ("sweep", "{}".to_owned()),
        ("server", json!({"Data": {"req": {"Url": "http://x/api/ready", "Method": "GET"}}}).to_string()),
        (
            "server",
            json!({"Data": {"req": {"Url": "http://x/api/profile/checkout", "Method": "HEAD"}}}).to_string(),
        ),
        (
            "server",
            json!({"Data": {"req": {"Url": "http://x/api/profile/checkout", "Method": "DELETE"}}})
                .to_string(),
        ),
    ] {
        let answer = world.call(function, payload).await;
        assert_eq!(answer.status, StatusCode::OK, "{function}: {answer:?}");
        assert!(answer.json().is_object(), "{function}: {answer:?}");
    }
    for wrong in [
        "",
        "{}",
        r#"{"Data": {"req": {"Url": "http://x/", "Method": "A B"}}}"#,
        r#"{"Data": {"req": {"Url": "::"}}}"#,
    ] {
        let answer = world.call("server", wrong.to_owned()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}: {answer:?}");
        assert_eq!(answer.json()["code"], 400);
    }
    // Functions are posted to, and there are no others.
    for function in ["worker", "sweep", "server"] {
        let get = Request::get(format!("/{function}")).body(Body::empty()).expect("a request");
        assert_eq!(world.ask(get).await.status, StatusCode::METHOD_NOT_ALLOWED, "{function}");
    }
    assert_eq!(world.call("other", "{}").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_no_text_is_answered_in_base64() {
    let world = World::new();
    world.upload("checkout").await;
    world.call("sweep", "{}").await.succeeds();
    let request = json!({"Data": {"req": {"Url": "http://x/api/profile/checkout", "Method": "GET"}}});
    let answer = world.call("server", request.to_string()).await.json();
    let given = &answer["Outputs"]["res"];
    assert_eq!(given["statusCode"], 200);
    assert_eq!(given["headers"]["content-type"], "application/octet-stream");
    assert!(given["headers"].get("content-length").is_none(), "{given}");
    let encoded = given["body"].as_str().expect("text");
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded).expect("base64");
    let plain = Request::get("/api/profile/checkout").body(Body::empty()).expect("a request");
    assert_eq!(world.ask(plain).await.body, bytes);
    assert_ne!(bytes, PROFILE);
}

#[tokio::test]
async fn the_api_is_there_as_it_stands() {
    let world = World::new();
    for (method, path, status) in [
        (Method::GET, "/api/health", 200),
        (Method::GET, "/api/ready", 200),
        (Method::GET, "/api/profile", 200),
        (Method::GET, "/api/profile/checkout", 404),
        (Method::DELETE, "/api/profile/checkout", 404),
        (Method::POST, "/api/profile/checkout/uploads", 400),
        (Method::GET, "/api/..%2Fworker", 404),
    ] {
        let request = Request::builder().method(&method).uri(path).body(Body::empty()).expect("a request");
        let answer = world.ask(request).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        let body: Value = answer.json();
        assert!(body.is_object(), "{method} {path}: {body}");
    }
}
