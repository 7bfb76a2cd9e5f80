//! What goes over core NATS.

use std::time::Duration;

use async_nats::HeaderMap;
use autopgo_conformance::brokers::Nats as Server;
use autopgo_pubsub::open::{subscription, topic};

use crate::rig::{environment, message, next};

#[tokio::test]
async fn every_encoding_of_the_go_original_is_read() {
    let Some(server) = Server::start() else { return };
    let environment = environment(&server.url());
    let body = r#"{"id":"1","type":"profile.uploaded"}"#;
    // What Go writes in the first version when a message has metadata: see `nats/gob.rs`.
    let map = b"\x0d\x7f\x04\x01\x02\xff\x80\x00\x01\x0c\x01\x0c\x00\x00\x08\xff\x80\x00\x01\x01k\x01v";
    let length = u8::try_from(body.len()).expect("short");
    let gob = [&map[..], &[length + 3, 0x0a, 0x00, length], body.as_bytes()].concat();
    let mut headers = HeaderMap::new();
    headers.insert("k", "100%zz");
    for (url, v2) in [("nats://events", false), ("nats://events?natsv2=true", true)] {
        let subscription = subscription(url, &environment).await.expect("opened");
        let client = async_nats::connect(server.url()).await.expect("connected");
        client.publish("events", body.into()).await.expect("published");
        client.publish_with_headers("events", headers.clone(), body.into()).await.expect("published");
        for _ in 0..2 {
            assert_eq!(next(&*subscription).await, body);
        }
        if !v2 {
            client.publish("events", gob.clone().into()).await.expect("published");
            assert_eq!(next(&*subscription).await, body);
        }
    }
}

#[tokio::test]
async fn what_we_publish_is_plain_and_has_no_headers() {
    use futures_util::StreamExt;
    let Some(server) = Server::start() else { return };
    let client = async_nats::connect(server.url()).await.expect("connected");
    let mut messages = client.subscribe("events").await.expect("subscribed");
    client.flush().await.expect("flushed");
    for url in ["nats://events", "nats://events?natsv2"] {
        let topic = topic(url, &environment(&server.url())).await.expect("opened");
        topic.publish(message("{}")).await.expect("published");
        let came = messages.next().await.expect("it came");
        assert_eq!((came.payload, came.headers, came.reply), ("{}".into(), None, None));
    }
}

#[tokio::test]
async fn without_a_queue_everybody_has_every_message() {
    let Some(server) = Server::start() else { return };
    let environment = environment(&server.url());
    let one = subscription("nats://events", &environment).await.expect("opened");
    let two = subscription("nats://events.>", &environment).await.expect("opened");
    let three = subscription("nats://events.>", &environment).await.expect("opened");
    let topic = topic("nats://events.a", &environment).await.expect("opened");
    topic.publish(message("{}")).await.expect("published");
    for subscription in [two, three] {
        assert_eq!(next(&*subscription).await, "{}");
    }
    let none = tokio::time::timeout(Duration::from_millis(100), one.receive(1)).await;
    assert!(none.is_err(), "another subject's came");
}
