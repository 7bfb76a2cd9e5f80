//! Several batches in hand: as many messages as may be and no more, an application's handled together and once at a time, and
//! each settled when its own work is durable.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use autopgo_core::clock::{Clock, since};
use autopgo_core::error::Kind;
use autopgo_core::port::bus::{Message, Topic};
use bytes::Bytes;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::super::house::store::Op;
use super::super::house::{House, app};
use super::{FIRST, LEAST, SECOND, pauses, pull_for, pull_while, settled, several};

/// When somebody wanted to receive, from the start on.
fn received(house: &House) -> Vec<Duration> {
    let received = house.bus.received();
    received.iter().map(|time| since(received[0], *time)).collect()
}

#[test]
fn so_much_is_in_hand_and_no_more_is_received() {
    let house = several(3, 1);
    for n in 0..7 {
        house.clock.run(house.upload_many(&app(&format!("app-{n}")), 1));
    }
    house.blobs.slow_down(Op::Read, "default.pgo", 10 * SECOND);
    pull_for(&house, 15 * SECOND);
    // The seventh was there all the time, and the stop came amid the second three.
    assert_eq!(received(&house), [0, 0, 0, 10, 10, 10].map(Duration::from_secs));
    assert_eq!(settled(&house, true).len(), 6);
}

#[test]
fn an_application_is_merged_once_at_a_time() {
    let (house, app) = (several(4, 2), app("hello"));
    let ids = house.clock.run(house.upload_many(&app, 8)).0;
    house.blobs.slow_down(Op::Write, "default.pgo", SECOND);
    house.blobs.forget();
    pull_for(&house, 20 * SECOND);
    assert_eq!(settled(&house, true), ids);
    assert_eq!(house.clock.run(house.weight(&app)).0, 8);
    // Two at once would make each other read again.
    assert_eq!(house.blobs.calls(Op::Write, "default.pgo"), 4);
    house.blobs.forget();
}

#[test]
fn the_sweep_takes_its_turn_with_the_batches() {
    let (house, app) = (several(1, 100), app("hello"));
    house.clock.run(house.upload_many(&app, 2));
    let staged = house.stage_as_go(&app, super::super::house::profile::calls(&["main.work"]));
    house.blobs.slow_down(Op::Write, "default.pgo", SECOND);
    house.blobs.forget();
    pull_while(&house, async {
        house.sweep().await;
    });
    assert!(!house.clock.run(house.staged(&app)).0.contains(&staged));
    assert_eq!(house.clock.run(house.weight(&app)).0, 3);
    assert!(house.blobs.calls(Op::Write, "default.pgo") <= 2, "nobody lost a race");
}

#[test]
fn what_is_done_is_acked_while_others_of_its_batch_wait() {
    let house = several(2, 100);
    let (slow, fast) = (app("slow"), app("fast"));
    house.clock.run(house.upload_many(&slow, 1));
    house.clock.run(house.upload_many(&fast, 1));
    house.blobs.slow_down(Op::Read, "slow/default.pgo", 50 * SECOND);
    let meanwhile = async {
        house.clock.sleep(SECOND).await;
        assert_eq!(settled(&house, true).len(), 1, "the fast one");
        assert_eq!(house.weight(&fast).await, 1);
        // And more of it goes past the slow one.
        house.upload_many(&fast, 1).await;
        house.clock.sleep(SECOND).await;
        assert_eq!(house.weight(&fast).await, 2);
        house.clock.sleep(100 * SECOND).await;
    };
    pull_while(&house, meanwhile);
    assert_eq!(settled(&house, true).len(), 3);
}

#[test]
fn a_slow_application_with_something_in_every_batch_holds_up_nobody() {
    let house = several(4, 10);
    let (slow, fast) = (app("slow"), app("fast"));
    house.blobs.slow_down(Op::Read, "slow/default.pgo", 50 * SECOND);
    house.blobs.forget();
    let meanwhile = async {
        for round in 1..=20 {
            house.upload_many(&slow, 1).await;
            house.upload_many(&fast, 1).await;
            house.clock.sleep(SECOND).await;
            assert_eq!(house.weight(&fast).await, round);
        }
        house.clock.sleep(200 * SECOND).await;
    };
    pull_while(&house, meanwhile);
    assert_eq!(settled(&house, true).len(), 40);
    // The first, and then all that had gathered, in lots of ten.
    assert_eq!(house.blobs.calls(Op::Write, "slow/default.pgo"), 3);
    house.blobs.forget();
}

