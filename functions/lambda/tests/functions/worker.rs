//! The worker as a function: what of a batch comes again, and what is merged.

use std::sync::Arc;
use std::time::Duration;

use autopgo_boot::Config;
use autopgo_core::port::blobs::{Blobs, When};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_runtime::LambdaEvent;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::rig::{How, Sick, World, fixture, handed_back, queue, within};

#[tokio::test]
async fn a_batch_is_merged_and_a_second_time_changes_nothing() {
    let world = World::new();
    let bodies = [world.upload("a").await, world.upload("b").await, world.upload("a").await];
    let event = queue(&bodies.clone().map(|body| (body, None)));
    assert_eq!(world.handed_back(&event).await, [""; 0]);
    let base = world.read("a/default.pgo").await.expect("a base");
    assert!(world.read("b/default.pgo").await.is_some());
    assert_eq!(world.handed_back(&event).await, [""; 0]);
    assert_eq!(world.read("a/default.pgo").await.expect("a base"), base);
}

#[tokio::test]
async fn one_poisoned_upload_of_ten_is_set_aside_alone() {
    let world = World::new();
    let mut bodies = Vec::new();
    for _ in 0..10 {
        bodies.push((world.upload("hello").await, None));
    }
    let poisoned: Value = serde_json::from_str(&bodies[3].0).expect("JSON");
    let key = poisoned["payload"]["profileKey"].as_str().expect("a key");
    world.blobs.write(key, "no profile".into(), When::Always).await.expect("memory");
    assert_eq!(world.handed_back(&queue(&bodies)).await, [""; 0]);
    let rejected = key.replace("/staging/", "/rejected/");
    assert_eq!(world.keys("hello/rejected/").await, [rejected.clone(), format!("{rejected}.json")]);
    assert!(world.read("hello/default.pgo").await.is_some());
    assert!(!world.keys("hello/staging/").await.contains(&key.to_owned()));
}

#[tokio::test]
async fn what_cannot_be_handled_now_comes_again_alone() {
    let world = World::over(Arc::new(Sick::new("sick", How::Unavailable)), &Config::default());
    let bodies = [
        world.upload("well").await,
        world.upload("sick").await,
        "no event".to_owned(),
        world.upload("well").await,
    ];
    let event = queue(&bodies.map(|body| (body, None)));
    assert_eq!(world.handed_back(&event).await, ["1"]);
    assert!(world.read("well/default.pgo").await.is_some());
}

#[tokio::test]
async fn on_a_fifo_queue_nothing_of_a_group_goes_ahead() {
    let world = World::over(Arc::new(Sick::new("sick", How::Unavailable)), &Config::default());
    let (well, sick) = (world.upload("well").await, world.upload("sick").await);
    let mixed = [(&well, "1"), (&sick, "1"), (&well, "2"), (&well, "1"), (&sick, "3"), (&well, "2")];
    let event = queue(&mixed.map(|(body, group)| (body.clone(), Some(group))));
    assert_eq!(world.handed_back(&event).await, ["1", "3", "4"]);
}

#[tokio::test]
async fn a_batch_of_kafka_is_done_or_comes_again_as_a_whole() {
    let world = World::over(Arc::new(Sick::new("sick", How::Unavailable)), &Config::default());
    let mut event = fixture("kafka-msk");
    let value = |body: String| Value::from(STANDARD.encode(body));
    event["records"]["pgo-0"][0]["value"] = value(world.upload("well").await);
    let answer = world.work(&event).await.expect("done");
    assert_eq!(handed_back(&answer), [""; 0]);
    assert!(world.read("well/default.pgo").await.is_some());
    event["records"]["pgo-1"][0]["value"] = value(world.upload("sick").await);
    let error = world.work(&event).await.expect_err("not done");
    assert!(error.starts_with("Unavailable: 1 of 3 records"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn it_stops_before_it_is_cut_off() {
    // Old enough at once.
    let config = Config { sweep_after: Duration::from_nanos(1), ..Config::default() };
    let world = World::over(Arc::new(Sick::new("sick", How::Silent)), &config);
    let body = world.upload("sick").await;
    let events = [(queue(&[(body, None)]), 1), (json!({"sweep": true}), 0)];
    for (event, failures) in events {
        // Whoever gives none does not say how much there is.
        for (given, least, most) in [(60, 58, 60), (2, 1, 2), (0, 898, 900)] {
            let start = Instant::now();
            let context = within(Duration::from_secs(given));
            let answer =
                world.worker.call(LambdaEvent::new(event.clone(), context)).await.expect("an answer");
            let took = start.elapsed().as_secs_f64();
            assert!((f64::from(least) - 0.1..=f64::from(most)).contains(&took), "{given} s: {took} s");
            if failures > 0 {
                assert_eq!(handed_back(&answer), ["0"], "{given} s");
            } else {
                assert_eq!(answer["unfinished"], true, "{given} s: {answer}");
            }
        }
    }
}

#[tokio::test]
async fn a_sweep_merges_what_no_event_told_of() {
    let config = Config { sweep_after: Duration::from_nanos(1), ..Config::default() };
    let blobs =
        Arc::new(autopgo_core::memory::blobs::MemoryBlobs::new(Arc::new(autopgo_core::clock::System)));
    let world = World::over(blobs as Arc<dyn Blobs>, &config);
    world.upload("hello").await;
    let answer = world.work(&json!({"sweep": true})).await.expect("swept");
    assert_eq!(answer, json!({"merged": 1, "rejected": 0, "agedOut": 0, "failed": 0, "unfinished": false}));
    assert!(world.read("hello/default.pgo").await.is_some());
}

#[tokio::test]
async fn a_store_that_cannot_be_swept_is_an_error_that_the_schedule_tries_again() {
    let world = World::over(Arc::new(Sick::new("", How::Unavailable)), &Config::default());
    let error = world.work(&json!({"sweep": true})).await.expect_err("not now");
    assert!(error.starts_with("Unavailable: "), "{error}");
}
