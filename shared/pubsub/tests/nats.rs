//! The laws of a bus, and what only NATS has to show, on a real server: `tests/services install nats-server` provides it, and
//! `tests/run services` does it all.
//!
//! Each test starts a server of its own from the installed binary, for some stop it in the middle.

#![expect(clippy::expect_used, reason = "all of it is a test")]

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream as client;
use async_trait::async_trait;
use autopgo_conformance::brokers::Nats as Server;
use autopgo_conformance::bus::{Broker, Facts, Harness, Missing};
use autopgo_conformance::{Gap, bus_laws};
use autopgo_core::clock::System;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::bus::{Message, Subscription, Topic};
use autopgo_pubsub::open::{Environment, subscription, topic};

bus_laws! { core: Nats::core() }
bus_laws! { jetstream: Nats::jetstream() }

/// At most once: what is handed over is gone, whatever becomes of it.
const AT_MOST_ONCE: &str = "core NATS forgets a message when it hands it over, as with the Go original; the sweep finds what it told of";

const CORE_GAPS: &[Gap] = const {
    &[
        Gap::always("a_nacked_message_comes_back", AT_MOST_ONCE),
        Gap::always("a_message_comes_back_after_a_lost_ack", AT_MOST_ONCE),
        Gap::always("a_message_comes_back_to_whoever_still_waits", AT_MOST_ONCE),
        Gap::by_chance("a_dropped_consumer_loses_nothing", AT_MOST_ONCE),
        Gap::by_chance("a_killed_consumer_loses_nothing", AT_MOST_ONCE),
        Gap::always("settling_twice_is_harmless", AT_MOST_ONCE),
        Gap::always("a_late_ack_is_harmless", AT_MOST_ONCE),
        Gap::always("poison_blocks_nothing", AT_MOST_ONCE),
        Gap::always("what_is_held_no_more_comes_back", AT_MOST_ONCE),
        Gap::by_chance("what_a_broker_has_outlives_its_restart", AT_MOST_ONCE),
    ]
};

const ACK_DEADLINE: Duration = Duration::from_secs(1);

/// A server with one subject, and one stream of it perhaps.
struct Nats {
    server: Option<Server>,
    keeps: bool,
}

impl Nats {
    fn core() -> Self {
        Self { server: Server::start(), keeps: false }
    }

    fn jetstream() -> Self {
        Self { server: Server::start(), keeps: true }
    }

    fn server(&self) -> Result<&Server> {
        self.server.as_ref().ok_or_else(|| Error::new(Kind::Internal, "there is no nats-server"))
    }

    fn environment(&self) -> Result<Environment> {
        Ok(environment(&self.server()?.url()))
    }
}

fn environment(url: &str) -> Environment {
    let url = url.to_owned();
    Environment::new(Arc::new(System))
        .with_variables(move |name| (name == "NATS_SERVER_URL").then(|| url.clone()))
}

#[async_trait]
impl Harness for Nats {
    async fn topic(&self) -> Result<Arc<dyn Topic>> {
        let url = if self.keeps { "nats://laws?jetstream=LAWS" } else { "nats://laws" };
        topic(url, &self.environment()?).await
    }

    async fn subscription(&self) -> Result<Arc<dyn Subscription>> {
        let url = match self.keeps {
            true => "nats://laws?jetstream=LAWS&ack_wait=1s&max_deliver=-1",
            false => "nats://laws?queue=workers",
        };
        subscription(url, &self.environment()?).await
    }

    /// A subject is there when somebody names it, and a stream is made; a server is not.
    async fn missing(&self) -> Result<(Missing, String)> {
        let nobody = "127.0.0.1:1";
        let url = if self.keeps { "nats://laws?jetstream=LAWS" } else { "nats://laws" };
        Ok((Missing::Topic(topic(url, &environment(nobody)).await?), nobody.to_owned()))
    }

    fn broker(&self) -> Option<&dyn Broker> {
        self.server.as_ref().map(|server| server as &dyn Broker)
    }

    fn pushes(&self) -> bool {
        !self.keeps
    }

    fn lacking(&self) -> Option<String> {
        self.server.is_none().then(|| "nats-server".to_owned())
    }

    fn facts(&self) -> Facts {
        Facts { ordered_by_key: true, ack_deadline: ACK_DEADLINE, many: 10_000 }
    }

    fn gaps(&self) -> &[Gap] {
        if self.keeps { &[] } else { CORE_GAPS }
    }

    fn patience(&self) -> Duration {
        // What at-most-once cannot do is waited for in vain.
        if self.keeps { Duration::from_secs(120) } else { Duration::from_secs(20) }
    }
}

fn message(body: &str) -> Message {
    Message { body: body.to_owned().into(), key: "app".to_owned() }
}

/// The next body, which must come soon.
async fn next(subscription: &dyn Subscription) -> String {
    let batch = tokio::time::timeout(Duration::from_secs(20), subscription.receive(1)).await;
    let batch = batch.expect("something comes").expect("received");
    subscription.ack(&batch[0]).await.expect("acked");
    String::from_utf8_lossy(&batch[0].body).into_owned()
}

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

#[tokio::test]
async fn a_server_lets_in_who_has_its_password() {
    let Some(server) = Server::with(&["--user", "me", "--pass", "p@ss:w"]) else { return };
    let right = format!("nats://me:p%40ss%3Aw@{}", server.address());
    let (right, wrong) =
        (environment(&right), environment(&format!("nats://me:hunter2@{}", server.address())));
    let allowed = topic("nats://events", &right).await.expect("opened");
    allowed.publish(message("{}")).await.expect("published");
    let refused = topic("nats://events", &wrong).await.expect("opened");
    let error = refused.check().await.expect_err("refused");
    let told = error.chain();
    assert!(told.contains(&server.address()) && !told.contains("hunter2"), "{told}");
}

#[tokio::test]
async fn what_a_user_may_not_do_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("nats.conf");
    let users = r#"authorization { users = [
        { user: writer, password: secret, permissions: { publish: ["events"], subscribe: ["_INBOX.>"] } }
    ] }"#;
    std::fs::write(&file, users).expect("written");
    let Some(server) = Server::with(&["--config", file.to_str().expect("a name")]) else { return };
    let environment = environment(&format!("nats://writer:secret@{}", server.address()));
    let mine = topic("nats://events", &environment).await.expect("opened");
    // It may not ask for a sign of life, which is found out at the first; then it does without.
    let until = tokio::time::Instant::now() + Duration::from_secs(20);
    while let Err(error) = mine.publish(message("{}")).await {
        assert!(tokio::time::Instant::now() < until, "{}", error.chain());
    }
    mine.check().await.expect("healthy");
    let others = topic("nats://others", &environment).await.expect("opened");
    loop {
        // The server says so a moment later.
        match others.publish(message("{}")).await {
            Err(error) if error.kind() == Kind::Denied => {
                assert!(error.what().contains("others") && !error.chain().contains("secret"), "{error}");
                break;
            }
            _ => assert!(tokio::time::Instant::now() < until, "it is never refused"),
        }
    }
    assert_eq!(others.check().await.expect_err("not allowed").kind(), Kind::Denied);
}

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