#[test]
fn nothing_is_acked_before_it_is_durable() {
    let (house, app) = (several(4, 100), app("hello"));
    house.clock.run(house.upload_many(&app, 3));
    house.blobs.slow_down(Op::Write, "default.pgo", 5 * SECOND);
    let meanwhile = async {
        house.clock.sleep(4 * SECOND).await;
        assert!(house.bus.settled().is_empty());
        house.clock.sleep(2 * SECOND).await;
        assert_eq!(house.weight(&app).await, 3);
        assert_eq!(settled(&house, true).len(), 3);
    };
    pull_while(&house, meanwhile);
}

#[test]
fn a_batch_that_fails_does_not_hold_up_one_that_gets_through() {
    let house = several(2, 1);
    let (good, bad) = (app("good"), app("bad"));
    house.clock.run(house.upload_many(&bad, 1));
    house.clock.run(house.upload_many(&good, 20));
    house.blobs.fail(Op::Read, "bad/default.pgo", usize::MAX, Kind::Denied);
    pull_for(&house, 10 * SECOND);
    assert_eq!(house.clock.run(house.weight(&good)).0, 20);
    let until_done: Duration = pauses(&house)[..20].iter().sum();
    assert!(until_done <= FIRST, "{until_done:?}");
    assert!(!settled(&house, false).is_empty());
}

#[test]
fn while_nothing_gets_through_a_few_are_tried_in_growing_pauses() {
    let (house, app) = (several(4, 1), app("hello"));
    house.clock.run(house.upload_many(&app, 50));
    house.blobs.fail(Op::Read, "default.pgo", 40, Kind::Denied);
    pull_for(&house, 600 * SECOND);
    let pauses = pauses(&house);
    let real: Vec<Duration> = pauses.iter().copied().filter(|pause| !pause.is_zero()).collect();
    assert!(real.len() >= 10, "{real:?}");
    assert!(real[..10].iter().all(|pause| *pause >= LEAST), "{real:?}");
    assert!(real[..10].iter().sum::<Duration>() > 20 * SECOND, "they grow: {real:?}");
    assert_eq!(house.clock.run(house.weight(&app)).0, 50);
}

/// Counts what is counted, by name and outcome.
#[derive(Clone, Default)]
struct Counts(Arc<std::sync::Mutex<std::collections::BTreeMap<String, Arc<AtomicU64>>>>);

impl Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels: Vec<&str> = key.labels().map(metrics::Label::value).collect();
        let name = format!("{} {}", key.name(), labels.join(" "));
        Counter::from_arc(Arc::clone(self.0.lock().expect("no panic").entry(name).or_default()))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

impl Counts {
    fn of(&self, name: &str) -> u64 {
        self.0.lock().expect("no panic").get(name).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

#[test]
fn what_is_no_envelope_is_counted_and_acked_and_stops_nobody() {
    let (house, app) = (several(4, 100), app("hello"));
    for body in ["rubbish", "{}", r#"{"type":"somebody.elses"}"#] {
        let message = Message { body: Bytes::from_static(body.as_bytes()), key: "hello".to_owned() };
        house.clock.run(house.bus.publish(message)).0.expect("room");
    }
    house.clock.run(house.upload_many(&app, 2));
    let counts = Counts::default();
    metrics::with_local_recorder(&counts, || pull_for(&house, SECOND));
    assert_eq!(counts.of("autopgo_messages_total dropped"), 2);
    assert_eq!(counts.of("autopgo_messages_total unknown"), 1);
    assert_eq!(house.clock.run(house.weight(&app)).0, 2);
    // Three of nobody's, two uploads, and the events of their own merge.
    let acked = house.bus.settled().iter().filter(|(_, done)| *done).count();
    assert_eq!((acked, house.bus.settled().len()), (7, 7));
    assert!(house.clock.run(house.receive()).0.is_empty());
}
