//! A deletion is for good: of what was set aside too, whatever becomes of its answer, and whoever writes meanwhile.

use std::time::Duration;

use autopgo_core::api::Form;
use autopgo_core::app::App;
use autopgo_core::clock::Clock;
use autopgo_core::error::Kind;
use autopgo_core::event::{Envelope, Event};
use autopgo_core::key::{Id, Key};
use autopgo_core::limits::Limits;
use autopgo_core::port::blobs::Blobs;
use bytes::Bytes;
use futures_util::FutureExt;

use super::house::profile::calls;
use super::house::store::{Op, put, touch};
use super::house::{House, app, handed_back};

const BASE: &str = "hello/default.pgo";

/// A base, one upload that is staged, and one that was set aside.
fn furnished() -> (House, App, Id, Id) {
    let (house, app) = (House::new(), app("hello"));
    let ids = async {
        house.upload_many(&app, 2).await;
        house.settle().await;
        let odd = house.stage_as_go(&app, "rubbish");
        assert!(handed_back(&house.handle_uploads(&app, std::slice::from_ref(&odd)).await).is_empty());
        (house.upload_many(&app, 1).await.remove(0), odd)
    };
    let (staged, odd) = house.clock.run(ids).0;
    house.blobs.forget();
    (house, app, staged, odd)
}

fn assert_deleted(house: &House, app: &App) {
    assert_eq!(house.clock.run(house.keys()).0, [BASE]);
    assert_eq!(house.clock.run(house.download(app, Form::Full)).0.expect_err("deleted"), Kind::NotFound);
}

#[tokio::test]
async fn a_retry_of_what_was_set_aside_does_not_come_back() {
    // With the base it is too much; alone it would fit.
    let house = House::limited(Limits { functions: 5, ..Limits::default() });
    let app = app("hello");
    let large = calls(&["v", "w", "x", "y"]);
    house.upload(&app, calls(&["a", "b", "c"])).await;
    house.settle().await;
    let (early, late) = (house.idempotency_key(), house.idempotency_key());
    for key in [&early, &late] {
        house.server.upload(&app, large.clone(), Some(key)).await.expect("staged");
    }
    house.settle().await;
    assert_eq!(house.rejected(&app).await.len(), 2);

    // One is sent again and set aside again; the other only after all was deleted.
    house.server.upload(&app, large.clone(), Some(&early)).await.expect("staged");
    house.settle().await;
    house.server.delete(&app).await.expect("deleted");
    assert_eq!(house.keys().await, [BASE]);
    for key in [&early, &late] {
        house.clock.turn(Duration::from_secs(60));
        house.server.upload(&app, large.clone(), Some(key)).await.expect("staged");
    }
    house.settle().await;
    assert_eq!(house.keys().await, [BASE]);
    assert_eq!(house.download(&app, Form::Full).await.expect_err("deleted"), Kind::NotFound);

    // What is new is welcome.
    house.upload(&app, large).await;
    house.settle().await;
    assert_eq!(house.weight(&app).await, 4);
}

#[test]
fn what_cannot_be_sent_again_need_not_be_named() {
    let (house, app, staged, odd) = furnished();
    house.clock.turn(Duration::from_secs(41 * 60));
    house.clock.run(house.server.delete(&app)).0.expect("deleted");
    let (_, ledger) = house.clock.run(house.base(&app)).0;
    assert!(ledger.decided.contains(&staged) && !ledger.decided.contains(&odd));
}

#[test]
fn a_swap_of_unknown_outcome_is_tried_again_and_cleaned_up_after() {
    for landed in [true, false] {
        for base_alone in [true, false] {
            let (house, app, staged, odd) = furnished();
            if base_alone {
                house.clock.run(house.settle());
                house.clock.run(house.host.store.unreject_all(&app, [odd.clone()]));
                assert_eq!(house.clock.run(house.keys()).0, [BASE]);
            }
            if landed {
                house.blobs.lose_answers(BASE, 1, Kind::Unavailable);
            } else {
                house.blobs.fail(Op::Write, BASE, 1, Kind::Unavailable);
            }
            let (deleted, _) = house.clock.run(house.server.delete(&app));
            deleted.expect("deleted");
            assert_deleted(&house, &app);
            let (_, ledger) = house.clock.run(house.base(&app)).0;
            assert!(ledger.deleted.is_some() && ledger.decided.contains(&staged));
            assert!(base_alone || ledger.decided.contains(&odd));
            let again = house.clock.run(house.server.delete(&app)).0.expect_err("nothing is left");
            assert_eq!(again.kind(), Kind::NotFound);
        }
    }
}

