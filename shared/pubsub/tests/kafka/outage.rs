//! A broker that goes away and comes back, and one that is set up in another way.

use std::time::{Duration, Instant};

use autopgo_conformance::brokers::Kafka as Own;
use autopgo_conformance::bus::Broker;
use autopgo_core::error::Kind;
use autopgo_core::port::bus::Subscription;
use autopgo_pubsub::open::{subscription, topic};

use crate::rig::{brokers, environment, make_topic, message};

/// The next body, which must come soon.
async fn next(subscription: &dyn Subscription) -> String {
    let batch = tokio::time::timeout(Duration::from_secs(60), subscription.receive(1)).await;
    let batch = batch.expect("something comes").expect("received");
    subscription.ack(&batch[0]).await.expect("acked");
    String::from_utf8_lossy(&batch[0].body).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_over_with_the_next_message() {
    if brokers().is_none() {
        return;
    }
    let own = Own::started(&["auto.create.topics.enable=true", "num.partitions=2"]).await.expect("a broker");
    let environment = environment(&own.brokers());

    // Before anybody made it: each end does, as with the Go original.
    let writer = topic("kafka://made-by-writing", &environment).await.expect("opened");
    writer.publish(message("app", "1")).await.expect("published");
    let reader =
        subscription("kafka://g?topic=made-by-reading&offset=oldest", &environment).await.expect("opened");
    let until = Instant::now() + Duration::from_secs(60);
    while reader.check().await.is_err() {
        assert!(Instant::now() < until, "it is never made");
    }
    let writer = topic("kafka://made-by-reading", &environment).await.expect("opened");
    writer.publish(message("app", "before")).await.expect("published");
    let first = loop {
        assert!(Instant::now() < until, "nothing comes");
        // That it was missing may be told first.
        if let Ok(batch) = reader.receive(1).await {
            break batch;
        }
    };

    // An ack that meets no broker says so, and is made up for by the next.
    own.stop().await.expect("stopped");
    let start = Instant::now();
    let error = reader.ack(&first[0]).await.expect_err("nobody to tell");
    assert!(start.elapsed() < Duration::from_secs(7), "{:?}", start.elapsed());
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
    // So long that a client which pauses longer and longer would be far from its next try.
    let until = start + Duration::from_secs(12);
    while Instant::now() < until {
        let start = Instant::now();
        let error = writer.publish(message("app", "lost")).await.expect_err("nobody to tell");
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
        assert!(error.chain().contains(&own.brokers()), "{}", error.chain());
    }
    own.start().await.expect("started");
    writer.publish(message("app", "after")).await.expect("the next message goes through");
    // Whoever comes only now finds what was confirmed before.
    let other = subscription("kafka://other?topic=made-by-reading&offset=oldest", &environment).await;
    assert_eq!(next(&*other.expect("opened")).await, "before");
    // What failed for us may have gone out later, but nothing that was confirmed is missing.
    while next(&*reader).await != "after" {}
    reader.check().await.expect("healthy");
    reader.close().await;
    let reader =
        subscription("kafka://g?topic=made-by-reading&offset=oldest", &environment).await.expect("opened");
    writer.publish(message("app", "end")).await.expect("published");
    assert_eq!(next(&*reader).await, "end", "what was acked stays away");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_is_opened_before_its_broker_finds_it() {
    if brokers().is_none() {
        return;
    }
    let own = Own::started(&[]).await.expect("a broker");
    make_topic(&own.brokers(), "events", 1).await.expect("a topic");
    own.stop().await.expect("stopped");
    let environment = environment(&own.brokers());
    let writer = topic("kafka://events", &environment).await.expect("opened");
    let reader = subscription("kafka://g?topic=events&offset=oldest", &environment).await.expect("opened");
    for checked in [writer.check().await, reader.check().await] {
        let error = checked.expect_err("nobody is there");
        assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
        assert!(error.chain().contains(&own.brokers()), "{}", error.chain());
    }
    // Nor is closing held up by it.
    let start = Instant::now();
    let other = subscription("kafka://g?topic=events", &environment).await.expect("opened");
    other.close().await;
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    own.start().await.expect("started");
    let until = Instant::now() + Duration::from_secs(60);
    while writer.check().await.is_err() || reader.check().await.is_err() {
        assert!(Instant::now() < until, "it is never found");
    }
    writer.publish(message("app", "1")).await.expect("published");
    assert_eq!(next(&*reader).await, "1");
}
