//! What a record is, and in which partition.

use std::time::{Duration, Instant};

use autopgo_conformance::bus::Harness;
use autopgo_core::error::Kind;
use autopgo_pubsub::open::topic;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::rig::{Kafka, environment, make_topic, message};

/// Reads so many records with a consumer that is none of ours: partition, key, value, whether it has headers.
fn read(brokers: &str, topic: &str, partitions: i32, count: usize) -> Vec<(i32, String, String, bool)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "nobody")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer");
    let mut all = TopicPartitionList::new();
    for partition in 0..partitions {
        all.add_partition_offset(topic, partition, Offset::Beginning).expect("a partition");
    }
    consumer.assign(&all).expect("assigned");
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let mut records = Vec::new();
    while records.len() < count {
        let record = consumer.poll(Duration::from_secs(30)).expect("a record").expect("read");
        records.push((
            record.partition(),
            text(record.key()),
            text(record.payload()),
            record.headers().is_some(),
        ));
    }
    records
}

/// FNV-1a as the hash partitioner of the Go client has it: signed, and without its sign behind the remainder.
fn partition_of(key: &str, partitions: i32) -> i32 {
    let hash =
        key.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash.cast_signed() % partitions).abs()
}

/// Keys, and their partitions of 3, 6 and 12. The last three of five have their top bit set, where an unsigned hash goes
/// elsewhere.
const VECTORS: &[(&str, [i32; 3])] = &[
    ("hello-world", [0, 0, 6]),
    ("autopgo", [0, 0, 0]),
    ("example", [0, 3, 3]),
    ("a", [0, 0, 0]),
    ("api-gateway", [2, 2, 8]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_has_the_partition_that_the_go_client_gives_it() {
    let Some(kafka) = Kafka::here().await else { return };
    let brokers = kafka.brokers().expect("brokers");
    // More keys, that the vectors' rule is kept for any.
    let more: Vec<String> = (0..60).map(|n| format!("app-{n}/é")).collect();
    let counts = [3, 6, 12];
    for (which, partitions) in counts.into_iter().enumerate() {
        let name = format!("{}-{partitions}", kafka.name);
        make_topic(&brokers, &name, partitions).await.expect("a topic");
        let writer = topic(&format!("kafka://{name}"), &environment(&brokers)).await.expect("opened");
        for (key, expected) in VECTORS {
            assert_eq!(partition_of(key, partitions), expected[which], "{key} of {partitions}");
        }
        let keys: Vec<&str> =
            VECTORS.iter().map(|(key, _)| *key).chain(more.iter().map(String::as_str)).collect();
        for key in &keys {
            writer.publish(message(key, "{}")).await.expect("published");
        }
        let records = tokio::task::block_in_place(|| read(&brokers, &name, partitions, keys.len()));
        for (partition, key, _, _) in records {
            assert_eq!(partition, partition_of(&key, partitions), "{key} of {partitions}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_the_envelope_under_the_name_of_the_application() {
    let Some(kafka) = Kafka::here().await else { return };
    let brokers = kafka.brokers().expect("brokers");
    let url = format!("pubsub+topic+kafka://{}?key_name=ignored", kafka.name);
    let writer = topic(&url, &kafka.environment().expect("brokers")).await.expect("opened");
    let body = r#"{"id":"1","type":"profile.uploaded","payload":{"app":"hello-world"}}"#;
    writer.publish(message("hello-world", body)).await.expect("published");
    let records = tokio::task::block_in_place(|| read(&brokers, &kafka.name, 4, 1));
    let [(_, key, value, headers)] = &records[..] else { panic!("{records:?}") };
    assert_eq!((key.as_str(), value.as_str(), *headers), ("hello-world", body, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_is_refused() {
    let Some(kafka) = Kafka::here().await else { return };
    let writer = kafka.topic().await.expect("opened");
    let error = writer.publish(message("app", &"x".repeat(2 << 20))).await.expect_err("too large");
    assert_eq!(error.kind(), Kind::TooLarge, "{}", error.chain());
    writer.publish(message("app", &"x".repeat(1 << 19))).await.expect("half of it goes through");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_topic_is_named_soon() {
    let Some(kafka) = Kafka::here().await else { return };
    let name = format!("{}-missing", kafka.name);
    let writer =
        topic(&format!("kafka://{name}"), &kafka.environment().expect("brokers")).await.expect("opened");
    let start = Instant::now();
    let error = writer.publish(message("app", "{}")).await.expect_err("nowhere to go");
    assert!(error.chain().contains(&name), "{}", error.chain());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    // A busy broker may not answer in the time of one check.
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let start = Instant::now();
        let error = writer.check().await.expect_err("nothing there");
        assert!(error.chain().contains(&name), "{}", error.chain());
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        if error.kind() == Kind::NotFound {
            break;
        }
        assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
        assert!(Instant::now() < until, "{}", error.chain());
    }
}