#[test]
fn a_lost_race_is_run_again() {
    let (house, app, staged, _) = furnished();
    // A worker wins twice.
    house.blobs.before(Op::Write, BASE, 2, |memory| touch(memory, BASE));
    let (deleted, took) = house.clock.run(house.server.delete(&app));
    deleted.expect("deleted");
    assert_eq!(house.blobs.calls(Op::Write, BASE), 3);
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_deleted(&house, &app);
    assert!(house.clock.run(house.base(&app)).0.1.decided.contains(&staged));
}

#[test]
fn races_are_given_up_in_the_end_and_nothing_is_lost() {
    for unknown in [true, false] {
        let (house, app, staged, odd) = furnished();
        if unknown {
            house.blobs.fail(Op::Write, BASE, usize::MAX, Kind::Unavailable);
        } else {
            house.blobs.before(Op::Write, BASE, usize::MAX, |memory| touch(memory, BASE));
        }
        let (deleted, took) = house.clock.run(house.server.delete(&app));
        let error = deleted.expect_err("it cannot win");
        assert!(error.kind() == Kind::Unavailable && error.what().contains("try again"), "{error}");
        assert_eq!(house.blobs.calls(Op::Write, BASE), 8);
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert_eq!(house.clock.run(house.weight(&app)).0, 2);
        assert_eq!(house.clock.run(house.staged(&app)).0, [staged]);
        assert_eq!(house.clock.run(house.rejected(&app)).0, [odd]);

        house.blobs.heal();
        house.clock.run(house.server.delete(&app)).0.expect("deleted");
        assert_deleted(&house, &app);
    }
}

#[test]
fn an_upload_that_is_set_aside_meanwhile_is_seen_in_one_place_or_the_other() {
    for at in ["staging", "rejected"] {
        let (house, app, staged, _) = furnished();
        // A worker sets it aside just before either place is listed.
        let (from, to) = (Key::staged(&app, &staged).to_string(), Key::rejected(&app, &staged).to_string());
        house.blobs.before(Op::List, at, 1, move |memory| {
            memory.copy(&from, &to).now_or_never().expect("memory never waits").expect("copied");
            memory.delete(&from).now_or_never().expect("memory never waits").expect("removed");
        });
        house.clock.run(house.server.delete(&app)).0.expect("deleted");
        assert_deleted(&house, &app);
        assert!(house.clock.run(house.base(&app)).0.1.decided.contains(&staged), "{at}");
    }
}

#[test]
fn a_base_over_a_lowered_limit_keeps_its_ledger_and_its_mark() {
    let (house, app, staged, _) = furnished();
    let event = Event::Deleted { app: app.clone(), cleared: false };
    let first = [house.body(event)];
    house.clock.turn(Duration::from_secs(1));
    house.clock.run(house.server.delete(&app)).0.expect("deleted");
    house.clock.run(house.upload(&app, calls(&["a", "b", "c", "d"])));
    house.clock.run(house.settle());
    let before = house.clock.run(house.base(&app)).0.1;
    assert!(before.decided.contains(&staged) && before.deleted.is_some());

    house.clock.turn(Duration::from_secs(1));
    for limits in [
        Limits { functions: 3, ..Limits::default() },
        Limits { samples: 2, ..Limits::default() },
        Limits { locations: 3, ..Limits::default() },
    ] {
        let low = house.restarted(limits);
        let object = house.clock.run(house.host.store.base(&app)).0.expect("read").expect("a base");
        low.clock.run(low.server.delete(&app)).0.expect("deleted");
        let after = house.clock.run(house.base(&app)).0.1;
        assert!(after.decided.is_superset(&before.decided), "{after:?}");
        assert!(after.deleted > before.deleted, "{after:?}");
        house.blobs.put(BASE, object.bytes);
    }
    // And so a deletion of before that comes late is not applied to what came since.
    let low = house.restarted(Limits { functions: 3, ..Limits::default() });
    assert!(handed_back(&low.clock.run(low.worker.handle(&first)).0).is_empty());
    assert_eq!(house.clock.run(house.weight(&app)).0, 4);
}

