//! That the variables of the process reach the store, and what a worker asks of one at an endpoint of one's own.

use autopgo_boot::{Config, Ports};
use autopgo_conformance::skip;
use autopgo_core::error::Kind;

/// The host of Azurite; its credentials are in the connection string that `tests/services` exports.
fn azurite() -> Option<String> {
    let url = std::env::var("AUTOPGO_TEST_AZURITE_URL").ok().filter(|url| !url.is_empty());
    if url.is_none() {
        skip("azurite", "AUTOPGO_TEST_AZURITE_URL names no server; `tests/run services` starts one");
    }
    Some(url?.trim_start_matches("http://").to_owned())
}

fn config(store: String) -> Config {
    Config {
        blob_store_url: Some(store),
        event_writer_url: Some("mem://events".to_owned()),
        event_reader_url: Some("mem://events".to_owned()),
        ..Config::default()
    }
}

#[tokio::test]
async fn the_connection_string_of_the_process_opens_the_store() {
    if azurite().is_none() {
        return;
    }
    let config = config("azblob://no-such-container".to_owned());
    for ports in [Ports::for_server(&config).await, Ports::for_worker(&config).await] {
        let error = ports.expect("opened").check().await.expect_err("no container");
        assert_eq!(error.kind(), Kind::NotFound, "{}", error.chain());
        let says = "the blob store: azblob://no-such-container: there is no such container";
        assert!(error.what().starts_with(says), "{error}");
    }
}

#[tokio::test]
async fn a_worker_tries_a_store_at_an_endpoint_of_ones_own() {
    let Some(host) = azurite() else { return };
    let config = config(format!("azblob://no-such-container?domain={host}&protocol=http"));
    let error = Ports::for_worker(&config).await.err().expect("no container");
    assert_eq!(error.kind(), Kind::NotFound, "{}", error.chain());
    Ports::for_server(&config).await.expect("a server asks nothing at its start");
}
