//! A network and a service that have bad days.

use std::time::{Duration, Instant};

use autopgo_conformance::proxy::Fault;
use autopgo_core::error::Kind;
use autopgo_pubsub::open::{subscription, topic};

use crate::rig::{Peer, environment, message, soon, until};

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
async fn a_message_that_breaks_off_is_unlocked() {
    let peer = Peer::new(Duration::from_secs(300));
    peer.published(["1"]).await;
    let environment = peer.environment_at(peer.breaking_off().await);
    let url = "azuresb://laws?subscription=worker&listener_timeout=1s";
    let reader = subscription(url, &environment).await.expect("a subscription");
    let batch = soon(reader.receive(1)).await.expect("it comes again, long before its lock runs out");
    assert_eq!((batch.len(), &batch[0].body[..]), (1, &b"1"[..]));
    assert_eq!(peer.fake.properties("laws", "worker")[0]["DeliveryCount"], 2, "the first broke off");
    reader.ack(&batch[0]).await.expect("acked");
    assert_eq!(peer.fake.count("laws", "worker"), (0, 0));
}

#[tokio::test]
async fn one_who_says_at_once_that_there_is_nothing_is_not_asked_without_end() {
    let peer = Peer::new(Duration::from_secs(60));
    let (proxy, topic, reader) = peer.behind().await;
    proxy.always(Some(Fault::Answers(204)));
    let begun = Instant::now();
    tokio::select! {
        came = reader.receive(1) => panic!("{came:?} came from nothing"),
        () = until("it asks again", || proxy.requests() >= 5) => {}
    }
    assert!(begun.elapsed() >= Duration::from_secs(1), "five requests within {:?}", begun.elapsed());
    proxy.always(None);
    topic.publish(message("1")).await.expect("published");
    assert_eq!(soon(reader.receive(1)).await.expect("received").len(), 1);
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
    let error = missing.check().await.expect_err("it is not there");
    assert!(
        error.kind() == Kind::NotFound && error.what().contains("no such topic or subscription"),
        "{error}"
    );
    // One that was there is answered for in other words.
    peer.published(["1"]).await;
    let reader = peer.reader().await;
    reader.check().await.expect("it is there");
    let batch = soon(reader.receive(1)).await.expect("received");
    assert!(peer.fake.remove("laws", "worker"));
    let mut outcomes = reader.extend(&batch).await;
    outcomes.push(reader.receive(1).await.map(drop));
    outcomes.push(reader.check().await);
    for outcome in outcomes {
        let error = outcome.expect_err("it is there no more");
        assert!(error.kind() == Kind::NotFound && error.what().contains("no such topic"), "{error}");
    }
    reader.ack(&batch[0]).await.expect("what is gone is done with");
    let away = environment(&[(
        "SERVICEBUS_CONNECTION_STRING",
        "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=r;SharedAccessKey=k;UseDevelopmentEmulator=true",
    )]);
    let error = topic("azuresb://laws", &away).await.expect("a topic").publish(message("1")).await;
    let error = error.expect_err("nobody is there");
    assert!(error.kind() == Kind::Unavailable && error.what().contains("cannot be reached"), "{error}");
}