#[test]
fn a_base_far_too_large_to_be_read_can_be_deleted() {
    // Four times of what a base with its ledger may have is tried.
    let (house, app) = (House::limited(Limits { base_raw_bytes: 1, ..Limits::default() }), app("hello"));
    let large = Bytes::from(vec![0; 4 * (1 + 80_000_000) + (2 << 20)]);
    house.blobs.put(BASE, large.clone());
    house.clock.run(house.server.delete(&app)).0.expect("deleted");
    assert!(house.blobs.carried(BASE) < 10_000, "it was read");
    assert_deleted(&house, &app);

    // It is replaced by a smaller one just while it is looked at.
    house.blobs.put(BASE, large);
    house.blobs.before(Op::Stat, BASE, 1, |memory| put(memory, BASE, calls(&["main.work"])));
    house.clock.run(house.server.delete(&app)).0.expect("deleted all the same");
    assert_deleted(&house, &app);
}

#[test]
fn what_cannot_be_cleaned_up_is_decided_all_the_same() {
    let (house, app, staged, odd) = furnished();
    house.blobs.fail(Op::Delete, "", usize::MAX, Kind::Unavailable);
    house.clock.run(house.server.delete(&app)).0.expect("deleted");
    assert_eq!(house.clock.run(house.staged(&app)).0, [staged]);
    house.blobs.heal();
    // The messages of before, and that of the deletion, make up for it.
    house.clock.run(house.settle());
    assert!(house.clock.run(house.staged(&app)).0.is_empty());
    assert_eq!(house.clock.run(house.rejected(&app)).0, [odd]);
    assert_eq!(house.clock.run(house.download(&app, Form::Full)).0.expect_err("deleted"), Kind::NotFound);
}

#[test]
fn what_came_since_a_landed_swap_is_none_of_its_business() {
    let (house, app, staged, odd) = furnished();
    let event = [house.body(Event::Deleted { app: app.clone(), cleared: false })];
    house.blobs.lose_answers(BASE, 1, Kind::Unavailable);
    house.clock.turn(Duration::from_secs(1));
    let (new, other) = (Id::fresh(&*house.clock), Id::fresh(&*house.clock));
    let keys = [Key::staged(&app, &new), Key::rejected(&app, &other)].map(|key| key.to_string());
    house.blobs.before(Op::List, "staging", 1, |_| {});
    house.blobs.before(Op::List, "staging", 1, move |memory| {
        keys.iter().for_each(|key| put(memory, key, calls(&["main.new"])));
    });
    assert!(handed_back(&house.clock.run(house.worker.handle(&event)).0).is_empty());
    assert_eq!(house.clock.run(house.staged(&app)).0, [new]);
    assert_eq!(house.clock.run(house.rejected(&app)).0, [other]);
    house.clock.run(house.sweep());
    let (base, ledger) = house.clock.run(house.base(&app)).0;
    assert_eq!(base.totals()[0], 1);
    assert!(ledger.decided.contains(&staged) && ledger.decided.contains(&odd));
}

#[test]
fn an_application_of_which_all_was_set_aside_can_be_deleted() {
    let (house, app) = (House::new(), app("hello"));
    let odd = house.stage_as_go(&app, "rubbish");
    house.clock.run(house.handle_uploads(&app, std::slice::from_ref(&odd)));
    assert_eq!(house.clock.run(house.rejected(&app)).0, std::slice::from_ref(&odd));
    house.clock.run(house.server.delete(&app)).0.expect("deleted");
    assert_deleted(&house, &app);
    assert!(house.clock.run(house.base(&app)).0.1.decided.contains(&odd));
    let again = house.clock.run(house.server.delete(&app)).0.expect_err("nothing is left");
    assert_eq!(again.kind(), Kind::NotFound);
}

#[test]
fn a_deletion_covers_no_other_that_was_asked_for_after_it_looked() {
    let (house, app, ..) = furnished();
    let late = house.clock.now() + Duration::from_secs(2);
    let id = Id::parse(&format!("{:019}", (late - Duration::from_secs(1)).as_nanosecond())).expect("an id");
    // Behind its listing something is staged, and a Go server is asked to delete that too.
    let (clock, key) = (house.clock.clone(), Key::staged(&app, &id).to_string());
    house.blobs.before(Op::List, "rejected", 1, move |memory| {
        put(memory, &key, calls(&["main.work"]));
        clock.turn(Duration::from_secs(10));
    });
    house.clock.run(house.server.delete(&app)).0.expect("deleted");
    assert_eq!(house.clock.run(house.staged(&app)).0, [id]);
    let event = Event::Deleted { app: app.clone(), cleared: false };
    let event = Envelope { timestamp: late, ..Envelope::new(event, &*house.clock) };
    assert!(handed_back(&house.clock.run(house.worker.handle(&[event.message().body])).0).is_empty());
    assert_deleted(&house, &app);
}
