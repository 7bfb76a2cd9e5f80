//! Members of a group: what they share, and what becomes of it when one goes.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use autopgo_conformance::bus::Harness;
use autopgo_core::error::Kind;
use autopgo_core::port::bus::{Delivery, Subscription};
use autopgo_pubsub::open::{subscription, topic};

use crate::rig::{Kafka, brokers, environment, message};

const PATIENCE: Duration = Duration::from_secs(60);
/// What the process that is killed is told: the brokers and the URL of its subscription.
const VICTIM: &str = "AUTOPGO_TEST_KAFKA_VICTIM";

/// The next that come, which must be soon.
async fn next(subscription: &dyn Subscription, max: usize) -> Vec<Delivery> {
    let batch = tokio::time::timeout(PATIENCE, subscription.receive(max)).await;
    batch.expect("something comes").expect("received")
}

fn text(delivery: &Delivery) -> String {
    String::from_utf8_lossy(&delivery.body).into_owned()
}

/// Publishes a record for each of many applications, so that every partition has some.
async fn publish(kafka: &Kafka, count: usize) -> BTreeSet<String> {
    let writer = kafka.topic().await.expect("opened");
    let bodies: BTreeSet<String> = (0..count).map(|n| format!("{n:03}")).collect();
    for body in &bodies {
        writer.publish(message(&format!("app-{body}"), body)).await.expect("published");
    }
    bodies
}

/// Receives and acks until each of these came.
async fn drain(subscription: &dyn Subscription, mut left: BTreeSet<String>) {
    while !left.is_empty() {
        for delivery in next(subscription, 10).await {
            left.remove(&text(&delivery));
            subscription.ack(&delivery).await.expect("acked");
        }
    }
}

