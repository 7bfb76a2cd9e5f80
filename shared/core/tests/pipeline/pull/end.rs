//! The end of the loop: what is in hand is finished within a bound, the rest is handed back, and the bus is left.

use std::time::Duration;

use autopgo_core::clock::{Clock, since};
use autopgo_core::limits::Limits;

use super::super::house::store::Op;
use super::super::house::{House, app};
use super::{SECOND, pull_for, settled, several};

const DRAIN: Duration = Duration::from_secs(15);

#[test]
fn what_is_in_hand_is_finished_and_then_the_bus_is_left() {
    let house = several(3, 1);
    for name in ["a", "b", "c", "d"] {
        house.clock.run(house.upload_many(&app(name), 1));
    }
    house.blobs.slow_down(Op::Write, "default.pgo", 10 * SECOND);
    assert_eq!(pull_for(&house, SECOND), 10 * SECOND);
    assert_eq!((settled(&house, true).len(), settled(&house, false).len()), (3, 0));
    assert_eq!(house.bus.received().len(), 3, "nothing was received after the stop");
    let closed = house.bus.closed();
    assert_eq!(closed.len(), 1);
    assert!(house.bus.last_settled().is_some_and(|settled| settled <= closed[0]));
    // The fourth is where it was.
    assert!(!house.clock.run(house.receive()).0.is_empty());
}

#[test]
fn what_waits_for_its_application_is_finished_too() {
    let (house, app) = (several(2, 1), app("hello"));
    house.clock.run(house.upload_many(&app, 2));
    house.blobs.slow_down(Op::Write, "default.pgo", 6 * SECOND);
    assert_eq!(pull_for(&house, SECOND), 12 * SECOND);
    assert_eq!(house.clock.run(house.weight(&app)).0, 2);
    assert_eq!(settled(&house, true).len(), 2);
}

#[test]
fn what_takes_too_long_is_handed_back_at_once() {
    let house = several(2, 2);
    let (slow, fast) = (app("slow"), app("fast"));
    house.clock.run(house.upload_many(&slow, 3));
    house.clock.run(house.upload_many(&fast, 1));
    house.blobs.slow_down(Op::Write, "slow/default.pgo", 1000 * SECOND);
    assert_eq!(pull_for(&house, SECOND), SECOND + DRAIN);
    assert_eq!((settled(&house, true).len(), settled(&house, false).len()), (1, 3));
    assert_eq!(house.bus.closed().len(), 1);

    // Another process has them soon, long before their time runs out.
    house.blobs.heal();
    let other = house.restarted(Limits::default());
    pull_for(&other, SECOND);
    assert_eq!(other.clock.run(other.weight(&slow)).0, 3);
}

#[test]
fn the_bound_is_a_limit() {
    let house = House::limited(Limits { drain: Duration::from_secs(2), ..Limits::default() });
    house.clock.run(house.upload_many(&app("hello"), 1));
    house.blobs.slow_down(Op::Write, "default.pgo", 1000 * SECOND);
    assert_eq!(pull_for(&house, SECOND), 3 * SECOND);
}

#[test]
fn a_bus_that_does_not_let_go_is_not_waited_for() {
    let house = House::new();
    house.bus.never_close();
    assert_eq!(pull_for(&house, SECOND), 4 * SECOND);
    let (start, closed) = (house.bus.received()[0], house.bus.closed());
    assert_eq!(closed.iter().map(|time| since(start, *time)).collect::<Vec<_>>(), [SECOND]);
    assert_eq!(house.clock.now(), closed[0] + 3 * SECOND);
}
