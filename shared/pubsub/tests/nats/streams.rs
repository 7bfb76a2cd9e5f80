//! Streams and consumers: made, found, and not taken.

use std::time::Duration;

use async_nats::jetstream as client;
use autopgo_conformance::brokers::Nats as Server;
use autopgo_core::error::Kind;
use autopgo_pubsub::open::{subscription, topic};

use crate::rig::{environment, message, next};

#[tokio::test]
async fn a_stream_and_a_consumer_are_made_as_documented() {
    let Some(server) = Server::start() else { return };
    let environment = environment(&server.url());
    let topic = topic("nats://events.a?jetstream=EVENTS", &environment).await.expect("opened");
    let url = "nats://events.a?jetstream=EVENTS&consumer=w&ack_wait=45s&max_deliver=7";
    let reader = subscription(url, &environment).await.expect("opened");
    assert_eq!(reader.hold(), Some(Duration::from_secs(45)));
    topic.publish(message("{}")).await.expect("published");
    // The same again within the window of duplicates is the same.
    topic.publish(message("{}")).await.expect("published");

    let context = client::new(async_nats::connect(server.url()).await.expect("connected"));
    let mut stream = context.get_stream("EVENTS").await.expect("a stream");
    let info = stream.info().await.expect("told").clone();
    assert_eq!(info.state.messages, 1);
    assert_eq!(info.config.subjects, ["events.a"]);
    assert_eq!(info.config.retention, client::stream::RetentionPolicy::WorkQueue);
    assert_eq!(info.config.storage, client::stream::StorageType::File);
    assert_eq!(info.config.max_age, Duration::from_secs(7 * 24 * 60 * 60));
    let consumer = stream.consumer_info("w").await.expect("a consumer").config;
    assert_eq!((consumer.ack_wait, consumer.max_deliver), (Duration::from_secs(45), 7));
    assert_eq!(consumer.filter_subject, "events.a");

    assert_eq!(next(&*reader).await, "{}");
    assert_eq!(stream.info().await.expect("told").state.messages, 0, "what is acked is gone");

    // What is there is taken as it is, but for what the URL says.
    let plain = "nats://events.a?jetstream=EVENTS&consumer=w";
    let again = subscription(plain, &environment).await.expect("opened");
    assert_eq!(again.hold(), Some(Duration::from_secs(45)));
    let longer = subscription(&format!("{plain}&ack_wait=1m"), &environment).await.expect("opened");
    assert_eq!(longer.hold(), Some(Duration::from_secs(60)));
    let consumer = stream.consumer_info("w").await.expect("a consumer").config;
    assert_eq!((consumer.ack_wait, consumer.max_deliver), (Duration::from_secs(60), 7));
}

#[tokio::test]
async fn a_stream_of_other_subjects_is_refused_by_name() {
    let Some(server) = Server::start() else { return };
    let environment = environment(&server.url());
    let first = topic("nats://events.a?jetstream=EVENTS", &environment).await.expect("opened");
    first.check().await.expect("healthy");
    let other = topic("nats://events.b?jetstream=EVENTS", &environment).await.expect("opened");
    let error = other.check().await.expect_err("another subject");
    assert_eq!(error.kind(), Kind::Invalid, "{}", error.chain());
    assert!(error.what().contains("the stream EVENTS takes events.a and not events.b"), "{error}");
    let error = other.publish(message("{}")).await.expect_err("nowhere to go");
    assert!(error.chain().contains("EVENTS"), "{}", error.chain());
}

#[tokio::test]
async fn what_was_removed_is_made_again() {
    let Some(server) = Server::start() else { return };
    let environment = environment(&server.url());
    let topic = topic("nats://events?jetstream=EVENTS", &environment).await.expect("opened");
    let url = "nats://events?jetstream=EVENTS&ack_wait=1s";
    let reader = subscription(url, &environment).await.expect("opened");
    topic.publish(message("1")).await.expect("published");
    assert_eq!(next(&*reader).await, "1");
    let context = client::new(async_nats::connect(server.url()).await.expect("connected"));
    context.delete_stream("EVENTS").await.expect("removed");
    topic.publish(message("2")).await.expect("published");
    // The wish may end with the consumer it was made of; the loop that pulls asks again.
    let until = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        assert!(tokio::time::Instant::now() < until, "it never comes");
        if let Ok(Ok(batch)) = tokio::time::timeout(Duration::from_secs(1), reader.receive(1)).await {
            assert_eq!(batch[0].body, "2");
            reader.ack(&batch[0]).await.expect("acked");
            return;
        }
    }
}

#[tokio::test]
async fn a_message_is_delivered_so_often_and_no_more() {
    let Some(server) = Server::start() else { return };
    let environment = environment(&server.url());
    let topic = topic("nats://events?jetstream=EVENTS", &environment).await.expect("opened");
    let url = "nats://events?jetstream=EVENTS&ack_wait=300ms&max_deliver=3";
    let reader = subscription(url, &environment).await.expect("opened");
    topic.publish(message("1")).await.expect("published");
    for _ in 0..3 {
        let batch = tokio::time::timeout(Duration::from_secs(20), reader.receive(1)).await;
        reader.nack(&batch.expect("it comes").expect("received")[0]).await.expect("nacked");
    }
    let none = tokio::time::timeout(Duration::from_secs(2), reader.receive(1)).await;
    assert!(none.is_err(), "it came once more");
}
