//! What may stand in the place of the server: nobody, somebody slow, somebody else.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use autopgo_e2e::matrix::{APP, DOWNLOADER, UPLOADER};
use autopgo_e2e::process::free_address;
use autopgo_e2e::runner::{Action, Cache, Ran};
use autopgo_e2e::{profile, skip};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::StreamExt;

use crate::house::{House, IN_TIME, SOON, action, says_no_secret, wanting};

/// What somebody was asked with.
type Seen = Arc<Mutex<Vec<HeaderMap>>>;

/// Somebody who answers everything alike. Gives where, and what they see.
async fn somebody(answer: impl Fn(&str) -> Response + Clone + Send + Sync + 'static) -> (String, Seen) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let seen = Seen::default();
    let sees = Arc::clone(&seen);
    let router = Router::new().fallback(move |request: Request| {
        let answered = answer(request.uri().path());
        sees.lock().expect("not poisoned").push(request.headers().clone());
        async move { answered }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, seen)
}

fn page() -> Response {
    ([(CONTENT_TYPE, "text/html")], "<html>please log in</html>").into_response()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    std::io::Write::write_all(&mut packed, bytes).expect("packed");
    packed.finish().expect("packed")
}

fn a_profile() -> Vec<u8> {
    packed(&profile::cpu(&[("main.main", "main.work", 3)]))
}

/// The profile in the cache of a job that asked `house`, as a server at `url` would have left it: the cache is of a server,
/// so it is that one's answer which fills it.
async fn with_cached(action: &Action, url: &str) -> Cache {
    let mut cache = Cache::default();
    let ran = action.run(&mut cache, &inputs(url)).await;
    assert_eq!((ran.succeeded, ran.outputs["found"].as_str()), (true, "true"), "{}", ran.log);
    cache
}

fn inputs(url: &str) -> [(&str, &str); 4] {
    [("app", APP), ("api-url", url), ("token", DOWNLOADER.text), SOON]
}

/// With a cache the build has its profile, without one none; it fails where that is wanted, and only there.
async fn build_goes_on(action: &Action, cache: &mut Cache, inputs: &[(&str, &str)], says: &str) {
    let told = |ran: &Ran, kind: &str| {
        says_no_secret(ran);
        let line = ran.log.lines().find(|line| line.starts_with(kind)).unwrap_or_default();
        assert!(line.contains(says), "it does not say {says:?}: {}", ran.log);
    };
    let start = Instant::now();
    let without = action.run(&mut Cache::default(), inputs).await;
    assert!(without.succeeded, "{}", without.log);
    told(&without, "::warning ");
    assert_eq!(without.outputs["found"], "false");
    assert!(!without.workspace.path().join("default.pgo").exists());

    let with = action.run(cache, inputs).await;
    assert!(with.succeeded, "{}", with.log);
    told(&with, "::warning ");
    assert_eq!((with.outputs["found"].as_str(), with.outputs["from-cache"].as_str()), ("true", "true"));
    assert!(with.workspace.path().join("default.pgo").exists());

    for cache in [cache, &mut Cache::default()] {
        let strict = action.run(cache, &wanting(inputs)).await;
        assert!(!strict.succeeded, "{}", strict.log);
        told(&strict, "::error ");
        assert!(!strict.workspace.path().join("default.pgo").exists());
    }
    assert!(start.elapsed() < 4 * IN_TIME, "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_token_and_then_nobody_fail_no_build() {
    if !skip::curl() {
        return;
    }
    let house = House::start(&[]).await;
    house.upload().await;
    let (action, url) = (action(), house.url.clone());
    let mut cache = with_cached(&action, &url).await;
    let wrong = [("app", APP), ("api-url", &url), ("token", "matrix-nobody-0f1e2d3c4b5a"), SOON];
    build_goes_on(&action, &mut cache, &wrong, "does not let this in (401: ").await;
    let unfit = [("app", APP), ("api-url", &url), ("token", UPLOADER.text), SOON];
    build_goes_on(&action, &mut cache, &unfit, "lacks the scope download").await;
    house.stop().await;
    build_goes_on(&action, &mut cache, &inputs(&url), "cannot be reached").await;
}

/// A server that sends a profile once and then does as `after` says.
async fn once_good(after: fn() -> Response) -> (String, Seen) {
    let first = Arc::new(std::sync::atomic::AtomicBool::new(true));
    somebody(move |_| {
        if first.swap(false, std::sync::atomic::Ordering::SeqCst) {
            return a_profile().into_response();
        }
        after()
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_profile_is_not_built_with() {
    if !skip::curl() {
        return;
    }
    let no_profile = "what the server sent is no profile";
    let action = action();
    for (after, says) in [
        (page as fn() -> Response, no_profile),
        (|| packed(b"<html>please log in</html>").into_response(), no_profile),
        (|| packed(b"{\"profiles\": []}").into_response(), no_profile),
        (|| "{\"profiles\": []}".into_response(), no_profile),
        (|| ().into_response(), no_profile),
        (|| (StatusCode::NOT_FOUND, page()).into_response(), "no profile of team-a (404)"),
        (|| (StatusCode::BAD_GATEWAY, page()).into_response(), "the server answered 502"),
        // Says less than it has, and then more than is allowed, without saying how much.
        (|| ([("content-length", "100000")], Body::from_stream(torn())).into_response(), "not come whole"),
        (|| Body::from_stream(pieces(100_000)).into_response(), "larger than 67108864 bytes"),
    ] {
        let (url, _) = once_good(after).await;
        let mut cache = with_cached(&action, &url).await;
        build_goes_on(&action, &mut cache, &[&inputs(&url)[..3], &[("time-limit", "10")]].concat(), says)
            .await;
    }
}

/// A body that ends after a piece. It waits once, or not even the head would be sent.
fn torn() -> impl futures_util::Stream<Item = Result<Vec<u8>, std::io::Error>> {
    pieces(1).chain(futures_util::stream::once(async {
        tokio::task::yield_now().await;
        Err(std::io::Error::other("torn"))
    }))
}

/// A body in this many pieces of 16 KB, as long as somebody reads it.
fn pieces(count: usize) -> impl futures_util::Stream<Item = Result<Vec<u8>, std::io::Error>> {
    futures_util::stream::iter((0..count).map(|_| Ok(vec![0x1f; 16 << 10])))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_nothing_is_not_waited_for() {
    if !skip::curl() {
        return;
    }
    // The port is open, and nobody ever reads.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let start = Instant::now();
    let ran = action().run(&mut Cache::default(), &inputs(&url)).await;
    assert!(ran.succeeded, "{}", ran.log);
    assert!(ran.log.contains("::warning title=autopgo::the server did not answer within 2 s"), "{}", ran.log);
    assert!(start.elapsed() < IN_TIME, "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_told_no_secret() {
    if !skip::curl() {
        return;
    }
    let (store, seen) = somebody(|_| a_profile().into_response()).await;
    let there = format!("{store}/bucket/team-a?signature=a%2Fb&more=[1]");
    let (server, asked) =
        somebody(move |_| (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, there.clone())]).into_response())
            .await;
    let mut given = inputs(&server).to_vec();
    given.push(("headers", "X-Api-Key: \"quoted\\\nX-More: more"));
    let ran = action().run(&mut Cache::default(), &given).await;
    assert_eq!((ran.succeeded, ran.outputs["found"].as_str()), (true, "true"), "{}", ran.log);
    {
        let asked = asked.lock().expect("not poisoned");
        assert_eq!(asked[0]["authorization"], format!("Bearer {}", DOWNLOADER.text));
        assert_eq!(
            (&asked[0]["x-api-key"], &asked[0]["x-more"]),
            (&"\"quoted\\".parse().unwrap(), &"more".parse().unwrap())
        );
    }
    let seen = seen.lock().expect("not poisoned");
    assert_eq!(seen.len(), 1);
    for name in ["authorization", "x-api-key", "x-more", "if-none-match"] {
        assert!(!seen[0].contains_key(name), "the store is sent {name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_that_the_server_leaves_to_its_store_is_fetched_there() {
    if !skip::curl() {
        return;
    }
    let house = House::start(&[("AUTOPGO_DOWNLOAD_CAP_BYTES", "100")]).await;
    house.upload().await;
    let given = [&inputs(&house.url)[..3], &[("form", "full")]].concat();
    let ran = action().run(&mut Cache::default(), &given).await;
    assert_eq!((ran.succeeded, ran.outputs["found"].as_str()), (true, "true"), "{}", ran.log);
    assert!(ran.outputs["size-bytes"].parse::<u64>().expect("a number") > 100);
    let log = house.stop().await;
    assert!(log.iter().any(|line| line.contains("\"status\":307")), "{log:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inputs_that_are_wrong_fail_no_build_either() {
    if !skip::curl() {
        return;
    }
    let nobody = format!("http://{}", free_address());
    for (name, value, says) in [
        // As in a fork, where there are neither variables nor secrets.
        ("api-url", "", "--api-url"),
        ("api-url", "ftp://host", "--api-url"),
        ("app", "../other", "--app"),
        ("app", "", "--app"),
        ("form", "compakt", "--form"),
        ("time-limit", "soon", "--time-limit"),
        ("max-bytes", "-1", "--max-bytes"),
        ("fail-on-error", "yes", "--fail-on-error"),
        ("output", "nowhere/default.pgo", "--output"),
        ("output", "default.pgo\nfound=true", "--output"),
    ] {
        let mut given = inputs(&nobody).to_vec();
        given.retain(|(known, _)| *known != name);
        given.push((name, value));
        let ran = action().run(&mut Cache::default(), &given).await;
        assert!(ran.succeeded, "{name}={value}: {}", ran.log);
        assert!(ran.log.contains("::warning ") && ran.log.contains(says), "{name}={value}: {}", ran.log);
        assert_eq!(ran.outputs["found"], "false", "{name}={value}");
    }
}
