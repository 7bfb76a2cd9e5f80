//! The server as a function: what a client sees through the gateway.

use std::sync::Arc;

use autopgo_boot::{Config, Ports};
use autopgo_core::clock::System;
use autopgo_core::health::Checks;
use autopgo_core::limits::Limits;
use autopgo_core::memory::blobs::MemoryBlobs;
use autopgo_core::memory::bus::{ACK_DEADLINE, MemoryBus};
use autopgo_core::port::blobs::{Blobs, When};
use autopgo_core::server::Server;
use autopgo_http::{Access, Api, Objects};
use autopgo_lambda::http::Function;
use axum::Router;
use axum::http::HeaderMap;
use axum::response::AppendHeaders;
use axum::routing::get;
use serde_json::{Value, json};

use crate::rig::{How, Sick, World, asked, context, fixture, request, upload};

const APP: &str = "hello-world";

#[tokio::test]
async fn an_upload_comes_whole_and_a_download_too() {
    let world = World::new();
    let event = fixture("http-upload-stage");
    let answer = world.ask(&event).await;
    let key = answer.json()["key"].as_str().expect("a key").to_owned();
    assert_eq!(answer.raw["cookies"], json!([]));
    let staged = world.read(&key).await.expect("it is staged");
    // Bytes that are no text in any encoding.
    let bytes: Vec<u8> = [staged.to_vec(), (0..=255).collect()].concat();
    world.blobs.write("hello-world/default.pgo", bytes.clone().into(), When::Always).await.expect("memory");
    let answer = world.ask(&request("GET", "/api/profile/hello-world")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/octet-stream")));
    assert_eq!(answer.raw["isBase64Encoded"], true);
    assert_eq!(answer.body, bytes);

    let etag = answer.header("etag").expect("an etag").to_owned();
    let mut again = request("GET", "/api/profile/hello-world");
    again["headers"]["if-none-match"] = etag.clone().into();
    let again = world.ask(&again).await;
    assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(&*etag)));

    let head = world.ask(&request("HEAD", "/api/profile/hello-world")).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(&*bytes.len().to_string()));
    assert_eq!(head.header("etag"), Some(&*etag));
}

#[tokio::test]
async fn a_body_is_read_as_it_is_said_to_be() {
    let world = World::new();
    let mut event = upload(APP);
    // The same text, as it stands: no profile.
    event["isBase64Encoded"] = false.into();
    assert_eq!(world.ask(&event).await.status, 400);
    event["isBase64Encoded"] = true.into();
    assert_eq!(world.ask(&event).await.status, 201);
    event["headers"]["content-type"] = "text/plain".into();
    assert_eq!(world.ask(&event).await.status, 201);
    event["body"] = Value::Null;
    assert_eq!(world.ask(&event).await.status, 400);
    event["body"] = "no base64!".into();
    let error =
        world.server.call_json(event.to_string().as_bytes(), context()).await.expect_err("not base64");
    assert!(error.error_message.contains("says that its body is base64"), "{error:?}");
}

#[tokio::test]
async fn errors_are_the_api_s_own() {
    let world = World::new();
    let long = format!("/api/profile/{}", "x".repeat(200));
    for (method, path, status) in [
        ("GET", "/api/profile/none", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/api/profile/UPPER", 400),
        ("GET", "/api/profile/a b\u{e9}", 400),
        ("GET", "/api/profile/../default.pgo", 404),
        ("GET", &long, 400),
        ("PATCH", "/api/profile", 405),
        ("GET", "", 404),
    ] {
        let answer = world.ask(&request(method, path)).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert_eq!(answer.json()["code"], status, "{method} {path}");
        assert!(answer.json()["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_next_request_is_answered() {
    let world = World::over(Arc::new(Sick::new("sick", How::Panics)), &Config::default());
    let answer = world.ask(&request("GET", "/api/profile/sick")).await;
    assert_eq!((answer.status, &answer.json()["code"]), (500, &json!(500)));
    assert_eq!(world.ask(&request("GET", "/api/profile/well")).await.status, 404);
}

#[tokio::test]
async fn an_answer_has_the_id_of_the_client_or_of_the_invocation() {
    let world = World::new();
    let mut event = request("GET", "/api/ready");
    assert_eq!(world.ask(&event).await.header("x-request-id"), Some(&*context().request_id));
    event["headers"]["x-request-id"] = "mine".into();
    assert_eq!(world.ask(&event).await.header("x-request-id"), Some("mine"));
}

#[tokio::test]
async fn cookies_headers_and_the_query_come_through_both_ways() {
    let echo = |headers: HeaderMap, uri: axum::http::Uri| async move {
        let text =
            |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("none").to_owned();
        let seen = format!("{} {} {} {}", text("cookie"), text("host"), text("x-odd"), uri);
        (AppendHeaders([("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-request-id", "1")]), seen)
    };
    let function = Function::new(Router::new().route("/api/profile/hello-world", get(echo)));
    let mut event = fixture("url-download");
    event["headers"]["x-odd"] = "caf\u{e9}".into();
    let answer = asked(&function, &event).await;
    let seen = "session=1; theme=dark a1b2c3d4e5.lambda-url.eu-west-1.on.aws none /api/profile/hello-world?form=compact";
    assert_eq!(String::from_utf8_lossy(&answer.body), seen);
    assert_eq!(answer.raw["cookies"], json!(["a=1", "b=2"]));
    assert_eq!(answer.header("set-cookie"), None);
}

#[tokio::test]
async fn what_is_too_large_for_an_answer_is_left_to_the_store() {
    let lookup = |name: &str| autopgo_lambda::DEFAULTS.iter().find(|(key, _)| *key == name);
    let config = Config::from_lookup(&|name| lookup(name).map(|(_, value)| (*value).to_owned()));
    let limits = config.expect("good defaults").limits;
    assert_eq!(limits, Limits { download_bytes: 4_613_734, ..Limits::default() });
    let cap = usize::try_from(limits.download_bytes).expect("small");
    let objects = Objects::over(Arc::new(MemoryBlobs::new(Arc::new(System))), Arc::new(System));
    let blobs: Arc<dyn Blobs> = Arc::new(objects.clone());
    let topic = Arc::new(MemoryBus::new(Arc::new(System), ACK_DEADLINE));
    let ports = Ports { blobs: Arc::clone(&blobs), topic, subscription: None };
    let host = ports.host(&Config { limits, ..Config::default() });
    let api = Api::new(Server::new(host), Checks::default(), Access::open()).objects(objects);
    let function = Function::new(api.router());
    for (size, status) in [(cap, 200), (cap + 1, 307)] {
        blobs.write("hello-world/default.pgo", vec![7; size].into(), When::Always).await.expect("memory");
        let event = request("GET", "/api/profile/hello-world").to_string();
        let json = function.call_json(event.as_bytes(), context()).await.expect("an answer");
        // The platform's limit, with room for what it adds.
        assert!(json.len() < 6_291_456 - 16_384, "{status}: {}", json.len());
        let answer = crate::rig::Answer::of(serde_json::from_slice(&json).expect("JSON"));
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("location").is_some(), status == 307, "{answer:?}");
    }
}
