//! What goes over the wire.

use std::time::Duration;

use autopgo_core::error::Kind;
use autopgo_pubsub::open::{subscription, topic};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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

/// What the original hands to Microsoft's client, in `tests/fixtures/messages/azuresb`, as the service shows it to one who
/// speaks HTTP: it turns AMQP's properties into headers and back.
#[tokio::test]
async fn what_the_original_publishes_is_read() {
    let peer = Peer::new(Duration::from_secs(60));
    let reader = peer.reader().await;
    let signature = peer.fake.signature("sender", "laws", Timestamp::now() + Duration::from_secs(60));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/messages/azuresb");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).expect(folder) {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("a text");
        let fixture: Value = serde_json::from_str(&text).expect("JSON");
        let mut message = fixture["message"].clone();
        let message = message.as_object_mut().expect("a message");
        let body = message.remove("Body").expect("a body");
        let body = STANDARD.decode(body.as_str().expect("text")).expect("base64");
        // Metadata are headers of their own, which nobody reads.
        message.remove("ApplicationProperties").expect("properties, or none");
        message.retain(|_, value| !value.is_null());
        // The key that orders it, and neither an id nor a session.
        assert_eq!(message.keys().collect::<Vec<_>>(), ["PartitionKey"]);
        let request = reqwest::Client::new()
            .post(format!("http://{}/laws/messages", peer.fake.address()))
            .header("Authorization", &signature)
            .header("BrokerProperties", Value::Object(message.clone()).to_string())
            .body(body);
        assert_eq!(request.send().await.expect("sent").status(), 201);
        let batch = soon(reader.receive(10)).await.expect("received");
        assert_eq!(
            (batch.len(), &batch[0].body[..]),
            (1, fixture["body"].as_str().expect("text").as_bytes())
        );
        reader.ack(&batch[0]).await.expect("acked");
        seen += 1;
    }
    assert_eq!(seen, 4);
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
