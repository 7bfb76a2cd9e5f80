//! Targets that behave in every way but the right one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::*;
use crate::fake::{FakeTarget, fixture, ok};

const LIMIT: u64 = 32 << 20;

fn fetcher(limit: u64) -> Fetcher {
    Fetcher::new(Duration::from_secs(1), limit).expect("a fetcher")
}

async fn fetch(target: &FakeTarget) -> Result<Bytes, Failure> {
    fetcher(LIMIT).fetch(&target.target("app")).await
}

#[track_caller]
fn check(failed: Result<Bytes, Failure>, outcome: Outcome, says: &str) {
    let failure = failed.expect_err(says);
    let text = failure.error.chain();
    assert_eq!(failure.outcome, outcome, "{text}");
    assert!(text.contains(says), "{text:?} does not say {says:?}");
}

#[tokio::test]
async fn a_profile_as_it_was_sent() {
    let profile = fixture("hello-app/a-1.pprof");
    let target = FakeTarget::serving(&profile).await;
    assert_eq!(fetch(&target).await.expect("good"), profile);
    let head = target.requests().remove(0);
    assert!(head.starts_with("GET /debug/pprof/profile?seconds=1 HTTP/1.1\r\n"), "{head}");
    assert!(!head.contains("accept-encoding"), "{head}");
}

#[tokio::test]
async fn answers_that_are_none() {
    let not_found = "HTTP/1.1 404 Not Found\r\ncontent-length: 19\r\n\r\n404 page not found\n";
    let in_use = "HTTP/1.1 500 Internal Server Error\r\nconnection: close\r\n\r\n\n\
                  Could not enable CPU profiling:\x1b cpu profiling already in use\nmore\n";
    let page = "HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\n\r\n<html>sorry</html>";
    for (answer, outcome, says) in [
        (not_found, Outcome::Refused, "it answered 404 Not Found; does the program import net/http/pprof"),
        (
            in_use,
            Outcome::Refused,
            "it answered 500 Internal Server Error: Could not enable CPU profiling: cpu profiling already in use",
        ),
        (page, Outcome::Refused, "it answered 502 Bad Gateway"),
        ("HTTP/1.1 204 No Content\r\n\r\n", Outcome::Refused, "it answered 204 No Content"),
        ("\x00\x01garbage\r\n\r\n", Outcome::Unreachable, "asking for a profile"),
        ("", Outcome::Unreachable, "asking for a profile"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", Outcome::Unreachable, "reading the profile"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
            Outcome::Unreachable,
            "reading the profile",
        ),
    ] {
        check(fetch(&FakeTarget::saying(answer).await).await, outcome, says);
    }
    let excerpt = format!("HTTP/1.1 500 X\r\nconnection: close\r\n\r\n{}", "x".repeat(1 << 20));
    let failure = fetch(&FakeTarget::saying(excerpt).await).await.expect_err("a long text");
    assert_eq!(failure.error.what().matches('x').count(), EXCERPT_CHARS);
}

#[tokio::test]
async fn nobody_there() {
    let gone = FakeTarget::hanging().await;
    let target = gone.target("app");
    drop(gone);
    // The port is free once the task is gone.
    let failed = async {
        let mut fetcher = fetcher(LIMIT);
        fetcher.patience = Duration::from_secs(5);
        loop {
            let failure = fetcher.fetch(&target).await.expect_err("nobody is there");
            if failure.error.chain().contains("refused") {
                return failure;
            }
        }
    };
    let failure = timeout(crate::fake::PATIENCE, failed).await.expect("in time");
    assert_eq!(failure.outcome, Outcome::Unreachable);
    assert!(failure.error.chain().contains("cannot connect"), "{}", failure.error.chain());
    assert!(!failure.error.chain().contains("http://"), "{}", failure.error.chain());
}

#[tokio::test]
async fn hanging_and_dripping_end() {
    let mut fetcher = fetcher(LIMIT);
    fetcher.patience = Duration::from_millis(200);
    let begun = std::time::Instant::now();
    let hanging = FakeTarget::hanging().await;
    let says = "no whole profile within 200ms (1 s of it to profile)";
    check(fetcher.fetch(&hanging.target("app")).await, Outcome::Timeout, says);
    // An error counts as one even if its body never ends; the patience is longer than what it is given.
    let error = FakeTarget::start(async |mut stream: TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 500 X\r\n\r\nhalf a li").await;
        std::future::pending::<()>().await;
    })
    .await;
    check(fetch(&error).await, Outcome::Refused, "it answered 500 Internal Server Error: half a li");
    let dripping = FakeTarget::start(async |mut stream: TcpStream| {
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while sent.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
            sent = stream.write_all(b"x").await;
        }
    })
    .await;
    check(fetcher.fetch(&dripping.target("app")).await, Outcome::Timeout, says);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

