//! Either side merges what the other took in, and both do what the other says.

use std::collections::BTreeSet;

use autopgo_e2e::{profile, wait};
use serde_json::{Value, json};

use super::bus;
use super::rig::{APP, Rig, captures, stop};

/// Each story on a bus.
macro_rules! on {
    ($($bus:ident)*) => { $(
        mod $bus {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn our_worker_merges_what_the_original_took_in() {
                let Some(rig) = Rig::new(bus::$bus().await).await else { return };
                our_worker(&rig).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn the_original_finds_what_our_server_took_in() {
                let Some(rig) = Rig::new(bus::$bus().await).await else { return };
                our_server(&rig).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn the_original_merges_what_our_server_took_in() {
                let Some(rig) = Rig::new(bus::$bus().await).await else { return };
                their_worker(&rig).await;
            }
        }
    )* };
}

on! { nats nats_v2 nats_mixed jetstream jetstream_v2 sns sns_raw sns_fifo sqs gcppubsub kafka }

fn base() -> String {
    format!("{APP}/default.pgo")
}

/// The original uploads, tells of a merge and of a deletion; our worker does it all, and tells of its merges.
async fn our_worker(rig: &Rig) {
    let working = rig.worker().await;
    let mut listening = rig.listener().await;
    let (store, bus) = (rig.bucket.url.as_str(), rig.bus.their_writer.as_str());
    let files = captures();
    let upload: Vec<&str> =
        ["upload", store, bus, APP].into_iter().chain(files.iter().map(String::as_str)).collect();
    let mut waiting: BTreeSet<String> = rig.original.lines(&upload, "").await.into_iter().collect();
    assert_eq!(waiting.len(), files.len());

    let uploads = waiting.clone();
    while !waiting.is_empty() {
        let event = listening.event("profile.merged").await;
        let key = event["event"]["profileKey"].as_str().expect("a key").to_owned();
        rig.check(&event, &json!({"app": APP, "profileKey": key, "mergedKey": base()}));
        // A bus may say it twice, though never of another.
        assert!(uploads.contains(&key), "{event}");
        waiting.remove(&key);
    }
    assert_eq!(rig.content(&base()).await, rig.show(&files).await);

    // On a queue alone we do not hear of our own merges: there, this is what removes anything.
    for key in &uploads {
        rig.publish("profile.merged", &json!({"app": APP, "profileKey": key, "mergedKey": base()})).await;
    }
    rig.settled().await;
    assert_eq!(rig.content(&base()).await, rig.show(&files).await);

    assert!(rig.original.run(&["delete", store, bus, APP], b"").await.is_empty());
    wait::until("the profile is deleted", async || {
        let bytes = rig.original.run(&["get", store, &base()], b"").await;
        profile::seen(&bytes, "").is_empty().then_some(())
    })
    .await;
    listening.stop().await;
    stop(working).await;
}

/// Our server takes uploads and a deletion; the original understands what it says and finds what it means.
async fn our_server(rig: &Rig) {
    let serving = rig.server().await;
    let mut listening = rig.listener().await;
    let url = format!("{}/api/profile/{APP}", serving.url);
    let client = reqwest::Client::new();
    for file in captures() {
        let body = std::fs::read(&file).expect("a profile");
        let answer = client.post(&url).body(body).send().await.expect("answered");
        assert_eq!(answer.status(), 201);
        let answer: Value = answer.json().await.expect("JSON");
        let event = listening.event("profile.uploaded").await;
        rig.check(&event, &json!({"app": APP, "profileKey": answer["key"]}));
        let key = answer["key"].as_str().expect("a key");
        assert!(rig.listed("").await.contains(key));
        assert_eq!(rig.content(key).await, rig.show(&[file]).await);
    }
    let answer = client.delete(&url).send().await.expect("answered");
    assert_eq!(answer.status(), 200);
    let event = listening.event("profile.deleted").await;
    rig.check(&event, &json!({"app": APP}));
    listening.stop().await;
    stop(serving).await;
}

/// The original's worker merges what our server took, and does what it says; our server serves what it merged.
async fn their_worker(rig: &Rig) {
    let serving = rig.server().await;
    let store = rig.bucket.url.as_str();
    let working = rig.original.start(&["work", store, &rig.bus.their_reader, &rig.bus.their_own]).await;
    let url = format!("{}/api/profile/{APP}", serving.url);
    let client = reqwest::Client::new();
    let files = captures();
    for file in &files {
        let body = std::fs::read(file).expect("a profile");
        assert_eq!(client.post(&url).body(body).send().await.expect("answered").status(), 201);
    }
    // It removes what it has merged.
    rig.settled().await;
    assert_eq!(rig.content(&base()).await, rig.show(&files).await);
    let served = client.get(&url).send().await.expect("answered");
    assert_eq!(served.status(), 200);
    let stored = rig.original.run(&["get", store, &base()], b"").await;
    assert!(served.bytes().await.expect("a body") == stored, "it was changed on its way");

    assert_eq!(client.delete(&url).send().await.expect("answered").status(), 200);
    wait::until("all of it is gone", async || rig.listed("").await.is_empty().then_some(())).await;
    assert_eq!(client.get(&url).send().await.expect("answered").status(), 404);
    working.stop().await;
    stop(serving).await;
}
