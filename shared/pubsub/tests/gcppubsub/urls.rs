//! What is wrong in a URL or in the environment, refused by name. No server is asked.

use std::net::SocketAddr;
use std::sync::Arc;

use autopgo_core::clock::System;
use autopgo_core::error::{Error, Kind};
use autopgo_pubsub::open::{Environment, subscription, topic};

use crate::rig::environment;

fn refused<T>(url: &str, opened: Result<T, Error>, says: &str) {
    let error = opened.err().unwrap_or_else(|| panic!("{url} was opened"));
    assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{url}: {error}");
}

fn nobody() -> Environment {
    environment(SocketAddr::from(([127, 0, 0, 1], 1)))
}

#[tokio::test]
async fn topics() {
    for (url, says) in [
        ("gcppubsub://acme", "names no topic; write gcppubsub://projects/PROJECT/topics/NAME"),
        ("gcppubsub://projects/acme/subscriptions/worker", "names no topic"),
        ("gcppubsub://acme/pgo?max_send_batch_size=1001", "is to be 1 to 1000"),
        ("gcppubsub://acme/pgo?max_send_batch_size=1&max_send_batch_size=1", "more than once"),
        ("gcppubsub://acme/pgo?max_recv_batch_size=1", "unknown parameter \"max_recv_batch_size\""),
        ("gcppubsub://acme/pgo?nacklazy=true", "unknown parameter \"nacklazy\""),
        ("gcppubsub://me:secret@acme/pgo", "carries credentials"),
    ] {
        refused(url, topic(url, &nobody()).await, says);
    }
    for url in
        ["gcppubsub://projects/acme/topics/pgo?max_send_batch_size=10", "pubsub+topic+gcppubsub://a/pgo"]
    {
        topic(url, &nobody()).await.expect(url);
    }
}

#[tokio::test]
async fn subscriptions() {
    for (url, says) in [
        ("gcppubsub://acme", "names no subscription; write gcppubsub://projects/PROJECT/subscriptions/NAME"),
        ("gcppubsub://projects/acme/topics/pgo", "names no subscription"),
        ("gcppubsub://acme/worker?max_recv_batch_size=0", "is to be 1 to 1000"),
        ("gcppubsub://acme/worker?nacklazy=yes", "parameter nacklazy is \"yes\""),
        ("gcppubsub://acme/worker?max_send_batch_size=1", "unknown parameter \"max_send_batch_size\""),
        ("gcppubsub://acme/worker?ackdeadline=1m", "unknown parameter \"ackdeadline\""),
    ] {
        refused(url, subscription(url, &nobody()).await, says);
    }
    let url = "gcppubsub://projects/acme/subscriptions/worker?max_recv_batch_size=10&nacklazy=true";
    subscription(url, &nobody()).await.expect(url);
}

#[tokio::test]
async fn an_emulator_is_a_host() {
    let with = |host: &'static str| {
        Environment::new(Arc::new(System))
            .with_variables(move |name| (name == "PUBSUB_EMULATOR_HOST").then(|| host.to_owned()))
    };
    for host in ["https://127.0.0.1:1", "127.0.0.1:x", "a/b"] {
        let url = "gcppubsub://acme/pgo";
        refused(host, topic(url, &with(host)).await, "PUBSUB_EMULATOR_HOST is no host");
        refused(host, subscription(url, &with(host)).await, "PUBSUB_EMULATOR_HOST is no host");
    }
    topic("gcppubsub://acme/pgo", &with("http://127.0.0.1:1/")).await.expect("a host");
}
