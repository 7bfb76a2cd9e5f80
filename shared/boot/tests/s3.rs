//! What a worker makes of a store at an endpoint of one's own, and that a server asks nothing of it.

use std::net::SocketAddr;

use autopgo_boot::{Config, Ports};
use autopgo_conformance::lax::Lax;
use autopgo_conformance::skip;
use autopgo_core::error::Kind;

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

/// S3 as such a store speaks it.
fn words(method: &str, before: usize) -> (String, String) {
    let body = match method {
        "GET" => "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
        _ => "",
    };
    (format!("etag: \"{before}\"\r\n"), body.to_owned())
}

#[tokio::test]
async fn a_worker_refuses_a_store_that_ignores_conditions() {
    if !credentials() {
        return;
    }
    let store = Lax::start(words).await.expect("a store");
    let address = store.address();
    let error = Ports::for_worker(&config(address)).await.err().expect("a lax store");
    assert_eq!(error.kind(), Kind::Invalid, "{}", error.chain());
    let says = format!("the blob store: s3://profiles at http://{address} writes in spite of a condition");
    assert!(error.what().starts_with(&says), "{error}");
    assert!(store.requests() > 0);
}

#[tokio::test]
async fn a_server_asks_nothing_of_a_store_at_its_start() {
    if !credentials() {
        return;
    }
    let store = Lax::start(words).await.expect("a store");
    let address = store.address();
    Ports::for_server(&config(address)).await.expect("opened");
    assert_eq!(store.requests(), 0);
}
