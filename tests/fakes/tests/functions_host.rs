//! The host of Azure Functions, with handlers that do it wrong.

#![expect(clippy::expect_used, reason = "all of it is a test")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use autopgo_fakes::functions_host::{Host, Invoked, Setup, Where};
use autopgo_fakes::servicebus::{self, Fake};
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde_json::json;
use tokio::net::TcpListener;

const PATIENCE: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_millis(300);

/// An app with a function of each kind.
fn app() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, value: serde_json::Value| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, value.to_string()).expect("written");
    };
    write(
        "host.json",
        json!({
            "version": "2.0",
            "extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.0.0, 5.0.0)"},
            "customHandler": {"description": {"defaultExecutablePath": "handler"}, "enableForwardingHttpRequest": true},
        }),
    );
    let trigger = |trigger: serde_json::Value| json!({"bindings": [trigger]});
    write(
        "bus/function.json",
        trigger(json!({"type": "serviceBusTrigger", "direction": "in", "name": "msg", "topicName": "t",
            "subscriptionName": "s", "connection": "BUS"})),
    );
    write(
        "clock/function.json",
        trigger(
            json!({"type": "timerTrigger", "direction": "in", "name": "tick", "schedule": "*/5 0-30 1,2 * 1 0"}),
        ),
    );
    write(
        "web/function.json",
        json!({"bindings": [
            {"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous", "route": "{*rest}"},
            {"type": "http", "direction": "out", "name": "res"},
        ]}),
    );
    folder
}

/// A host whose handler is this router.
async fn host(router: Router) -> (Host, tempfile::TempDir) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    let folder = app();
    let setup = Setup { handler: Where::At(address), timeout: Some(TIMEOUT), ..Setup::of(folder.path()) };
    (Host::start(setup).await.expect("a host"), folder)
}

fn json_body(body: &'static str) -> Response {
    ([(CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}

#[tokio::test]
async fn an_answer_is_a_result_or_a_failure_or_neither() {
    type Answer = fn() -> Response;
    let cases: [(&str, Answer, &str); 8] = [
        ("an object", || json_body(r#"{"Outputs": {}}"#), "done"),
        ("empty", || StatusCode::OK.into_response(), "neither"),
        ("empty, and says so", || StatusCode::NO_CONTENT.into_response(), "neither"),
        ("null", || json_body("null"), "neither"),
        ("text", || "done".into_response(), "failed"),
        ("broken", || json_body("{"), "failed"),
        ("no object", || json_body("[1]"), "failed"),
        ("an error", || (StatusCode::INTERNAL_SERVER_ERROR, json_body("{}")).into_response(), "failed"),
    ];
    for (name, answer, expected) in cases {
        let (host, _folder) =
            host(Router::new().route("/clock", post(move || async move { answer() }))).await;
        let start = Instant::now();
        let got = match host.tick("clock").await.expect("a timer") {
            Invoked::Done(result) => {
                assert_eq!(result, json!({"Outputs": {}}));
                "done"
            }
            Invoked::Failed(_) => "failed",
            Invoked::TimedOut(after) => {
                assert!(after == TIMEOUT && start.elapsed() >= TIMEOUT);
                "neither"
            }
        };
        assert_eq!(got, expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_completed_after_a_success_and_abandoned_after_anything_else() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    // Fails, answers nothing, then has done it.
    let handle = move || {
        let call = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            match call {
                0 => StatusCode::BAD_GATEWAY.into_response(),
                1 => StatusCode::OK.into_response(),
                2 => json_body(r#"{"Outputs": {}}"#),
                _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            }
        }
    };
    let (mut host, _folder) = host(Router::new().route("/bus", post(handle))).await;
    let bus = Fake::start().expect("a peer");
    bus.make("t", "s", servicebus::Setup { deliveries: 3, ..servicebus::Setup::default() });
    host.listen("bus", bus.receiver("t", "s")).expect("a function");
    for (expected, total) in [((0, 0), 3), ((0, 1), 6)] {
        assert!(bus.send("t", &"hello".into(), "key"));
        let start = Instant::now();
        while bus.count("t", "s") != expected || calls.load(Ordering::SeqCst) != total {
            assert!(start.elapsed() < PATIENCE, "{:?} after {calls:?} calls", bus.count("t", "s"));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_is_renewed_while_its_message_is_in_hand() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let handle = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async {
            // Longer than the lock lasts, and shorter than the function may run.
            tokio::time::sleep(TIMEOUT / 2).await;
            json_body(r#"{"Outputs": {}}"#)
        }
    };
    let (mut host, _folder) = host(Router::new().route("/bus", post(handle))).await;
    let bus = Fake::start().expect("a peer");
    bus.make("t", "s", servicebus::Setup { lock: TIMEOUT / 5, deliveries: 3 });
    host.listen("bus", bus.receiver("t", "s")).expect("a function");
    assert!(bus.send("t", &"hello".into(), "key"));
    let start = Instant::now();
    while bus.count("t", "s") != (0, 0) {
        assert!(start.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_built_anew_and_its_answer_is_given_as_it_is() {
    let handle = |request: Request| async move {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
        let header = |name: &str| {
            parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned()
        };
        let said = format!(
            "{} {} {} {} {} {} {}",
            parts.method,
            parts.uri,
            header("content-encoding"),
            header("content-type"),
            header("x-own"),
            header("x-azure-functions-invocationid").len(),
            body.len()
        );
        assert!(header("user-agent").ends_with("Azure-Functions-Host/4.1036.0"), "{}", header("user-agent"));
        (StatusCode::TEMPORARY_REDIRECT, [("location", "/elsewhere"), ("x-said", "so")], said)
    };
    let (host, _folder) =
        host(Router::new().route("/api/{*rest}", any(handle)).route("/", get(|| async {}))).await;
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    let client = client.expect("a client");
    let url = format!("http://{}/api/a/b?c=d%20e", host.address());
    let request = client.post(&url).header("content-encoding", "gzip").header("content-type", "text/plain");
    let answer =
        request.header("x-own", "1").header("user-agent", "me").body("four").send().await.expect("answered");
    assert_eq!(answer.status(), 307);
    assert_eq!(answer.headers()["location"], "/elsewhere");
    assert_eq!(answer.headers()["x-said"], "so");
    assert_eq!(answer.text().await.expect("text"), "POST /api/a/b?c=d%20e - text/plain 1 36 4");
    // Without a body there is no type of one.
    let answer = client.get(&url).header("content-type", "text/plain").send().await.expect("answered");
    assert_eq!(answer.text().await.expect("text"), "GET /api/a/b?c=d%20e - - - 36 0");
    assert_eq!(
        client.get(format!("http://{}/else", host.address())).send().await.expect("answered").status(),
        404
    );
}

#[tokio::test]
async fn a_handler_that_does_not_start_is_an_error_that_says_so() {
    let folder = app();
    let error = Host::start(Setup::of(folder.path())).await.err().expect("there is no program");
    assert!(error.to_string().contains("the handler ended too often"), "{error}");
    let setup =
        Setup { handler: Where::Program(Path::new("/bin/false").to_owned()), ..Setup::of(folder.path()) };
    let error = Host::start(setup).await.err().expect("it ends at once");
    assert!(error.to_string().contains("the handler ended too often"), "{error}");
    std::fs::remove_file(folder.path().join("host.json")).expect("removed");
    let error = Host::start(Setup::of(folder.path())).await.err().expect("no app");
    assert!(error.to_string().contains("host.json"), "{error}");
}
