//! The laws of a bus on the peer of Service Bus, and what belongs to this bus alone.

#![expect(clippy::expect_used, reason = "all of it is a test")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use autopgo_conformance::bus::{Broker, Facts, Harness, Missing};
use autopgo_conformance::bus_laws;
use autopgo_conformance::proxy::{Fault, Proxy};
use autopgo_core::clock::System;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::bus::{Message, Subscription, Topic};
use autopgo_fakes::servicebus::{CLIENT, Fake, SECRET, Setup, TENANT};
use autopgo_pubsub::open::{Environment, subscription, topic};
use jiff::Timestamp;
use serde_json::Value;

/// What nothing takes that goes well.
const PATIENCE: Duration = Duration::from_secs(20);

bus_laws! { servicebus: Peer::new(Duration::from_secs(2)) }

/// A peer with one topic and one subscription to it.
struct Peer {
    fake: Fake,
    environment: Environment,
}

impl Peer {
    fn new(lock: Duration) -> Self {
        // The most that the service allows: a law may hand back what it likes.
        Self::with(Setup { lock, deliveries: 2000 })
    }

    fn with(setup: Setup) -> Self {
        let fake = Fake::start().expect("a peer");
        fake.make("laws", "worker", setup);
        let environment =
            environment(&[("SERVICEBUS_CONNECTION_STRING", &fake.connection_string("manager"))]);
        Self { fake, environment }
    }

    async fn topic(&self) -> Arc<dyn Topic> {
        topic("azuresb://laws", &self.environment).await.expect("a topic")
    }

    async fn reader(&self) -> Arc<dyn Subscription> {
        subscription("azuresb://laws?subscription=worker&listener_timeout=1s", &self.environment)
            .await
            .expect("a subscription")
    }

    async fn published(&self, bodies: impl IntoIterator<Item = &str>) {
        let topic = self.topic().await;
        for body in bodies {
            topic.publish(message(body)).await.expect("published");
        }
    }

    /// Both ends behind a proxy.
    async fn behind(&self) -> (Proxy, Arc<dyn Topic>, Arc<dyn Subscription>) {
        let proxy = Proxy::before(self.fake.address()).await.expect("a proxy");
        let string = self
            .fake
            .connection_string("manager")
            .replace(&self.fake.address().to_string(), &proxy.address().to_string());
        let environment = environment(&[("SERVICEBUS_CONNECTION_STRING", &string)]);
        let topic = topic("azuresb://laws", &environment).await.expect("a topic");
        let url = "azuresb://laws?subscription=worker&listener_timeout=1s";
        let subscription = subscription(url, &environment).await.expect("a subscription");
        (proxy, topic, subscription)
    }
}

fn message(body: &str) -> Message {
    Message { body: body.to_owned().into(), key: "hello-world".to_owned() }
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    let variables: Vec<(String, String)> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Environment::new(Arc::new(System)).with_variables(move |name| {
        variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    })
}

/// `future`, which does not take long.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it ends")
}

/// Until `condition` holds.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[async_trait]
impl Harness for Peer {
    async fn topic(&self) -> Result<Arc<dyn Topic>> {
        Ok(self.topic().await)
    }

    async fn subscription(&self) -> Result<Arc<dyn Subscription>> {
        Ok(self.reader().await)
    }

    async fn missing(&self) -> Result<(Missing, String)> {
        let url = "azuresb://laws?subscription=nobody";
        Ok((Missing::Subscription(subscription(url, &self.environment).await?), "nobody".to_owned()))
    }

    fn broker(&self) -> Option<&dyn Broker> {
        Some(self)
    }

    fn grain(&self) -> Duration {
        // The end of a lock comes in whole seconds.
        Duration::from_secs(1)
    }

    fn facts(&self) -> Facts {
        // The order needs sessions.
        Facts { ordered_by_key: false, ack_deadline: Duration::from_secs(2), many: 1_000 }
    }
}

#[async_trait]
impl Broker for Peer {
    async fn stop(&self) -> Result<()> {
        self.fake.stop();
        Ok(())
    }

