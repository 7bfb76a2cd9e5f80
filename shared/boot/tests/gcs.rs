//! What a worker makes of an emulator in the place of a `gs://` store, that a server asks nothing of it, and that Google's
//! chain of credentials is what is used where there is none.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use autopgo_boot::{Config, Ports};
use autopgo_conformance::lax::Lax;
use autopgo_core::error::Kind;
use autopgo_core::port::blobs::When;
use autopgo_fakes::gcs::Fake;

fn config(store: &str, emulator: Option<SocketAddr>) -> Config {
    Config {
        blob_store_url: Some(store.to_owned()),
        event_writer_url: Some("mem://events".to_owned()),
        event_reader_url: Some("mem://events".to_owned()),
        storage_emulator_host: emulator.map(|address| address.to_string()),
        ..Config::default()
    }
}

/// The JSON API as such a store speaks it.
fn words(method: &str, before: usize) -> (String, String) {
    let body = match method {
        "POST" => format!("{{\"bucket\": \"profiles\", \"generation\": \"{}\"}}", before + 1),
        _ => "{}".to_owned(),
    };
    ("content-type: application/json\r\n".to_owned(), body)
}

#[tokio::test]
async fn a_worker_refuses_an_emulator_that_ignores_conditions() {
    let store = Lax::start(words).await.expect("a store");
    let address = store.address();
    let error = Ports::for_worker(&config("gs://profiles", Some(address))).await.err().expect("a lax store");
    assert_eq!(error.kind(), Kind::Invalid, "{}", error.chain());
    assert!(
        error.what().starts_with("the blob store: gs://profiles writes in spite of a condition"),
        "{error}"
    );
    assert!(store.requests() > 0);
}

#[tokio::test]
async fn a_server_asks_nothing_of_a_store_at_its_start() {
    let store = Lax::start(words).await.expect("a store");
    let address = store.address();
    Ports::for_server(&config("gs://profiles", Some(address))).await.expect("opened");
    assert_eq!(store.requests(), 0);
}

const STORE: &str = "BOOT_TEST_STORE";

/// In a process of its own, as the variable is read by Google's library.
#[test]
fn the_credentials_are_those_of_googles_chain() {
    let (fake, folder) = (Fake::start().expect("a fake"), tempfile::tempdir().expect("a folder"));
    fake.make("profiles");
    let stranger = fake.stranger().expect("a stranger");
    for (name, account) in [("account", fake.account()), ("stranger", &stranger)] {
        std::fs::write(folder.path().join(name), account.credentials().to_string()).expect("written");
    }
    for (name, outcome) in [("account", "good"), ("stranger", "Denied"), ("none", "Denied")] {
        let output = Command::new(std::env::current_exe().expect("this file"))
            .args(["part", "--exact", "--ignored", "--nocapture"])
            .env("GOOGLE_APPLICATION_CREDENTIALS", folder.path().join(name))
            .env(STORE, format!("gs://profiles?endpoint=http://{}", fake.address()))
            .output()
            .expect("run");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(&format!("outcome: {outcome}")), "{name}: {text}");
    }
}

/// What that process does.
#[tokio::test]
#[ignore = "started by another test, as another process"]
async fn part() {
    let store = std::env::var(STORE).expect("a store");
    let ports = Ports::for_worker(&config(&store, None)).await;
    let outcome = match &ports {
        Ok(ports) => {
            ports.check().await.expect("it answers");
            ports.blobs.write("k", "x".into(), When::Always).await.expect("written");
            let signed = ports.blobs.sign_get("k", Duration::from_secs(60)).await.expect("no error");
            assert!(signed.is_some(), "the key of the account signs");
            "good".to_owned()
        }
        Err(error) => format!("{:?}", error.kind()),
    };
    println!("outcome: {outcome}");
}