/// Sends a gigabyte behind `head` and counts what is taken of it.
async fn flood(head: &'static str) -> (FakeTarget, Arc<AtomicU64>) {
    let taken = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&taken);
    let target = FakeTarget::start(move |mut stream: TcpStream| {
        let count = Arc::clone(&count);
        async move {
            let block = vec![0x1f; 64 << 10];
            let mut sent = stream.write_all(head.as_bytes()).await;
            while sent.is_ok() && count.load(Ordering::Relaxed) < 1 << 30 {
                sent = stream.write_all(&block).await;
                count.fetch_add(block.len() as u64, Ordering::Relaxed);
            }
        }
    })
    .await;
    (target, taken)
}

#[tokio::test]
async fn a_gigabyte_is_cut_off() {
    // What a connection holds on its way besides what was read.
    let buffers = 16 << 20;
    let (announced, taken) = flood("HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n").await;
    check(
        fetch(&announced).await,
        Outcome::TooLarge,
        "a body of 1073741824 bytes where at most 33554432 bytes",
    );
    assert!(taken.load(Ordering::Relaxed) < buffers, "{taken:?}");
    let (endless, taken) = flood("HTTP/1.1 200 OK\r\n\r\n").await;
    check(fetch(&endless).await, Outcome::TooLarge, "a body that goes on where at most 33554432 bytes");
    assert!(taken.load(Ordering::Relaxed) < LIMIT + buffers, "{taken:?}");
    let (error, taken) = flood("HTTP/1.1 500 X\r\n\r\n").await;
    check(fetch(&error).await, Outcome::Refused, "it answered 500");
    assert!(taken.load(Ordering::Relaxed) < buffers, "{taken:?}");
}

#[tokio::test]
async fn the_limit_to_the_byte() {
    let fetcher = fetcher(1000);
    let chunked = |size: usize| {
        let body = "x".repeat(size);
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n")
            .into_bytes()
    };
    for answer in [ok(vec![b'x'; 1000]), chunked(1000)] {
        let target = FakeTarget::saying(answer).await;
        assert_eq!(fetcher.fetch(&target.target("app")).await.expect("at the limit").len(), 1000);
    }
    for answer in [ok(vec![b'x'; 1001]), chunked(1001)] {
        let target = FakeTarget::saying(answer).await;
        check(fetcher.fetch(&target.target("app")).await, Outcome::TooLarge, "at most 1000 bytes");
    }
}

#[tokio::test]
async fn redirects_stay_on_the_host() {
    let to =
        |location: &str| format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\nconnection: close\r\n\r\n");
    let elsewhere = FakeTarget::serving(b"stolen").await;
    let other_name = elsewhere.address.replace("127.0.0.1", "localhost");
    let target = FakeTarget::saying(to(&other_name)).await;
    let says = format!("it redirects to {other_name}, which is not followed");
    check(fetch(&target).await, Outcome::Refused, &says);
    assert!(elsewhere.requests().is_empty());

    let same_host = FakeTarget::saying(to(&format!("{}/real", elsewhere.address))).await;
    assert_eq!(fetch(&same_host).await.expect("followed"), "stolen");

    let round_and_round = FakeTarget::saying(to("/again")).await;
    check(fetch(&round_and_round).await, Outcome::Refused, "it redirects more than 3 times");
    assert_eq!(round_and_round.requests().len(), 1 + REDIRECTS);
}

#[test]
fn no_proxy_to_this_machine() {
    for (url, loopback) in [
        ("http://localhost:1", true),
        ("http://app.localhost", true),
        ("http://127.8.8.8:1", true),
        ("http://[::1]:1", true),
        ("http://10.0.0.1", false),
        ("http://localhost.example", false),
    ] {
        assert_eq!(is_loopback(&Url::parse(url).expect(url)), loopback, "{url}");
    }
}