/// Nothing comes for a while.
async fn is_quiet(subscription: &dyn Subscription) {
    let none = tokio::time::timeout(Duration::from_secs(2), subscription.receive(1)).await;
    assert!(none.is_err(), "something came");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_hand_stays_there_when_others_come_and_go() {
    let Some(kafka) = Kafka::here().await else { return };
    let first = kafka.subscription().await.expect("opened");
    let all = publish(&kafka, 40).await;
    let mut in_hand = Vec::new();
    while in_hand.len() < all.len() {
        in_hand.extend(next(&*first, 40).await);
    }
    // Half of the partitions go to the second, and their records with them.
    let second = kafka.subscription().await.expect("opened");
    let mut theirs = BTreeSet::new();
    let until = Instant::now() + PATIENCE;
    // Until the first knows which are not its any more, some count twice.
    while in_hand.len() + theirs.len() != all.len() || theirs.is_empty() {
        assert!(Instant::now() < until, "they are not shared");
        let more = tokio::time::timeout(Duration::from_millis(200), second.receive(10)).await;
        for delivery in more.map_or(Ok(Vec::new()), |received| received).expect("received") {
            assert!(theirs.insert(text(&delivery)), "{} came twice", text(&delivery));
        }
        let extended = first.extend(&in_hand).await;
        let mut told = extended.iter();
        in_hand.retain(|_| told.next().is_some_and(Result::is_ok));
        for gone in extended.iter().filter_map(|told| told.as_ref().err()) {
            assert_eq!(gone.kind(), Kind::NotFound, "{}", gone.chain());
        }
    }
    let ours: BTreeSet<String> = in_hand.iter().map(text).collect();
    assert!(ours.is_disjoint(&theirs), "{ours:?} and {theirs:?}");
    // The other goes with all in hand. Ours were never given out again: not to it, and now not to us.
    second.close().await;
    for delivery in &in_hand {
        first.ack(delivery).await.expect("acked");
    }
    let mut again = BTreeSet::new();
    while again.len() < theirs.len() {
        for delivery in next(&*first, 10).await {
            assert!(again.insert(text(&delivery)), "{} came twice", text(&delivery));
            first.ack(&delivery).await.expect("acked");
        }
    }
    assert_eq!(again, theirs);
    is_quiet(&*first).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_contiguous_head_outlives_a_consumer() {
    let Some(kafka) = Kafka::here().await else { return };
    let first = kafka.subscription().await.expect("opened");
    let writer = kafka.topic().await.expect("opened");
    for n in 0..6 {
        writer.publish(message("app", &n.to_string())).await.expect("published");
    }
    let mut in_hand = Vec::new();
    while in_hand.len() < 6 {
        in_hand.extend(next(&*first, 6).await);
    }
    // The third is not done, so that neither is what comes behind it.
    for done in [0, 1, 3, 5] {
        first.ack(&in_hand[done]).await.expect("acked");
    }
    first.close().await;
    let second = kafka.subscription().await.expect("opened");
    let mut came = Vec::new();
    while came.len() < 4 {
        for delivery in next(&*second, 10).await {
            came.push(text(&delivery));
            second.ack(&delivery).await.expect("acked");
        }
    }
    assert_eq!(came, ["2", "3", "4", "5"]);
    is_quiet(&*second).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_whose_process_is_killed_loses_nothing() {
    // It starts itself once more, to be that process.
    if let Ok(told) = std::env::var(VICTIM) {
        return be_killed(&told).await;
    }
    let Some(kafka) = Kafka::here().await else { return };
    let all = publish(&kafka, 40).await;
    let url = format!("kafka://{0}-workers?topic={0}&offset=oldest", kafka.name);
    let mut victim = Victim::start(&format!("{} {url}", kafka.brokers().expect("brokers")));
    // It has some in hand, and done none.
    tokio::task::block_in_place(|| victim.has_some());
    let stays = kafka.subscription().await.expect("opened");
    victim.kill();
    let killed = Instant::now();
    drain(&*stays, all).await;
    // Its session has 10 s.
    assert!(killed.elapsed() < Duration::from_secs(40), "{:?}", killed.elapsed());
}

/// Another process with a consumer in it.
struct Victim(Child);

impl Victim {
    fn start(what: &str) -> Self {
        let child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "groups::a_consumer_whose_process_is_killed_loses_nothing", "--nocapture"])
            .env(VICTIM, what)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("started"))
    }

    fn has_some(&mut self) {
        let out = self.0.stdout.take().expect("its output");
        let mut lines = BufReader::new(out).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("in hand")), "it ended");
    }

    fn kill(&mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("ended");
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What that process does.
async fn be_killed(told: &str) {
    let (brokers, url) = told.split_once(' ').expect("brokers and a URL");
    let reader = subscription(url, &environment(brokers)).await.expect("opened");
    let batch = next(&*reader, 10).await;
    // Past libtest's capture.
    use std::io::Write;
    writeln!(std::io::stdout(), "{} in hand", batch.len()).expect("told");
    tokio::time::timeout(PATIENCE, std::future::pending::<()>()).await.expect("somebody kills it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_begins_with_the_newest_remembers_where_it_began() {
    let Some(kafka) = Kafka::here().await else { return };
    publish(&kafka, 20).await;
    let url = format!("kafka://{0}-newest?topic={0}", kafka.name);
    let environment = kafka.environment().expect("brokers");
    let reader = subscription(&url, &environment).await.expect("opened");
    // It is in the group when something comes that was published after it.
    let writer = kafka.topic().await.expect("opened");
    let until = Instant::now() + PATIENCE;
    let mut n = 0;
    let first = loop {
        assert!(Instant::now() < until, "it never joins");
        n += 1;
        writer.publish(message("app", &format!("after {n}"))).await.expect("published");
        if let Ok(batch) = tokio::time::timeout(Duration::from_millis(500), reader.receive(1)).await {
            break batch.expect("received");
        }
    };
    assert!(text(&first[0]).starts_with("after"), "{} was there before", text(&first[0]));
    // It goes without having done anything. What came since it began is not lost with it.
    reader.close().await;
    writer.publish(message("app-0", "between")).await.expect("published");
    let reader = subscription(&url, &environment).await.expect("opened");
    let wanted = BTreeSet::from([text(&first[0]), "between".to_owned()]);
    drain(&*reader, wanted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_topics_are_received_by_one_group() {
    let Some(kafka) = Kafka::here().await else { return };
    let other = Kafka::here().await.expect("here as well");
    let url = format!("kafka://{0}-both?topic={0}&topic={1}&offset=oldest", kafka.name, other.name);
    let reader = subscription(&url, &kafka.environment().expect("brokers")).await.expect("opened");
    kafka.topic().await.expect("opened").publish(message("app", "one")).await.expect("published");
    other.topic().await.expect("opened").publish(message("app", "two")).await.expect("published");
    drain(&*reader, BTreeSet::from(["one".to_owned(), "two".to_owned()])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_is_held_ahead_all_comes() {
    let Some(kafka) = Kafka::here().await else { return };
    let writer = kafka.topic().await.expect("opened");
    // Four times what is fetched ahead, in records and in bytes.
    let body = "x".repeat(16 << 10);
    let published: Vec<_> =
        (0..2048).map(|n| writer.publish(message(&format!("app-{n}"), &format!("{n:04} {body}")))).collect();
    for chunk in futures_util::future::join_all(published).await {
        chunk.expect("published");
    }
    let reader = kafka.subscription().await.expect("opened");
    let mut came = BTreeSet::new();
    while came.len() < 2048 {
        for delivery in next(&*reader, 64).await {
            assert!(came.insert(text(&delivery)[..4].to_owned()), "one came twice");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_missing_is_told_to_who_receives() {
    let Some(brokers) = brokers() else { return };
    let url = "kafka://nobodys?topic=there-is-no-such-topic&offset=oldest";
    let reader = subscription(url, &environment(&brokers)).await.expect("opened");
    let received = tokio::time::timeout(PATIENCE, reader.receive(1)).await.expect("told");
    let error = received.expect_err("nothing to receive");
    assert_eq!(error.kind(), Kind::NotFound, "{}", error.chain());
    assert!(error.chain().contains("there-is-no-such-topic"), "{}", error.chain());
    assert_eq!(reader.check().await.expect_err("nothing there").kind(), Kind::NotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_made_later_is_found() {
    let Some(kafka) = Kafka::here().await else { return };
    let (brokers, name) = (kafka.brokers().expect("brokers"), format!("{}-later", kafka.name));
    let url = format!("kafka://{name}?topic={name}&offset=oldest");
    let reader = subscription(&url, &environment(&brokers)).await.expect("opened");
    reader.check().await.expect_err("nothing there");
    crate::rig::make_topic(&brokers, &name, 1).await.expect("a topic");
    let writer = topic(&format!("kafka://{name}"), &environment(&brokers)).await.expect("opened");
    writer.publish(message("app", "1")).await.expect("published");
    let until = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < until, "it is never found");
        // That it was missing may be told first.
        if let Ok(batch) = reader.receive(1).await {
            assert_eq!(text(&batch[0]), "1");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_of_another_rule_shares_with_ours() {
    use rdkafka::consumer::{BaseConsumer, Consumer};
    let Some(kafka) = Kafka::here().await else { return };
    publish(&kafka, 1).await;
    let stranger: BaseConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", kafka.brokers().expect("brokers"))
        .set("group.id", format!("{}-workers", kafka.name))
        .set("partition.assignment.strategy", "roundrobin")
        .set("auto.offset.reset", "earliest")
        .create()
        .expect("a consumer");
    stranger.subscribe(&[&kafka.name]).expect("subscribed");
    let stranger = Arc::new(stranger);
    let polled = Arc::clone(&stranger);
    tokio::task::block_in_place(move || {
        let until = Instant::now() + PATIENCE;
        while polled.assignment().expect("told").count() == 0 {
            assert!(Instant::now() < until, "it gets none");
            let _ = polled.poll(Duration::from_millis(100));
        }
    });
    let reader = kafka.subscription().await.expect("opened");
    let received = tokio::time::timeout(PATIENCE, reader.receive(1)).await.expect("told");
    let error = received.expect_err("nothing to share");
    assert_eq!(error.kind(), Kind::Invalid, "{}", error.chain());
    assert!(error.what().contains("another rule than range"), "{error}");
}
