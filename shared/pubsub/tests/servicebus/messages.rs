//! What goes over the wire.

use std::time::Duration;

use autopgo_core::error::Kind;
use autopgo_pubsub::open::{subscription, topic};
use jiff::Timestamp;
use serde_json::Value;

use crate::rig::{Peer, environment, message, soon};

#[tokio::test]
async fn urls_and_the_environment_are_checked() {
    let good = "Endpoint=sb://h/;SharedAccessKeyName=r;SharedAccessKey=hunter2";
    let with = environment(&[("SERVICEBUS_CONNECTION_STRING", good)]);
    for (url, says) in [
        ("azuresb://pgo", "a reader needs a subscription of the topic"),
        ("azuresb://pgo?subscription=a&subscriptions=b", "unknown parameter \"subscriptions\""),
        ("azuresb://pgo?subscription=a&listener_timeout=0s", "listener_timeout"),
        ("azuresb://pgo?subscription=a&max_recv_batch_size=0", "max_recv_batch_size"),
        ("azuresb://?subscription=a", "no topic"),
    ] {
        let error = subscription(url, &with).await.err().expect(url);
        assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{url}: {error}");
    }
    for (url, says) in [
        ("azuresb://pgo?subscription=a", "unknown parameter"),
        ("azuresb://", "no topic"),
        ("azuresb://pgo/subscriptions/a", "?subscription=NAME"),
    ] {
        let error = topic(url, &with).await.err().expect(url);
        assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{url}: {error}");
    }
    let without = environment(&[]);
    let error = topic("azuresb://pgo", &without).await.err().expect("nobody");
    assert!(error.what().contains("SERVICEBUS_CONNECTION_STRING nor AZURE_SERVICEBUS_HOSTNAME"), "{error}");
    topic("pubsub+topic+azuresb://pgo/", &with).await.expect("a topic");
    subscription("pubsub+azuresb://pgo?subscription=a", &with).await.expect("a subscription");
}

#[tokio::test]
async fn a_message_goes_out_as_the_original_sends_it_and_more() {
    let peer = Peer::new(Duration::from_secs(60));
    peer.published(["{}"]).await;
    let properties = peer.fake.properties("laws", "worker");
    assert_eq!(properties.len(), 1);
    assert_eq!(properties[0]["PartitionKey"], "hello-world");
    let id = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    assert_eq!(properties[0]["MessageId"], id);
    assert_eq!(properties[0].get("SessionId"), None::<&Value>);
}

/// What others put on the topic: the original's messages have a partition key, and no type of content.
#[tokio::test]
async fn the_body_is_taken_as_it_is() {
    let peer = Peer::new(Duration::from_secs(60));
    let reader = peer.reader().await;
    let envelope = r#"{"id":"e9e23fa8-9d46-4c66-9190-2f64eacd73a2","timestamp":"2025-01-02T03:04:05.123456789Z","type":"profile.uploaded","payload":{"app":"hello-world","profileKey":"hello-world/staging/1730075435311000000"}}"#;
    let end = Timestamp::now() + Duration::from_secs(60);
    let signature = peer.fake.signature("sender", "laws", end);
    for (properties, kind, body) in [
        (r#"{"PartitionKey":"hello-world"}"#, None, envelope.as_bytes()),
        (r#"{"Label":"x","MessageId":"1"}"#, Some("application/octet-stream"), b"\xff\x00 no text"),
        ("{}", Some("application/atom+xml;type=entry;charset=utf-8"), b""),
    ] {
        let request = reqwest::Client::new()
            .post(format!("http://{}/laws/messages", peer.fake.address()))
            .header("Authorization", &signature)
            .header("BrokerProperties", properties)
            .body(body.to_vec());
        let request = kind.iter().fold(request, |request, kind| request.header("Content-Type", *kind));
        assert_eq!(request.send().await.expect("sent").status(), 201);
        let batch = soon(reader.receive(10)).await.expect("received");
        assert_eq!((batch.len(), &batch[0].body[..]), (1, body));
        reader.ack(&batch[0]).await.expect("acked");
    }
    assert_eq!(peer.fake.count("laws", "worker"), (0, 0));
}

#[tokio::test]
async fn a_batch_is_as_large_as_it_may_be_and_no_larger() {
    let peer = Peer::new(Duration::from_secs(60));
    let bodies: Vec<String> = (0..120).map(|n| n.to_string()).collect();
    peer.published(bodies.iter().map(String::as_str)).await;
    let of = |size: &str| format!("azuresb://laws?subscription=worker{size}");
    for (size, max, expected) in
        [("", 100, 50), ("", 20, 20), ("&max_recv_batch_size=7", 100, 7), ("", 100, 43)]
    {
        let reader = subscription(&of(size), &peer.environment).await.expect("a subscription");
        let batch = soon(reader.receive(max)).await.expect("received");
        assert_eq!(batch.len(), expected, "{size:?}, {max}");
        for delivery in &batch {
            reader.ack(delivery).await.expect("acked");
        }
    }
    assert_eq!(peer.fake.count("laws", "worker"), (0, 0));
}

#[tokio::test]
async fn what_is_too_large_is_said_to_be() {
    let peer = Peer::new(Duration::from_secs(60));
    let error = peer.topic().await.publish(message(&"x".repeat(300 << 10))).await.expect_err("too large");
    assert_eq!(error.kind(), Kind::TooLarge, "{}", error.chain());
}
