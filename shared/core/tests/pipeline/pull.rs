//! The loop of hosts that poll a bus: it ends at once but leaves nothing half done, and does not spin while nothing
//! works. What several batches at once are like is in `pull/hands.rs`, how long they are held in `pull/hold.rs`, and the
//! end in `pull/end.rs`.

mod end;
mod hands;
mod hold;

use std::time::Duration;

use autopgo_core::clock::{Clock, since};
use autopgo_core::error::Kind;
use autopgo_core::event::{Decoded, Envelope, Event};
use autopgo_core::key::Id;
use autopgo_core::limits::Limits;
use autopgo_core::worker::pull;
use futures_util::future::join;
use tokio_util::sync::CancellationToken;

use super::house::store::Op;
use super::house::{House, app};

/// Pulls for `time`; how long it took to end.
fn pull_for(house: &House, time: Duration) -> Duration {
    pull_while(house, house.clock.sleep(time))
}

/// Pulls until `meanwhile` ends; how long it took to end.
fn pull_while(house: &House, meanwhile: impl Future<Output = ()>) -> Duration {
    let stop = CancellationToken::new();
    let stopping = async {
        meanwhile.await;
        stop.cancel();
    };
    house.clock.run(join(pull(&house.worker, &*house.bus, stop.clone()), stopping)).1
}

/// The uploads whose messages were settled, by whether they were done.
fn settled(house: &House, done: bool) -> Vec<Id> {
    let settled = house.bus.settled().into_iter().filter(|settled| settled.1 == done);
    settled
        .filter_map(|(delivery, _)| match Envelope::decode(&delivery.body) {
            Ok(Decoded::Known(Envelope { event: Event::Uploaded { id, .. }, .. })) => Some(id),
            _ => None,
        })
        .collect()
}

/// The pauses between one wish to receive and the next.
fn pauses(house: &House) -> Vec<Duration> {
    house.bus.received().windows(2).map(|pair| since(pair[0], pair[1])).collect()
}

/// A house whose worker takes batches of this size, one after the other.
fn one_by_one(merge_batch: usize) -> House {
    several(1, merge_batch)
}

/// One whose worker has so many batches of this size in hand.
fn several(worker_batches: usize, merge_batch: usize) -> House {
    House::limited(Limits { worker_batches, merge_batch, ..Limits::default() })
}

const SECOND: Duration = Duration::from_secs(1);
const LEAST: Duration = Duration::from_millis(200);
const FIRST: Duration = Duration::from_millis(400);

#[test]
fn it_ends_at_once_when_nothing_comes() {
    let house = House::new();
    assert_eq!(pull_for(&house, SECOND), SECOND);
    assert_eq!(house.bus.received().len(), 1);
}

#[test]
fn it_ends_at_once_while_it_waits_to_try_again() {
    let house = House::new();
    house.bus.fail_receiving(usize::MAX);
    let time = Duration::from_millis(1);
    assert_eq!(pull_for(&house, time), time);
}

#[test]
fn it_finishes_the_batch_in_hand_and_takes_no_other() {
    let (house, app) = (one_by_one(2), app("hello"));
    let ids = house.clock.run(house.upload_many(&app, 5)).0;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    // Amid the first batch, which then still has to wait before it tries its write again.
    house.blobs.before(Op::Read, "default.pgo", 1, move |_| stopped.cancel());
    house.blobs.fail(Op::Write, "default.pgo", 1, Kind::Unavailable);
    house.clock.run(pull(&house.worker, &*house.bus, stop));
    assert_eq!(settled(&house, true), ids[..2]);
    assert_eq!(house.bus.settled().len(), 2);
    assert_eq!(house.clock.run(house.weight(&app)).0, 2);
    assert_eq!(house.bus.received().len(), 1);
}

#[test]
fn what_is_done_is_acked_and_what_is_not_comes_back() {
    let (house, app) = (House::new(), app("hello"));
    let ids = house.clock.run(house.upload_many(&app, 4)).0;
    house.blobs.fail(Op::Read, &ids[2].to_string(), 2, Kind::Unavailable);
    pull_for(&house, 10 * SECOND);
    assert_eq!(settled(&house, false), [ids[2].clone(), ids[2].clone()]);
    let done = [&ids[..2], &ids[3..], &ids[2..3]].concat();
    assert_eq!(settled(&house, true), done);
    assert_eq!(house.clock.run(house.keys()).0, ["hello/default.pgo"]);
    assert_eq!(house.clock.run(house.weight(&app)).0, 4);
}

#[test]
fn a_batch_of_which_something_got_through_is_followed_at_once() {
    let (house, app) = (House::limited(Limits { merge_batch: 3, ..Limits::default() }), app("hello"));
    let ids = house.clock.run(house.upload_many(&app, 9)).0;
    for at in [0, 4, 8] {
        house.blobs.fail(Op::Read, &ids[at].to_string(), usize::MAX, Kind::Unavailable);
    }
    pull_for(&house, Duration::from_millis(1));
    assert_eq!(
        pauses(&house),
        [Duration::ZERO; 5],
        "three of uploads, two of their own events, and one that waits"
    );
    assert_eq!(house.clock.run(house.weight(&app)).0, 6);
}

#[test]
fn it_asks_a_dead_bus_again_after_growing_pauses() {
    let (house, app) = (House::new(), app("hello"));
    house.clock.run(house.upload_many(&app, 1));
    house.bus.fail_receiving(20);
    let meanwhile = async {
        house.clock.sleep(1000 * SECOND).await;
        // Once something came it starts from the shortest pause again.
        house.bus.fail_receiving(1);
        house.upload_many(&app, 1).await;
        house.clock.sleep(60 * SECOND).await;
    };
    pull_while(&house, meanwhile);
    let (pauses, received) = (pauses(&house), house.bus.received());
    let waited = &pauses[..20];
    assert!(waited.iter().all(|pause| *pause >= LEAST && *pause <= LEAST + 30 * SECOND), "{waited:?}");
    assert!(waited[0] < FIRST, "{waited:?}");
    assert!(waited.iter().sum::<Duration>() > 60 * SECOND, "they grow: {waited:?}");
    assert_eq!(house.clock.run(house.weight(&app)).0, 2);

    let later = received.iter().position(|time| since(received[0], *time) >= 1000 * SECOND);
    let later = later.expect("it received after its upload");
    assert!(pauses[later] >= LEAST && pauses[later] < FIRST, "{:?}", &pauses[20..]);
}

#[test]
fn it_does_not_spin_when_whole_batches_are_handed_back() {
    let (house, app) = (one_by_one(1), app("hello"));
    house.clock.run(house.upload_many(&app, 50));
    house.blobs.fail(Op::Read, "default.pgo", 12, Kind::Denied);
    pull_for(&house, 600 * SECOND);
    let pauses = pauses(&house);
    assert!(pauses[..12].iter().all(|pause| *pause >= LEAST), "{pauses:?}");
    assert!(pauses[0] < FIRST, "{pauses:?}");
    assert!(pauses[..12].iter().sum::<Duration>() > 20 * SECOND, "they grow: {pauses:?}");
    assert_eq!(pauses[12], Duration::ZERO, "and end with the trouble");
    assert_eq!(house.clock.run(house.weight(&app)).0, 50);
    assert_eq!(house.clock.run(house.keys()).0, ["hello/default.pgo"]);
}