    async fn start(&self) -> Result<()> {
        self.fake
            .start_again()
            .map_err(|error| Error::new(Kind::Internal, "starting it again").because(error))
    }
}

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
async fn each_rule_lets_one_do_its_own() {
    let peer = Peer::new(Duration::from_secs(60));
    let url = "azuresb://laws?subscription=worker";
    let with = |string: String| environment(&[("SERVICEBUS_CONNECTION_STRING", &string)]);
    let sender = with(peer.fake.connection_string("sender"));
    let topic_of_sender = topic("azuresb://laws", &sender).await.expect("a topic");
    topic_of_sender.check().await.expect("a sender is known, though it may not look");
    topic_of_sender.publish(message("1")).await.expect("published");
    let listener = with(peer.fake.connection_string("listener"));
    let subscription_of_listener = subscription(url, &listener).await.expect("a subscription");
    subscription_of_listener.check().await.expect("checked");
    let batch = soon(subscription_of_listener.receive(1)).await.expect("received");
    subscription_of_listener.ack(&batch[0]).await.expect("acked");

    let denied = topic("azuresb://laws", &listener).await.expect("a topic").publish(message("2")).await;
    let denied = denied.expect_err("a listener does not send");
    assert!(denied.kind() == Kind::Denied && denied.what().contains("the claim Send"), "{denied}");
    let denied = subscription(url, &sender).await.expect("a subscription").receive(1).await;
    assert_eq!(denied.expect_err("a sender does not listen").kind(), Kind::Denied);

    let wrong = peer.fake.connection_string("manager").replace("SharedAccessKey=", "SharedAccessKey=hunter2");
    let wrong = with(wrong);
    let topic_of_nobody = topic("azuresb://laws", &wrong).await.expect("a topic");
    for refused in [topic_of_nobody.publish(message("3")).await, topic_of_nobody.check().await] {
        let refused = refused.expect_err("the key is wrong");
        assert!(refused.kind() == Kind::Denied && refused.what().contains("the clock here"), "{refused}");
        assert!(!refused.chain().contains("hunter2") && !refused.chain().contains(peer.fake.key("manager")));
    }
    assert_eq!(peer.fake.count("laws", "worker"), (0, 0));
}

#[tokio::test]
async fn a_signature_of_others_serves_until_its_end() {
    let peer = Peer::new(Duration::from_secs(60));
    let address = peer.fake.address();
    for (life, kind) in [(60, None), (-60, Some(Kind::Denied))] {
        let end = Timestamp::from_second(Timestamp::now().as_second() + life).expect("a time");
        let signature = peer.fake.signature("sender", "laws", end);
        for signature in [signature.as_str(), signature.trim_start_matches("SharedAccessSignature ")] {
            let string = format!(
                "Endpoint=sb://{address};SharedAccessSignature={signature};EntityPath=laws;UseDevelopmentEmulator=true"
            );
            let environment = environment(&[("SERVICEBUS_CONNECTION_STRING", &string)]);
            let topic = topic("azuresb://laws", &environment).await.expect("a topic");
            let published = topic.publish(message("1")).await;
            assert_eq!(published.err().map(|error| error.kind()), kind);
        }
    }
}

