//! What is in hand stays in hand, however long it takes; and what does not is merged once all the same.

use std::time::Duration;

use autopgo_core::clock::{Clock, since};
use autopgo_core::error::Kind;
use autopgo_core::memory::bus::ACK_DEADLINE;
use autopgo_core::port::bus::{Delivery, Subscription};
use bytes::Bytes;
use futures_util::FutureExt;

use super::super::house::bus::Extending;
use super::super::house::store::Op;
use super::super::house::{House, app};
use super::{SECOND, pull_for, pull_while, settled, several};

/// When more time was asked for, in thirds of the deadline from the start on, and for how many messages.
fn extended(house: &House) -> Vec<(u32, usize)> {
    let start = house.bus.received()[0];
    let third = (ACK_DEADLINE / 3).as_secs_f64();
    let thirds = |time| (since(start, time).as_secs_f64() / third).round() as u32;
    house.bus.extended().into_iter().map(|(time, count)| (thirds(time), count)).collect()
}

#[test]
fn long_work_is_held_and_delivered_once() {
    let (house, app) = (several(4, 100), app("hello"));
    let ids = house.clock.run(house.upload_many(&app, 3)).0;
    house.blobs.slow_down(Op::Write, "default.pgo", 5 * ACK_DEADLINE - SECOND);
    pull_for(&house, 10 * ACK_DEADLINE);
    assert_eq!(settled(&house, true), ids, "each came once");
    assert!(settled(&house, false).is_empty());
    let every_third: Vec<_> = (1..15).map(|third| (third, 3)).collect();
    assert_eq!(extended(&house), every_third);
}

#[test]
fn a_hold_that_becomes_shorter_is_asked_for_oftener() {
    let (house, app) = (several(4, 100), app("hello"));
    house.clock.run(house.upload_many(&app, 1));
    house.blobs.slow_down(Op::Write, "default.pgo", 2 * ACK_DEADLINE);
    let meanwhile = async {
        house.clock.sleep(ACK_DEADLINE / 2).await;
        house.bus.holds(ACK_DEADLINE / 4);
        house.clock.sleep(3 * ACK_DEADLINE).await;
    };
    pull_while(&house, meanwhile);
    let start = house.bus.received()[0];
    let asked: Vec<f64> =
        house.bus.extended().iter().map(|(time, _)| since(start, *time).as_secs_f64()).collect();
    let (third, twelfth) = ((ACK_DEADLINE / 3).as_secs_f64(), (ACK_DEADLINE / 12).as_secs_f64());
    let pauses: Vec<f64> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!((pauses[0] - third).abs() < 0.1, "what was asked before goes on: {pauses:?}");
    assert!(pauses[1..10].iter().all(|pause| (pause - twelfth).abs() < 0.1), "{pauses:?}");
}

#[test]
fn work_that_is_done_in_time_asks_for_nothing() {
    let (house, app) = (several(4, 100), app("hello"));
    house.clock.run(house.upload_many(&app, 3));
    house.blobs.slow_down(Op::Write, "default.pgo", ACK_DEADLINE / 4);
    pull_for(&house, 10 * ACK_DEADLINE);
    assert_eq!(settled(&house, true).len(), 3);
    assert!(house.bus.extended().is_empty());
}

#[test]
fn what_waits_for_its_application_is_held() {
    let (house, app) = (several(2, 1), app("hello"));
    let ids = house.clock.run(house.upload_many(&app, 2)).0;
    house.blobs.slow_down(Op::Write, "default.pgo", 2 * ACK_DEADLINE - SECOND);
    pull_for(&house, 10 * ACK_DEADLINE);
    assert_eq!(settled(&house, true), ids, "each came once");
    // While the first is written, the second is asked for with it.
    assert_eq!(extended(&house)[..5], [1, 2, 3, 4, 5].map(|third| (third, 2)));
    assert_eq!(house.clock.run(house.weight(&app)).0, 2);
}

#[test]
fn only_what_is_still_open_is_held() {
    let house = several(1, 100);
    house.clock.run(house.upload_many(&app("fast"), 5));
    house.clock.run(house.upload_many(&app("slow"), 1));
    house.blobs.slow_down(Op::Write, "slow/default.pgo", ACK_DEADLINE);
    pull_for(&house, 2 * ACK_DEADLINE);
    let of_the_uploads = &extended(&house)[..2];
    assert_eq!(of_the_uploads, [(1, 1), (2, 1)]);
}

#[test]
fn what_is_lost_is_not_asked_for_again_and_merged_once() {
    let (house, app) = (several(1, 100), app("hello"));
    let ids = house.clock.run(house.upload_many(&app, 2)).0;
    // The process stands still for longer than the first of its messages waits, and somebody else has that by then.
    let (clock, bus) = (house.clock.clone(), house.bus.clone());
    house.blobs.before(Op::Read, "default.pgo", 1, move |_| {
        clock.turn(ACK_DEADLINE);
        let second = Delivery { body: Bytes::new(), receipt: "2".to_owned() };
        let extended = bus.extend(&[second]).now_or_never().expect("memory never waits");
        assert!(extended[0].is_ok(), "{extended:?}");
        let taken = bus.receive(1).now_or_never().expect("it came back").expect("received");
        assert_eq!(taken.len(), 1);
    });
    house.blobs.slow_down(Op::Write, "default.pgo", ACK_DEADLINE - SECOND);
    pull_for(&house, 10 * ACK_DEADLINE);
    let asked: Vec<usize> = extended(&house).into_iter().map(|(_, count)| count).collect();
    assert_eq!(asked, [1, 2, 1], "after the script both, of which one turned out to be lost");
    assert_eq!(house.clock.run(house.weight(&app)).0, 2);
    // The lost one came back in the end, and was found in the base.
    assert_eq!(settled(&house, true).len(), ids.len() + 1);
    assert_eq!(house.clock.run(house.keys()).0, ["hello/default.pgo"]);
}

#[test]
fn a_bus_that_cannot_extend_now_is_asked_again() {
    for how in [Extending::Fails(Kind::Unavailable), Extending::Hangs] {
        let (house, app) = (several(1, 100), app("hello"));
        house.clock.run(house.upload_many(&app, 1));
        house.bus.extending(how);
        house.blobs.slow_down(Op::Write, "default.pgo", ACK_DEADLINE - SECOND);
        pull_for(&house, 2 * ACK_DEADLINE);
        assert_eq!(extended(&house)[..2], [(1, 1), (2, 1)], "{how:?}");
        assert_eq!(settled(&house, true).len(), 1, "{how:?}");
    }
}

#[test]
fn one_that_is_gone_by_the_bus_is_finished_and_acked() {
    let (house, app) = (several(1, 100), app("hello"));
    house.clock.run(house.upload_many(&app, 1));
    house.bus.extending(Extending::Fails(Kind::NotFound));
    house.blobs.slow_down(Op::Write, "default.pgo", ACK_DEADLINE - SECOND);
    assert_eq!(pull_for(&house, 2 * ACK_DEADLINE), 2 * ACK_DEADLINE + Duration::ZERO);
    assert_eq!(extended(&house)[..1], [(1, 1)]);
    assert!(extended(&house).iter().all(|(third, _)| *third != 2), "{:?}", extended(&house));
    assert_eq!(settled(&house, true).len(), 1);
    assert_eq!(house.clock.run(house.weight(&app)).0, 1);
}
