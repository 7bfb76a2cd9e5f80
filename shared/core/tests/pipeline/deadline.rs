//! A host's deadline amid a batch: what is finished is done, the rest is handed back, and nothing is doubled or lost by
//! being dropped half-way.

use std::time::Duration;

use autopgo_core::app::App;
use autopgo_core::clock::Clock;
use autopgo_core::error::Kind;
use autopgo_core::event::Event;
use autopgo_core::key::Id;
use autopgo_core::limits::Limits;
use autopgo_core::worker::Outcome;
use bytes::Bytes;

use super::house::profile::calls;
use super::house::store::Op;
use super::house::{House, app, handed_back};

const SECOND: Duration = Duration::from_secs(1);

fn uploaded(house: &House, app: &App, ids: &[Id]) -> Vec<Bytes> {
    ids.iter().map(|id| house.body(Event::Uploaded { app: app.clone(), id: id.clone() })).collect()
}

/// Handles `batch` until `deadline`; the outcomes, and how long it took.
fn until(house: &House, batch: &[Bytes], deadline: Duration) -> (Vec<Outcome>, Duration) {
    house.clock.run(house.worker.handle_until(batch, house.clock.sleep(deadline)))
}

#[test]
fn what_is_finished_by_then_is_done_and_the_rest_is_handed_back_and_merged_once() {
    let (house, fast, slow) = (House::new(), app("fast"), app("slow"));
    let ids = [&fast, &slow].map(|app| house.clock.run(house.upload_many(app, 3)).0);
    let batch = [uploaded(&house, &slow, &ids[1]), uploaded(&house, &fast, &ids[0])].concat();
    house.blobs.slow_down(Op::Write, "slow/default.pgo", 10 * SECOND);

    let (outcomes, took) = until(&house, &batch, 5 * SECOND);
    assert_eq!(took, 5 * SECOND);
    assert_eq!(handed_back(&outcomes), [0, 1, 2]);
    for outcome in &outcomes[..3] {
        let Outcome::HandBack(error) = outcome else { panic!("{outcome:?}") };
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.what().contains("time was up"), "{error}");
    }
    assert_eq!(house.clock.run(house.weight(&fast)).0, 3);
    assert_eq!(house.clock.run(house.staged(&slow)).0, ids[1]);

    // The whole batch again, as a host would have it whose answer did not get out.
    house.blobs.heal();
    let (outcomes, _) = until(&house, &batch, 5 * SECOND);
    assert!(handed_back(&outcomes).is_empty());
    for app in [&fast, &slow] {
        assert_eq!(house.clock.run(house.weight(app)).0, 3, "{app}");
    }
}

#[test]
fn a_write_that_landed_before_its_answer_was_cut_off_is_found_and_not_repeated() {
    let (house, app) = (House::new(), app("hello"));
    let ids = house.clock.run(house.upload_many(&app, 3)).0;
    let batch = uploaded(&house, &app, &ids);
    house.blobs.answer_late("default.pgo", 10 * SECOND);
    assert_eq!(handed_back(&until(&house, &batch, SECOND).0), [0, 1, 2]);
    assert_eq!(house.clock.run(house.weight(&app)).0, 3, "it is there, though nobody knows");

    house.blobs.heal();
    assert!(handed_back(&until(&house, &batch, SECOND).0).is_empty());
    house.clock.run(house.settle());
    assert_eq!(house.clock.run(house.weight(&app)).0, 3);
    assert_eq!(house.clock.run(house.keys()).0, ["hello/default.pgo"]);
}

#[test]
fn of_one_application_the_merges_before_the_one_that_is_cut_off_count() {
    let house = House::limited(Limits { merge_batch: 2, ..Limits::default() });
    let app = app("hello");
    let ids = house.clock.run(house.upload_many(&app, 6)).0;
    house.blobs.slow_down(Op::Read, &ids[2].to_string(), 10 * SECOND);
    let (outcomes, _) = until(&house, &uploaded(&house, &app, &ids), SECOND);
    assert_eq!(handed_back(&outcomes), [2, 3, 4, 5]);
    assert_eq!(house.clock.run(house.weight(&app)).0, 2);
}

#[test]
fn after_the_deadline_nothing_is_begun_and_what_is_none_of_ours_is_done() {
    let (house, app) = (House::new(), app("hello"));
    let ids = house.clock.run(house.upload_many(&app, 1)).0;
    let mut batch = uploaded(&house, &app, &ids);
    batch.push(Bytes::from_static(b"rubbish"));
    house.blobs.forget();
    let (outcomes, took) = until(&house, &batch, Duration::ZERO);
    assert_eq!((handed_back(&outcomes), took), (vec![0], Duration::ZERO));
    assert_eq!(house.blobs.calls(Op::Read, ""), 0);
}

#[test]
fn a_deadline_that_does_not_come_changes_nothing() {
    let (house, app) = (House::new(), app("hello"));
    let ids = house.clock.run(house.upload_many(&app, 3)).0;
    house.blobs.slow_down(Op::Write, "default.pgo", 10 * SECOND);
    let (outcomes, took) = until(&house, &uploaded(&house, &app, &ids), 11 * SECOND);
    assert!(handed_back(&outcomes).is_empty());
    assert_eq!(took, 10 * SECOND, "nobody waits for the deadline");
}

/// Everything a message can lead to, in a store that takes a second for each step, cut off after each of them in turn and
/// then delivered again as often as it is handed back.
#[test]
fn wherever_the_deadline_cuts_a_redelivery_ends_it_exactly() {
    for half_seconds in 1_u32.. {
        let (house, app, erased) = (House::new(), app("hello"), app("erased"));
        let ids = house.clock.run(house.upload_many(&app, 2)).0;
        let odd = house.stage_as_go(&app, "rubbish");
        house.stage_as_go(&erased, calls(&["main.work"]));
        let mut batch = uploaded(&house, &app, &[&ids[..], std::slice::from_ref(&odd)].concat());
        batch.push(house.body(Event::Deleted { app: erased.clone(), cleared: false }));
        for op in [Op::Read, Op::Stat, Op::Write, Op::Copy, Op::Delete] {
            house.blobs.slow_down(op, "", SECOND);
        }

        let (first, _) = until(&house, &batch, half_seconds * SECOND / 2);
        let mut left: Vec<Bytes> = handed_back(&first).into_iter().map(|at| batch[at].clone()).collect();
        house.blobs.heal();
        while !left.is_empty() {
            let (outcomes, _) = until(&house, &left, 100 * SECOND);
            left = handed_back(&outcomes).into_iter().map(|at| left[at].clone()).collect();
        }
        house.clock.run(house.settle());
        // What a deletion leaves behind, once its mark is in the base, is in the ledger: the sweep takes it away.
        house.clock.run(house.sweep());
        let left = format!("cut off after {half_seconds} half seconds");
        assert_eq!(house.clock.run(house.weight(&app)).0, 2, "{left}");
        assert_eq!(house.clock.run(house.rejected(&app)).0, [odd], "{left}");
        assert_eq!(house.clock.run(house.staged(&app)).0, [], "{left}");
        assert_eq!(house.clock.run(house.weight(&erased)).0, 0, "{left}");
        assert_eq!(house.clock.run(house.staged(&erased)).0, [], "{left}");
        if handed_back(&first).is_empty() {
            assert!(half_seconds > 10, "it was over after {half_seconds} half seconds");
            return;
        }
    }
}
