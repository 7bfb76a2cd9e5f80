//! Locks, and who has what in the end.

use std::time::{Duration, Instant};

use autopgo_conformance::Verdict;
use autopgo_conformance::bus::prove;
use autopgo_core::error::Kind;
use autopgo_fakes::servicebus::Setup;

use crate::rig::{Peer, message, soon, until};

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
    until("it is a dead letter", || peer.fake.count("laws", "worker") == (0, 1)).await;
}

/// An application that fails and is handed back every time, beside one whose messages all get through.
#[tokio::test]
async fn what_fails_comes_back_ever_later_and_nothing_waits_for_it() {
    let peer = Peer::with(Setup { lock: Duration::from_secs(60), deliveries: 10 });
    let (topic, reader) = (peer.topic().await, peer.reader().await);
    topic.publish(message("bad")).await.expect("published");
    let (begun, mut bad, mut good) = (Instant::now(), Vec::new(), 0);
    topic.publish(message("good")).await.expect("published");
    while begun.elapsed() < Duration::from_millis(2_500) || good < 10 {
        for delivery in soon(reader.receive(10)).await.expect("received") {
            if delivery.body == "bad" {
                bad.push(begun.elapsed());
                soon(reader.nack(&delivery)).await.expect("handed back");
            } else {
                good += 1;
                reader.ack(&delivery).await.expect("acked");
                topic.publish(message(&format!("good {good}"))).await.expect("published");
            }
        }
    }
    assert_eq!(peer.fake.count("laws", "worker"), (2, 0), "it is no dead letter");
    // After 0, 0.2, 0.6 and 1.4 s, and then after 3 s.
    assert!(bad.len() >= 2, "at {bad:?}");
    let pauses: Vec<Duration> = bad.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (pause, least) in pauses.iter().zip([200, 400, 800, 1_600, 3_200, 6_400]) {
        assert!(*pause >= Duration::from_millis(least), "pauses of {pauses:?}");
    }
}

/// What was handed back and is locked still is unlocked by the end, which waits for that.
#[tokio::test]
async fn closing_cuts_the_pauses_short() {
    let peer = Peer::new(Duration::from_secs(300));
    let bodies: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    peer.published(bodies.iter().map(String::as_str)).await;
    let reader = peer.reader().await;
    let is_locked = |all: &[serde_json::Value]| all.iter().any(|one| one.get("LockToken").is_some());
    // The last time, they would stay locked for longer than the end waits.
    for round in 0..5 {
        let mut batch = Vec::new();
        while batch.len() < bodies.len() {
            batch.extend(soon(reader.receive(bodies.len())).await.expect("received"));
        }
        for delivery in &batch {
            reader.nack(delivery).await.expect("handed back");
        }
        assert!(is_locked(&peer.fake.properties("laws", "worker")), "round {round}");
    }
    reader.close().await;
    assert!(!is_locked(&peer.fake.properties("laws", "worker")));
    // And what is handed back after the end waits for nothing.
    let other = peer.reader().await;
    let batch = soon(other.receive(1)).await.expect("received");
    other.close().await;
    other.nack(&batch[0]).await.expect("handed back");
    assert!(!is_locked(&peer.fake.properties("laws", "worker")));
}

#[tokio::test]
async fn however_long_requests_are_to_wait_the_end_waits_for_theirs() {
    let mut peer = Peer::new(Duration::from_secs(300));
    for time in ["1s", "20s", "60s"] {
        peer = peer.waiting(time);
        let reader = peer.reader().await;
        tokio::select! {
            came = reader.receive(10) => panic!("{came:?} came from nothing"),
            () = until("it waits", || peer.fake.waiting() == 1) => {}
        }
        let begun = Instant::now();
        reader.close().await;
        assert_eq!(peer.fake.waiting(), 0, "{time}: the process may end, and nobody is given anything");
        // The core waits for 3 s.
        assert!(begun.elapsed() < Duration::from_millis(2_900), "{time}: {:?}", begun.elapsed());
    }
}

/// The law, with requests that are to wait for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_consumer_leaves_the_rest_to_others_at_once() -> Verdict {
    let peer = Peer::new(Duration::from_secs(10)).waiting("20s");
    prove("a_closed_consumer_leaves_the_rest_to_others", &peer).await
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
