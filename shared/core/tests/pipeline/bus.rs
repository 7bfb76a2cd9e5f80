//! The bus in memory when things go badly: it is bounded, it lets go of what cannot be handled, and the worker gets
//! through a full one.

use std::time::Duration;

use autopgo_core::error::{Error, Kind};
use autopgo_core::memory::bus::{ACK_DEADLINE, CAPACITY, TRIES};
use autopgo_core::port::bus::{Message, Subscription, Topic};
use bytes::Bytes;
use futures_util::FutureExt;

use super::house::{House, app};

fn message(text: &'static str) -> Message {
    Message { body: Bytes::from_static(text.as_bytes()), key: "hello".to_owned() }
}

/// Of a type that is not ours: done without a look.
const STRANGE: &str = r#"{"id":"1","timestamp":"2026-01-01T00:00:00Z","type":"somebody.elses","payload":{}}"#;

#[tokio::test]
async fn a_full_bus_takes_no_more_until_something_is_done() {
    let house = House::new();
    for _ in 0..CAPACITY - 1 {
        house.bus.publish(message(STRANGE)).await.expect("room");
    }
    Topic::check(&*house.bus).await.expect("room for one");
    house.bus.publish(message(STRANGE)).await.expect("room for one");
    let refused = house.bus.publish(message(STRANGE)).await.expect_err("full");
    assert_eq!(refused.kind(), Kind::Unavailable);
    let full = Topic::check(&*house.bus).await.expect_err("full");
    assert!(
        full.kind() == Kind::Unavailable && full.what().contains("100000 messages are waiting"),
        "{full}"
    );

    // What is in somebody's hands takes room too: it may come back.
    let received = house.receive().await;
    assert_eq!(received.len(), 100);
    house.bus.publish(message(STRANGE)).await.expect_err("full");
    house.bus.ack(&received[0]).await.expect("acked");
    house.bus.publish(message(STRANGE)).await.expect("room for one");
    house.bus.publish(message(STRANGE)).await.expect_err("full again");
}

#[tokio::test]
async fn the_worker_empties_a_full_bus() {
    let (house, app) = (House::new(), app("hello"));
    house.upload_many(&app, 20).await;
    while house.bus.publish(message(STRANGE)).await.is_ok() {}
    // The worker's own events find no room at first.
    house.settle().await;
    assert_eq!(house.keys().await, ["hello/default.pgo"]);
    assert_eq!(house.weight(&app).await, 20);
    assert!(house.receive().await.is_empty());
    house.upload_many(&app, 1).await;
    house.settle().await;
    assert_eq!(house.weight(&app).await, 21);
}

#[test]
fn a_message_that_cannot_be_handled_is_dropped_in_the_end() {
    for nacked in [true, false] {
        let house = House::new();
        house.clock.run(house.bus.publish(message("m"))).0.expect("room");
        let mut delivered = 0;
        loop {
            // Past any pause and any deadline.
            house.clock.turn(ACK_DEADLINE);
            let batch = house.clock.run(house.receive()).0;
            let Some(delivery) = batch.first() else { break };
            delivered += 1;
            assert!(delivered <= TRIES, "it is never dropped");
            if nacked {
                house.clock.run(house.bus.nack(delivery)).0.expect("nacked");
            }
        }
        assert_eq!(delivered, TRIES, "nacked: {nacked}");
        house.clock.turn(Duration::from_secs(24 * 60 * 60));
        assert!(house.bus.receive(1).now_or_never().is_none(), "it came back");
        // What follows is none the worse for it.
        house.clock.run(house.bus.publish(message("n"))).0.expect("room");
        assert_eq!(house.clock.run(house.receive()).0.len(), 1);
    }
}

#[test]
fn a_message_that_is_handed_back_comes_after_growing_pauses() {
    let house = House::new();
    house.clock.run(house.bus.publish(message("m"))).0.expect("room");
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let (batch, pause) = house.clock.run(house.bus.receive(1));
        pauses.push(pause);
        house.clock.run(house.bus.nack(&batch.expect("received")[0])).0.expect("nacked");
    }
    let seconds = |times: &[u64]| times.iter().map(|time| Duration::from_millis(*time)).collect::<Vec<_>>();
    let expected = [0, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000];
    assert_eq!(pauses, seconds(&expected));
}

#[test]
fn what_is_extended_stays_away_and_what_is_lost_says_so() {
    let house = House::new();
    let third = ACK_DEADLINE / 3;
    assert_eq!(house.bus.hold(), Some(ACK_DEADLINE));
    house.clock.run(house.bus.publish(message("m"))).0.expect("room");
    let first = house.clock.run(house.receive()).0;
    for _ in 0..10 {
        house.clock.turn(2 * third);
        let extended = house.clock.run(house.bus.extend(&first)).0;
        assert!(extended.iter().all(Result::is_ok), "{extended:?}");
        assert!(house.clock.run(house.receive()).0.is_empty());
    }
    // As long as nobody else has it, it is never too late.
    house.clock.turn(2 * ACK_DEADLINE);
    assert!(house.clock.run(house.bus.extend(&first)).0[0].is_ok());
    house.clock.turn(ACK_DEADLINE);
    let second = house.clock.run(house.receive()).0;
    assert_eq!(second.len(), 1);
    let both = [first, second].concat();
    let of = |result: &Result<(), Error>| result.as_ref().copied().map_err(Error::kind);
    let extended = house.clock.run(house.bus.extend(&both)).0;
    assert_eq!(extended.iter().map(of).collect::<Vec<_>>(), [Err(Kind::NotFound), Ok(())]);

    // One that was handed back comes back at its own time.
    house.clock.run(house.bus.nack(&both[1])).0.expect("nacked");
    assert_eq!(of(&house.clock.run(house.bus.extend(&both[1..])).0[0]), Err(Kind::NotFound));
    let third = house.clock.run(house.bus.receive(1)).0.expect("received");
    house.clock.run(house.bus.ack(&third[0])).0.expect("acked");
    assert_eq!(of(&house.clock.run(house.bus.extend(&third)).0[0]), Err(Kind::NotFound));
}
