//! On Kafka what one application's events are ordered by is their partition, so that both must choose the same.

use std::collections::BTreeMap;

use autopgo_e2e::paths::root;
use autopgo_e2e::profile;
use serde_json::Value;

use super::bus;
use super::rig::{Rig, stop};

/// What the client of the original says of its own, which `original record` writes down.
fn recorded(of: u64) -> BTreeMap<String, u64> {
    let path = root().join("tests/fixtures/messages/kafka/partitions.json");
    let vectors: Value = serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON");
    let vectors = vectors.as_array().expect("vectors");
    let vector = vectors.iter().find(|vector| vector["of"] == of).expect("one of so many");
    let partitions = vector["partitions"].as_object().expect("partitions");
    partitions.iter().map(|(key, partition)| (key.clone(), partition.as_u64().expect("a number"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_choose_the_same_partition() {
    let Some(rig) = Rig::new(bus::kafka_of(12).await).await else { return };
    let expected = recorded(12);
    assert!(expected.len() >= 20 && expected.values().any(|partition| *partition > 6), "{expected:?}");
    let serving = rig.server().await;
    let mut listening = rig.listener().await;
    for app in expected.keys() {
        let upload = reqwest::Client::new().post(format!("{}/api/profile/{app}", serving.url));
        let upload = upload.body(profile::cpu(&[("main.main", "main.f", 1)]));
        assert_eq!(upload.send().await.expect("answered").status(), 201);
    }
    let mut chosen = BTreeMap::new();
    while chosen.len() < expected.len() {
        let event = listening.event("profile.uploaded").await;
        let app = event["event"]["app"].as_str().expect("a name").to_owned();
        chosen.insert(app, event["partition"].as_u64().expect("a number"));
    }
    assert_eq!(chosen, expected);
    listening.stop().await;
    stop(serving).await;
}
