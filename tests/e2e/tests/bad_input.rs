//! Bad input against the real process: a clear answer, nothing lost, the process up, and memory within bounds.

use std::io::Write as _;
use std::path::Path;

use autopgo_e2e::process::{Running, local};
use autopgo_e2e::{paths, profile, wait};
use reqwest::StatusCode;

async fn post(running: &Running, app: &str, body: Vec<u8>) -> (StatusCode, String) {
    let url = format!("{}/api/profile/{app}", running.url);
    let answer = reqwest::Client::new().post(url).body(body).send().await.expect("an answer");
    let status = answer.status();
    let json: serde_json::Value = answer.json().await.expect("json");
    assert!(status.is_success() || json["code"] == status.as_u16(), "{json}");
    (status, json["message"].as_str().unwrap_or_default().to_owned())
}

/// Zeroes of `size` bytes, packed: one member of `size`, or many small ones. Made without holding them.
fn bomb(size: u64, members: u64) -> Vec<u8> {
    let zeroes = vec![0u8; 1 << 20];
    let mut one = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let mut left = size / members;
    while left > 0 {
        let part = left.min(zeroes.len() as u64) as usize;
        one.write_all(&zeroes[..part]).expect("packed");
        left -= part as u64;
    }
    one.finish().expect("packed").repeat(members as usize)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gzip_bombs_are_refused_in_bounded_memory() {
    const MIB: u64 = 1 << 20;
    let folder = tempfile::tempdir().expect("a folder");
    let running = local(folder.path(), &[]).await;
    // One good upload first, so that idle is idle after work.
    let good = std::fs::read(paths::fixture("hello-app/a-1.pprof")).expect("a fixture");
    assert_eq!(post(&running, "good", good).await.0, StatusCode::CREATED);
    let idle = running.peak_memory();
    for (size, members) in [(10 * MIB, 1), (300 * MIB, 1), (10 << 30, 1), (10 << 30, 10_240)] {
        let body = bomb(size, members);
        let packed = body.len() as u64;
        let (status, message) = post(&running, "bomb", body).await;
        // Within the limit it is unpacked and found to be no profile; over it, or over the body's own limit, refused.
        let expected = if size < 256 * MIB { StatusCode::BAD_REQUEST } else { StatusCode::PAYLOAD_TOO_LARGE };
        assert_eq!(status, expected, "{size} in {members}: {message}");
        let peak = running.peak_memory();
        println!(
            "{} MiB in {members} members ({packed} B packed): peak {} MiB above idle",
            size / MIB,
            (peak - idle) / MIB
        );
        assert!(peak - idle <= 256 * MIB + packed + 16 * MIB, "{} MiB above idle", (peak - idle) / MIB);
    }
    still_serves(&running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bad_body_is_refused_by_name_and_none_is_stored() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = local(folder.path(), &[]).await;
    let read = |name: &str| std::fs::read(paths::fixture(name)).expect("a fixture");
    let whole = read("hello-app/a-1.pprof");
    let random: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(5000).collect();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("an empty body", Vec::new(), "empty"),
        ("random bytes", random, ""),
        ("a truncated gzip", whole[..whole.len() / 2].to_vec(), ""),
        ("a heap profile", read("hello-app/a-heap.pprof"), "heap"),
        ("a goroutine profile", read("hello-app/a-goroutine.pprof"), "goroutine"),
        ("the old binary format", read("legacy-gobench.cpu"), "old binary format"),
        ("the old text format", b"goroutine profile: total 3\n1 @ 0x1\n".to_vec(), "text format"),
        ("negative values", profile::cpu(&[("main.main", "main.f", u64::MAX)]), "negative"),
    ];
    for (what, body, says) in cases {
        let (status, message) = post(&running, "bad", body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{what}: {message}");
        assert!(message.to_lowercase().contains(says) && !message.is_empty(), "{what}: {message}");
    }
    for name in ["..", "%2e%2e", "UPPER", "a%2fb", "a%00b", &"x".repeat(129), "%ff", "a_b"] {
        let url = format!("{}/api/profile/{name}", running.url);
        let request = raw(&running, &format!("POST /api/profile/{name} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")).await;
        assert!(
            request.starts_with("HTTP/1.1 400") || request.starts_with("HTTP/1.1 404"),
            "{url}: {request}"
        );
    }
    assert!(!Path::new(folder.path()).join("bad").exists(), "something was stored");
    still_serves(&running).await;
}

/// Sends bytes as they are: a client library would tidy them up.
async fn raw(running: &Running, request: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = running.url.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("connected");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_half_way_leaves_nothing_and_a_chunked_one_is_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = local(folder.path(), &[]).await;
    {
        use tokio::io::AsyncWriteExt;
        let address = running.url.trim_start_matches("http://");
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("connected");
        let head = "POST /api/profile/half HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nhalf";
        stream.write_all(head.as_bytes()).await.expect("sent");
    }
    // A Go client sends its body in chunks, without a length.
    let body = std::fs::read(paths::fixture("hello-app/b-1.pprof")).expect("a fixture");
    let chunks: Vec<Result<Vec<u8>, std::io::Error>> =
        body.chunks(1000).map(|chunk| Ok(chunk.to_vec())).collect();
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    let url = format!("{}/api/profile/chunked", running.url);
    let answer = reqwest::Client::new().post(&url).body(body).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::CREATED);
    wait::until("the chunked upload is merged", async || {
        reqwest::get(&url).await.ok().filter(|answer| answer.status().is_success())
    })
    .await;
    assert!(!folder.path().join("half").exists());
    still_serves(&running).await;
}

async fn still_serves(running: &Running) {
    let body = std::fs::read(paths::fixture("hello-app/a-2.pprof")).expect("a fixture");
    assert_eq!(post(running, "after", body).await.0, StatusCode::CREATED);
    let health = reqwest::get(format!("{}/api/health", running.url)).await.expect("an answer");
    assert_eq!(health.status(), StatusCode::OK);
}