#[tokio::test]
async fn entra_gives_tokens_in_each_way_and_they_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{SECRET}\n")).expect("written");
    let file = file.to_str().expect("UTF-8");
    let who = [("AZURE_TENANT_ID", TENANT), ("AZURE_CLIENT_ID", CLIENT)];
    for way in [
        &[("AZURE_CLIENT_SECRET", SECRET)][..],
        &[("AZURE_FEDERATED_TOKEN_FILE", file)],
        &[("IDENTITY_ENDPOINT", "/msi/token"), ("IDENTITY_HEADER", SECRET)],
        &[],
    ] {
        let peer = Peer::new(Duration::from_secs(60));
        let (host, base) = (peer.fake.address().to_string(), format!("http://{}", peer.fake.address()));
        let endpoint = format!("{base}/msi/token");
        let mut variables =
            vec![("AZURE_SERVICEBUS_HOSTNAME", host.as_str()), ("AZURE_AUTHORITY_HOST", &base)];
        variables.push(("AZURE_POD_IDENTITY_AUTHORITY_HOST", &base));
        variables.extend(who);
        variables.extend(
            way.iter().map(|(name, value)| (*name, if *value == "/msi/token" { &endpoint } else { *value })),
        );
        let environment = environment(&variables);
        let topic = topic("azuresb://laws", &environment).await.expect("a topic");
        topic.check().await.unwrap_or_else(|error| panic!("{way:?}: {}", error.chain()));
        for n in 0..5 {
            topic.publish(message(&n.to_string())).await.expect("published");
        }
        assert_eq!(peer.fake.tokens(), 1, "{way:?}");
        let reader =
            subscription("azuresb://laws?subscription=worker", &environment).await.expect("a subscription");
        reader.check().await.expect("checked");
        assert_eq!(soon(reader.receive(10)).await.expect("received").len(), 5);
        assert_eq!(peer.fake.tokens(), 2, "{way:?}: one for each end");
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end() {
    let peer = Peer::new(Duration::from_secs(60));
    peer.fake.tokens_last(Duration::from_secs(2));
    let (host, base) = (peer.fake.address().to_string(), format!("http://{}", peer.fake.address()));
    let environment = environment(&[
        ("AZURE_SERVICEBUS_HOSTNAME", &host),
        ("AZURE_AUTHORITY_HOST", &base),
        ("AZURE_TENANT_ID", TENANT),
        ("AZURE_CLIENT_ID", CLIENT),
        ("AZURE_CLIENT_SECRET", SECRET),
    ]);
    let topic = topic("azuresb://laws", &environment).await.expect("a topic");
    let end = Instant::now() + PATIENCE;
    while peer.fake.tokens() < 4 {
        topic.publish(message("1")).await.expect("no token is used that is over");
        assert!(Instant::now() < end, "the token is not renewed");
    }
}

#[tokio::test]
async fn credentials_that_are_wrong_are_said_to_be() {
    let peer = Peer::new(Duration::from_secs(60));
    let (host, base) = (peer.fake.address().to_string(), format!("http://{}", peer.fake.address()));
    let variables = [("AZURE_SERVICEBUS_HOSTNAME", host.as_str()), ("AZURE_AUTHORITY_HOST", &base)];
    let who = [("AZURE_TENANT_ID", TENANT), ("AZURE_CLIENT_ID", CLIENT)];
    for (proof, says) in [
        (("AZURE_CLIENT_SECRET", "hunter2"), "AADSTS7000215: Invalid client secret provided."),
        (("AZURE_FEDERATED_TOKEN_FILE", "/nowhere/at/all"), "check AZURE_FEDERATED_TOKEN_FILE"),
    ] {
        let environment = environment(&[&variables[..], &who, &[proof]].concat());
        let topic = topic("azuresb://laws", &environment).await.expect("a topic");
        let error = topic.publish(message("1")).await.expect_err("nobody");
        assert!(error.kind() == Kind::Denied && error.what().contains(says), "{}", error.chain());
        assert!(!error.chain().contains("hunter2"), "{}", error.chain());
    }
}

#[tokio::test]
async fn what_comes_back_too_often_becomes_a_dead_letter() {
    let peer = Peer::with(Setup { lock: Duration::from_secs(60), deliveries: 3 });
    peer.published(["poison"]).await;
    let reader = peer.reader().await;
    for delivery in 1..=3 {
        assert_eq!(peer.fake.count("laws", "worker"), (1, 0), "before delivery {delivery}");
        let batch = soon(reader.receive(10)).await.expect("received");
        assert_eq!(peer.fake.properties("laws", "worker")[0]["DeliveryCount"], delivery);
        reader.nack(&batch[0]).await.expect("handed back");
    }
    assert_eq!(peer.fake.count("laws", "worker"), (0, 1));
}

#[tokio::test]
async fn a_lock_that_is_extended_holds() {
    let peer = Peer::new(Duration::from_secs(3));
    let (reader, other) = (peer.reader().await, peer.reader().await);
    peer.published(["long"]).await;
    let batch = soon(reader.receive(1)).await.expect("received");
    let hold = reader.hold().expect("locks run out");
    assert!((2..=4).contains(&hold.as_secs()), "in whole seconds, as the service says it: {hold:?}");
    // Over two lock durations, nobody else gets it.
    let work = async {
        for _ in 0..7 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            for extended in reader.extend(&batch).await {
                extended.expect("extended");
            }
        }
    };
    tokio::select! {
        stolen = other.receive(1) => panic!("it was given to another: {stolen:?}"),
        () = work => {}
    }
    reader.ack(&batch[0]).await.expect("acked");
    assert_eq!(peer.fake.count("laws", "worker"), (0, 0));
    let late = reader.extend(&batch).await.remove(0).expect_err("it is done with");
    assert!(late.kind() == Kind::NotFound && late.what().contains("lock"), "{late}");
}

