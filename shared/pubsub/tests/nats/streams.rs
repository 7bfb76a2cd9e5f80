//! Streams and consumers: made, found, and not taken.

use std::time::Duration;

use async_nats::jetstream as client;
use autopgo_conformance::brokers::Nats as Server;
use autopgo_core::error::Kind;
use autopgo_pubsub::open::{subscription, topic};

use crate::rig::{Configured, environment, message, next, until};

/// JetStream as others use it.
async fn others(server: &Server) -> client::Context {
    client::new(async_nats::connect(server.url()).await.expect("connected"))
}

/// A stream that an operator has made, with all its messages kept.
async fn stream(context: &client::Context, name: &str, subjects: &[&str]) -> client::stream::Stream {
    let config = client::stream::Config {
        name: name.to_owned(),
        subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
        ..client::stream::Config::default()
    };
    context.create_stream(config).await.expect("a stream")
}

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

    let context = others(&server).await;
    let mut stream = context.get_stream("EVENTS").await.expect("a stream");
    let info = stream.info().await.expect("told").clone();
    assert_eq!(info.state.messages, 1);
    assert_eq!(info.config.subjects, ["events.a"]);
    assert_eq!(info.config.retention, client::stream::RetentionPolicy::WorkQueue);
    assert_eq!(info.config.storage, client::stream::StorageType::File);
    assert_eq!(info.config.max_age, Duration::from_secs(7 * 24 * 60 * 60));
    assert_eq!((info.config.num_replicas, info.config.max_bytes, info.config.max_messages), (1, -1, -1));
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
    let context = others(&server).await;
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

#[tokio::test]
async fn the_events_of_another_environment_on_the_same_stream_are_left_to_it() {
    let Some(server) = Server::start() else { return };
    let environment = environment(&server.url());
    stream(&others(&server).await, "S", &["a", "b"]).await;
    let topic_a = topic("nats://a?jetstream=S", &environment).await.expect("opened");
    let reader_a = subscription("nats://a?jetstream=S", &environment).await.expect("opened");
    let reader_b = subscription("nats://b?jetstream=S", &environment).await.expect("opened");
    reader_a.check().await.expect("healthy");
    let says = "the consumer autopgo of the stream S takes a and not b; name another one with consumer=NAME";
    for error in
        [reader_b.check().await.expect_err("it is a's"), reader_b.receive(9).await.expect_err("it is a's")]
    {
        assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{}", error.chain());
    }
    topic_a.publish(message("1")).await.expect("published");
    assert_eq!(next(&*reader_a).await, "1");
    // With a consumer of its own each has its own.
    let topic_b = topic("nats://b?jetstream=S", &environment).await.expect("opened");
    let own = subscription("nats://b?jetstream=S&consumer=b", &environment).await.expect("opened");
    topic_a.publish(message("2")).await.expect("published");
    topic_b.publish(message("3")).await.expect("published");
    assert_eq!((next(&*reader_a).await, next(&*own).await), ("2".to_owned(), "3".to_owned()));
}

#[tokio::test]
async fn a_consumer_that_does_not_wait_for_acks_is_refused() {
    use client::consumer::{AckPolicy, pull, push};
    let Some(server) = Server::start() else { return };
    let environment = environment(&server.url());
    let made = stream(&others(&server).await, "S", &["events"]).await;
    let plain = |name: &str, ack_policy| pull::Config {
        durable_name: Some(name.to_owned()),
        filter_subject: "events".to_owned(),
        ack_policy,
        ..pull::Config::default()
    };
    let headers = pull::Config { headers_only: true, ..plain("headers", AckPolicy::Explicit) };
    for config in [plain("all", AckPolicy::All), plain("none", AckPolicy::None), headers] {
        made.create_consumer(config).await.expect("a consumer");
    }
    let pushes = push::Config {
        durable_name: Some("pushes".to_owned()),
        deliver_subject: "there".to_owned(),
        filter_subject: "events".to_owned(),
        ..push::Config::default()
    };
    made.create_consumer(pushes).await.expect("a consumer");
    let events = topic("nats://events?jetstream=S", &environment).await.expect("opened");
    events.publish(message("1")).await.expect("published");
    for (name, says) in [
        ("all", "has the ack policy all and not explicit"),
        ("none", "has the ack policy none and not explicit"),
        ("headers", "gives headers only"),
        ("pushes", "pushes its messages"),
    ] {
        let url = format!("nats://events?jetstream=S&consumer={name}");
        let reader = subscription(&url, &environment).await.expect("opened");
        for error in [reader.check().await.expect_err(name), reader.receive(1).await.expect_err(name)] {
            let told = error.what();
            assert!(error.kind() == Kind::Invalid && told.contains(says) && told.contains(name), "{told}");
        }
    }
}

