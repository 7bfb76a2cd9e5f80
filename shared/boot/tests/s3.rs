//! What a worker makes of a store at an endpoint of one's own, and that a server asks nothing of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use autopgo_boot::{Config, Ports};
use autopgo_conformance::skip;
use autopgo_conformance::wire::Request;
use autopgo_core::error::Kind;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

/// Whether there are credentials for a store: those of the server that `tests/services` starts.
fn credentials() -> bool {
    let there = std::env::var("AUTOPGO_TEST_MINIO_URL").is_ok_and(|url| !url.is_empty());
    if !there {
        skip("minio", "AUTOPGO_TEST_MINIO_URL names no server; `tests/run services` starts one");
    }
    there
}

fn config(address: SocketAddr) -> Config {
    let store = format!("s3://profiles?region=x&endpoint=http://{address}&use_path_style=true&profile=minio");
    Config {
        blob_store_url: Some(store),
        event_writer_url: Some("mem://events".to_owned()),
        event_reader_url: Some("mem://events".to_owned()),
        ..Config::default()
    }
}

/// A store that takes every write, whatever its condition, and counts its requests.
async fn lax() -> std::io::Result<(SocketAddr, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, Arc::clone(&counter)));
        }
    });
    Ok((address, requests))
}

async fn answer(mut stream: TcpStream, requests: Arc<AtomicUsize>) -> std::io::Result<()> {
    let Some(request) = Request::read(&mut stream).await? else { return Ok(()) };
    let n = requests.fetch_add(1, Ordering::SeqCst);
    let body = match request.method.as_str() {
        "GET" => "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
        _ => "",
    };
    let head = format!("HTTP/1.1 200 OK\r\netag: \"{n}\"\r\ncontent-length: {}\r\n", body.len());
    stream.write_all(format!("{head}connection: close\r\n\r\n{body}").as_bytes()).await?;
    stream.shutdown().await
}

#[tokio::test]
async fn a_worker_refuses_a_store_that_ignores_conditions() {
    if !credentials() {
        return;
    }
    let (address, requests) = lax().await.expect("a store");
    let error = Ports::for_worker(&config(address)).await.err().expect("a lax store");
    assert_eq!(error.kind(), Kind::Invalid, "{}", error.chain());
    let says = format!("the blob store: s3://profiles at http://{address} writes in spite of a condition");
    assert!(error.what().starts_with(&says), "{error}");
    assert!(requests.load(Ordering::SeqCst) > 0);
}

#[tokio::test]
async fn a_server_asks_nothing_of_a_store_at_its_start() {
    if !credentials() {
        return;
    }
    let (address, requests) = lax().await.expect("a store");
    Ports::for_server(&config(address)).await.expect("opened");
    assert_eq!(requests.load(Ordering::SeqCst), 0);
}