#[tokio::test]
async fn a_lost_lock_is_no_error_but_where_more_of_it_is_wanted() {
    let peer = Peer::new(Duration::from_secs(1));
    let (reader, other) = (peer.reader().await, peer.reader().await);
    peer.published(["1"]).await;
    let late = soon(reader.receive(1)).await.expect("received");
    let again = soon(other.receive(1)).await.expect("received again");
    let lost = reader.extend(&late).await.remove(0).expect_err("the lock is another's");
    assert_eq!(lost.kind(), Kind::NotFound);
    reader.nack(&late[0]).await.expect("harmless");
    reader.ack(&late[0]).await.expect("harmless");
    assert_eq!(peer.fake.count("laws", "worker"), (1, 0), "it is the other's");
    other.ack(&again[0]).await.expect("acked");
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
async fn what_nobody_waits_for_is_handed_back_long_before_its_lock_runs_out() {
    let peer = Peer::new(Duration::from_secs(300));
    let (reader, other) = (peer.reader().await, peer.reader().await);
    let bodies: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    for body in &bodies {
        // The request is out by then.
        let waiting = tokio::time::timeout(Duration::from_millis(20), reader.receive(10));
        assert!(waiting.await.is_err(), "something came from nothing");
        peer.published([body.as_str()]).await;
        let batch = soon(other.receive(1)).await.expect("received");
        assert_eq!(batch[0].body, body.as_str());
        other.ack(&batch[0]).await.expect("acked");
    }
    // And in the middle of a batch, wherever that is just then.
    peer.published(bodies.iter().map(String::as_str)).await;
    for micros in (0..40).map(|n| n * 300) {
        let waiting = tokio::time::timeout(Duration::from_micros(micros), reader.receive(40));
        for delivery in waiting.await.map_or(Vec::new(), |batch| batch.expect("received")) {
            reader.nack(&delivery).await.expect("handed back");
        }
    }
    let mut left = bodies.len();
    while left > 0 {
        for delivery in soon(other.receive(40)).await.expect("received") {
            other.ack(&delivery).await.expect("acked");
            left -= 1;
        }
    }
    assert_eq!(peer.fake.count("laws", "worker"), (0, 0));
}

#[tokio::test]
async fn closing_hands_back_what_is_under_way_and_ends_it() {
    let peer = Peer::new(Duration::from_secs(300));
    let (reader, other) = (peer.reader().await, peer.reader().await);
    let waiting = tokio::time::timeout(Duration::from_millis(50), reader.receive(10));
    assert!(waiting.await.is_err(), "something came from nothing");
    peer.published(["1"]).await;
    let begun = Instant::now();
    reader.close().await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    // Nobody has it now, so that it comes without waiting.
    let batch = soon(other.receive(1)).await.expect("received");
    assert!(begun.elapsed() < Duration::from_secs(10));
    other.ack(&batch[0]).await.expect("acked");
    soon(reader.close()).await;
    let closed = soon(reader.receive(1)).await.expect_err("it is closed");
    assert!(closed.what().contains("closed"), "{closed}");
}

/// The process may end as soon as it has closed: by then, nothing is under way.
#[test]
fn after_the_end_nobody_has_anything() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let stays = runtime().expect("a runtime");
    let peer = Peer::new(Duration::from_secs(300));
    for n in 0..40 {
        stays.block_on(peer.published(["1"]));
        let ends = runtime().expect("a runtime");
        ends.block_on(async {
            let reader = peer.reader().await;
            let waiting = tokio::time::timeout(Duration::from_micros(n * 250), reader.receive(10));
            for delivery in waiting.await.map_or(Vec::new(), |batch| batch.expect("received")) {
                reader.nack(&delivery).await.expect("handed back");
            }
            reader.close().await;
            std::mem::forget(reader);
        });
        ends.shutdown_background();
        stays.block_on(async {
            let reader = peer.reader().await;
            let batch = soon(reader.receive(1)).await.expect("received");
            reader.ack(&batch[0]).await.expect("acked");
        });
    }
}