#[tokio::test]
async fn a_consumer_is_asked_for_no_more_than_it_lets_be_asked() {
    use client::consumer::{AckPolicy, pull};
    let Some(server) = Server::start() else { return };
    let environment = environment(&server.url());
    let made = stream(&others(&server).await, "S", &["events"]).await;
    let config = pull::Config {
        durable_name: Some("autopgo".to_owned()),
        filter_subject: "events".to_owned(),
        ack_policy: AckPolicy::Explicit,
        max_batch: 3,
        max_expires: Duration::from_millis(300),
        ..pull::Config::default()
    };
    made.create_consumer(config).await.expect("a consumer");
    let topic = topic("nats://events?jetstream=S", &environment).await.expect("opened");
    let reader = subscription("nats://events?jetstream=S", &environment).await.expect("opened");
    for n in 0..7 {
        topic.publish(message(&n.to_string())).await.expect("published");
    }
    let mut came = Vec::new();
    while came.len() < 7 {
        let batch = tokio::time::timeout(Duration::from_secs(20), reader.receive(100)).await;
        let batch = batch.expect("more comes").expect("received");
        assert!(batch.len() <= 3, "{}", batch.len());
        for delivery in &batch {
            reader.ack(delivery).await.expect("acked");
            came.push(String::from_utf8_lossy(&delivery.body).into_owned());
        }
    }
    assert_eq!(came.concat(), "0123456");
    // Where nothing comes it is asked again and again.
    let none = tokio::time::timeout(Duration::from_secs(1), reader.receive(100)).await;
    assert!(none.is_err(), "{none:?}");
    topic.publish(message("7")).await.expect("published");
    assert_eq!(next(&*reader).await, "7");
}

#[tokio::test]
async fn a_message_is_held_no_longer_than_its_consumer_waits() {
    use client::consumer::{AckPolicy, pull};
    let Some(server) = Server::start() else { return };
    let made = stream(&others(&server).await, "S", &["events"]).await;
    let config = pull::Config {
        durable_name: Some("autopgo".to_owned()),
        ack_policy: AckPolicy::Explicit,
        max_deliver: 5,
        backoff: vec![Duration::from_secs(20), Duration::from_secs(3), Duration::from_secs(60)],
        ..pull::Config::default()
    };
    made.create_consumer(config).await.expect("a consumer");
    let reader =
        subscription("nats://events?jetstream=S", &environment(&server.url())).await.expect("opened");
    assert_eq!(reader.hold(), Some(Duration::from_secs(3)));
}

#[tokio::test]
async fn what_an_operator_has_to_change_is_said() {
    let Some(server) = Server::start() else { return };
    let environment = environment(&server.url());
    stream(&others(&server).await, "OTHER", &["taken", "more.>"]).await;
    for url in ["nats://taken?jetstream=EVENTS", "nats://more.>?jetstream=EVENTS"] {
        let reader = subscription(url, &environment).await.expect("opened");
        let error = reader.check().await.expect_err("it is taken");
        let right = error.what().contains("another stream takes the subject; name that one with jetstream=");
        assert!(error.kind() == Kind::Invalid && right, "{}", error.chain());
    }
    let first = subscription("nats://events?jetstream=EVENTS", &environment).await.expect("opened");
    first.check().await.expect("healthy");
    let url = "nats://events?jetstream=EVENTS&consumer=second";
    let second = subscription(url, &environment).await.expect("opened");
    let error = second.check().await.expect_err("one has all");
    assert!(
        error.kind() == Kind::Invalid && error.what().contains("another consumer has the subject"),
        "{error}"
    );
    // A message that goes to another stream says which.
    let moved = topic("nats://moved?jetstream=MOVED", &environment).await.expect("opened");
    moved.check().await.expect("healthy");
    let context = others(&server).await;
    context.delete_stream("MOVED").await.expect("removed");
    stream(&context, "ELSEWHERE", &["moved"]).await;
    let error = moved.publish(message("1")).await.expect_err("it is another's");
    assert!(
        error.kind() == Kind::Invalid && error.what().contains("another stream takes"),
        "{}",
        error.chain()
    );
}

#[tokio::test]
async fn an_account_without_jetstream_is_told_of() {
    let accounts = r#"accounts {
        WITH { jetstream: enabled, users: [ { user: with, password: secret } ] }
        WITHOUT { users: [ { user: without, password: secret } ] }
        SMALL { jetstream: { max_streams: 1 }, users: [ { user: small, password: secret } ] }
    }"#;
    let Some(on) = Configured::start(accounts) else { return };
    let url = "nats://events?jetstream=EVENTS";
    let with = topic(url, &on.environment("with")).await.expect("opened");
    // A server that has just started may still be at it.
    until("it is ready", async || with.check().await.ok()).await;
    let without = topic(url, &on.environment("without")).await.expect("opened");
    for error in [
        without.check().await.expect_err("nothing keeps it"),
        without.publish(message("1")).await.expect_err("nothing keeps it"),
    ] {
        let right = error.what().contains("there is no JetStream for this account; turn it on");
        assert!(error.kind() == Kind::Invalid && right, "{}", error.chain());
    }
    let small = on.environment("small");
    topic(url, &small).await.expect("opened").check().await.expect("the first");
    let second = topic("nats://more?jetstream=MORE", &small).await.expect("opened");
    let error = second.check().await.expect_err("one too many");
    assert!(error.kind() == Kind::Unavailable && error.what().contains("raise them"), "{}", error.chain());
}
