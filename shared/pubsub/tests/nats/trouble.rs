//! What both ways of NATS do when something is in the way.

use std::time::Duration;

use autopgo_conformance::brokers::Nats as Server;
use autopgo_conformance::bus::Broker;
use autopgo_core::error::Kind;
use autopgo_pubsub::open::{subscription, topic};

use crate::rig::{environment, message, next};

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let Some(server) = Server::start() else { return };
    for url in ["nats://events", "nats://events?jetstream=EVENTS"] {
        let topic = topic(url, &environment(&server.url())).await.expect("opened");
        topic.check().await.expect("healthy");
        let error = topic.publish(message(&"x".repeat(2 << 20))).await.expect_err("too large");
        assert_eq!(error.kind(), Kind::TooLarge, "{}", error.chain());
        topic.publish(message("{}")).await.expect("the next goes through");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_is_opened_before_its_server_finds_it() {
    let Some(server) = Server::start() else { return };
    Broker::stop(&server).await.expect("stopped");
    for (writer, reader) in
        [("nats://a", "nats://a?queue=q"), ("nats://b?jetstream=B", "nats://b?jetstream=B&ack_wait=1s")]
    {
        let environment = environment(&server.url());
        let topic = topic(writer, &environment).await.expect("opened");
        let reader = subscription(reader, &environment).await.expect("opened");
        topic.check().await.expect_err("nobody is there");
        reader.check().await.expect_err("nobody is there");
        Broker::start(&server).await.expect("started");
        let until = tokio::time::Instant::now() + Duration::from_secs(30);
        while topic.check().await.is_err() || reader.check().await.is_err() {
            assert!(tokio::time::Instant::now() < until, "it is never found");
        }
        topic.publish(message("1")).await.expect("published");
        assert_eq!(next(&*reader).await, "1");
        Broker::stop(&server).await.expect("stopped");
    }
}