#[tokio::test]
async fn troubles_that_pass_are_outlived() {
    let peer = Peer::new(Duration::from_secs(60));
    let (proxy, topic, reader) = peer.behind().await;
    for fault in [Fault::Answers(503), Fault::Answers(429), Fault::Closes] {
        proxy.next(2, fault);
        topic
            .publish(message(&format!("{fault:?}")))
            .await
            .unwrap_or_else(|error| panic!("{}", error.chain()));
        proxy.next(2, fault);
        let batch = soon(reader.receive(1)).await.expect("received");
        proxy.next(2, fault);
        for extended in reader.extend(&batch).await {
            extended.expect("extended");
        }
        proxy.next(2, fault);
        reader.ack(&batch[0]).await.expect("acked");
        proxy.next(2, fault);
        topic.check().await.expect("checked");
        proxy.next(2, fault);
        reader.check().await.expect("checked");
        assert_eq!(peer.fake.count("laws", "worker"), (0, 0), "{fault:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_does_nothing_twice() {
    let peer = Peer::new(Duration::from_secs(60));
    peer.fake.detect_duplicates("laws");
    let (proxy, topic, reader) = peer.behind().await;
    proxy.next(2, Fault::LosesTheAnswer);
    topic.publish(message("1")).await.expect("published");
    assert_eq!(peer.fake.count("laws", "worker"), (1, 0), "its id is the same each time");
    let batch = soon(reader.receive(1)).await.expect("received");
    proxy.next(1, Fault::LosesTheAnswer);
    reader.ack(&batch[0]).await.expect("acked, the second time of what is gone");
    assert_eq!(peer.fake.count("laws", "worker"), (0, 0));
}

#[tokio::test]
async fn publishing_waits_no_longer_than_the_core_does() {
    let peer = Peer::new(Duration::from_secs(60));
    let (proxy, topic, _) = peer.behind().await;
    for fault in [Fault::IsSilent, Fault::Answers(503)] {
        proxy.always(Some(fault));
        let begun = Instant::now();
        let error = topic.publish(message("1")).await.expect_err("it does not get through");
        assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
        assert!(begun.elapsed() < Duration::from_secs(2), "{fault:?}: {:?}", begun.elapsed());
    }
    // Nobody is left waiting behind it.
    proxy.always(None);
    until("the silent requests end", || proxy.waiting() == 0).await;
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let peer = Peer::new(Duration::from_secs(60));
    let missing = topic("azuresb://nowhere", &peer.environment).await.expect("a topic");
    for outcome in [missing.publish(message("1")).await, missing.check().await] {
        let error = outcome.expect_err("it is not there");
        assert!(error.kind() == Kind::NotFound && error.what().contains("azuresb://nowhere"), "{error}");
    }
    let missing = subscription("azuresb://laws?subscription=nobody", &peer.environment).await.expect("one");
    let error = missing.receive(1).await.expect_err("it is not there");
    assert!(error.kind() == Kind::NotFound && error.what().contains("nobody"), "{error}");
    let away = environment(&[(
        "SERVICEBUS_CONNECTION_STRING",
        "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=r;SharedAccessKey=k;UseDevelopmentEmulator=true",
    )]);
    let error = topic("azuresb://laws", &away).await.expect("a topic").publish(message("1")).await;
    let error = error.expect_err("nobody is there");
    assert!(error.kind() == Kind::Unavailable && error.what().contains("cannot be reached"), "{error}");
}

#[tokio::test]
async fn what_is_too_large_is_said_to_be() {
    let peer = Peer::new(Duration::from_secs(60));
    let error = peer.topic().await.publish(message(&"x".repeat(300 << 10))).await.expect_err("too large");
    assert_eq!(error.kind(), Kind::TooLarge, "{}", error.chain());
}
