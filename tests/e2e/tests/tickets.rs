//! Profiles that are larger than a request may be, both ways. What came by which way is counted at the server, so that
//! a fallback cannot hide a ticket that does not work.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use autopgo_e2e::process::{Running, autopgo, free_address, succeed};
use autopgo_e2e::requests::{asked, counts, merged};
use autopgo_e2e::{once, profile};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;

/// Enough of them that their names alone are more than 4 MiB when packed.
const CALLS: usize = 50_000;

async fn local(data: &std::path::Path) -> Running {
    let address = free_address();
    let port = address.port().to_string();
    let data = data.to_str().expect("UTF-8");
    let arguments =
        ["local", "--port", &port, "--data-dir", data, "--sweep-every", "500ms", "--sweep-after", "1s"];
    let mut command = autopgo(&arguments);
    command.env("AUTOPGO_DOWNLOAD_CAP_BYTES", "2000000");
    Running::start(command, address).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_profile_goes_up_and_down_past_the_api_by_command_and_by_scraper() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (bytes, calls) = profile::large(CALLS);
    std::fs::write(path("large.pprof"), &bytes).expect("written");
    let local = local(&folder.path().join("data")).await;
    let url = local.url.clone();

    let key = succeed(&["upload", &path("large.pprof"), "--app", "large", "--api-url", &url]);
    assert!(key.starts_with("large/staging/"), "{key}");
    merged(&url, "large").await;
    succeed(&["download", "large", "--output", &path("down.pgo"), "--api-url", &url]);
    let down = std::fs::read(path("down.pgo")).expect("downloaded");
    assert!(down.len() > 4 << 20, "{} bytes are not large", down.len());
    assert!(profile::seen(&down, "upload.") == calls, "what came down is not what went up");

    // A target of the scraper gives the same.
    let target = axum::serve(
        tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port"),
        Router::new().fallback(move || async move { bytes }),
    );
    let address = target.local_addr().expect("an address");
    let serving = tokio::spawn(async move { target.await });
    let targets = format!(r#"[{{"address": "http://{address}", "app": "scraped"}}]"#);
    std::fs::write(path("targets.json"), targets).expect("written");
    let health = free_address();
    let port = health.port().to_string();
    let (targets, round) =
        (path("targets.json"), ["--frequency", "1h", "--duration", "1s", "--sample-size", "1"]);
    let arguments = [&["scrape", &targets, "--api-url", &url, "--port", &port][..], &round].concat();
    let scraper = Running::start(autopgo(&arguments), health).await;
    merged(&url, "scraped").await;
    assert_eq!(scraper.stop().await.0, Some(0));
    serving.abort();

    let (code, log) = local.stop().await;
    assert_eq!(code, Some(0), "{log:#?}");
    let up = [("POST ticket: 200", 1), ("PUT signed upload: 200", 1), ("POST completion: 201", 1)];
    let down = [("GET profile: 307", 1), ("GET signed download: 200", 1)];
    assert_eq!(asked(&log, "large"), counts(&[&up[..], &down].concat()));
    assert_eq!(asked(&log, "scraped"), counts(&up));
    assert!(!log.iter().any(|line| line.contains("signature=")), "the log has a signature");
    let left = once::files(&folder.path().join("data/large/incoming"));
    assert_eq!(left, 0, "what was completed is gone");
}

/// A gateway that serves the API under `/prod` and loses the first answer to each kind of request.
#[derive(Clone)]
struct Gateway {
    to: String,
    client: reqwest::Client,
    lost: Arc<Mutex<BTreeSet<String>>>,
}

async fn pass(State(gateway): State<Gateway>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().expect("a path").as_str();
    let path = path.strip_prefix("/prod").expect("under the prefix").to_owned();
    let body = axum::body::to_bytes(body, usize::MAX).await.expect("a whole body");
    let mut headers = parts.headers.clone();
    headers.remove("host");
    let sent = gateway.client.request(parts.method.clone(), format!("{}{path}", gateway.to));
    let answer = sent.headers(headers).body(body).send().await.expect("answered");
    let depth = path.split('?').next().unwrap_or_default().split('/').count();
    let kind = format!("{} {depth}", parts.method);
    if answer.status().is_success() && gateway.lost.lock().expect("the lost").insert(kind) {
        return Response::builder().status(504).body(Body::empty()).expect("an answer");
    }
    let mut response = Response::builder().status(answer.status());
    *response.headers_mut().expect("headers") = answer.headers().clone();
    response.body(Body::from(answer.bytes().await.expect("a whole answer"))).expect("an answer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_gateway_that_loses_answers_it_is_one_upload() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (bytes, calls) = profile::large(CALLS);
    std::fs::write(path("large.pprof"), &bytes).expect("written");
    let local = local(&folder.path().join("data")).await;
    let gateway = Gateway { to: local.url.clone(), client: reqwest::Client::new(), lost: Arc::default() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/prod", listener.local_addr().expect("an address"));
    let router = Router::new().fallback(pass).with_state(gateway);
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });

    succeed(&["upload", &path("large.pprof"), "--app", "large", "--api-url", &url]);
    merged(&local.url, "large").await;
    succeed(&["download", "large", "--output", &path("down.pgo"), "--api-url", &local.url]);
    serving.abort();
    let down = std::fs::read(path("down.pgo")).expect("downloaded");
    assert!(profile::seen(&down, "upload.") == calls, "it was not merged once");
    let (code, log) = local.stop().await;
    assert_eq!(code, Some(0), "{log:#?}");
    let mut seen = asked(&log, "large");
    seen.retain(|what, _| !what.starts_with("GET"));
    let twice = [("POST ticket: 200", 2), ("PUT signed upload: 200", 2), ("POST completion: 201", 2)];
    assert_eq!(seen, counts(&twice));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_sign_is_sent_the_profile_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    std::fs::write(path("large.pprof"), profile::large(CALLS).0).expect("written");
    let address: SocketAddr = free_address();
    let (port, store) = (address.port().to_string(), format!("file://{}?create_dir=true", path("store")));
    // A server by itself may be one of several over its folder, which do not know each other's secret.
    let arguments =
        ["server", "--port", &port, "--blob-store-url", &store, "--event-writer-url", "mem://none"];
    let server = Running::start(autopgo(&arguments), address).await;
    let key = succeed(&["upload", &path("large.pprof"), "--app", "large", "--api-url", &server.url]);
    assert!(key.starts_with("large/staging/"), "{key}");
    let (code, log) = server.stop().await;
    assert_eq!(code, Some(0), "{log:#?}");
    assert_eq!(asked(&log, "large"), counts(&[("POST ticket: 501", 1), ("POST profile: 201", 1)]));
}
