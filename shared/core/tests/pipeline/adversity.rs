//! What fails for one upload, or on the way to the bus, is no reason for the others to wait.

use std::time::Duration;

use autopgo_core::clock::Clock;
use autopgo_core::error::Kind;
use autopgo_core::key::Place;
use autopgo_core::limits::Limits;
use autopgo_core::worker::{Outcome, Swept};
use bytes::Bytes;

use super::house::bus::Mood;
use super::house::profile::calls;
use super::house::store::Op;
use super::house::{House, app, handed_back};

fn in_tens() -> House {
    House::limited(Limits { merge_batch: 10, ..Limits::default() })
}

#[tokio::test]
async fn one_upload_that_cannot_be_read_is_handed_back_alone() {
    for kind in [Kind::Denied, Kind::Unavailable, Kind::Internal] {
        let (house, app) = (in_tens(), app("hello"));
        let ids = house.upload_many(&app, 25).await;
        house.blobs.fail(Op::Read, &ids[3].to_string(), usize::MAX, kind);
        let outcomes = house.handle_uploads(&app, &ids).await;
        assert_eq!(handed_back(&outcomes), [3]);
        assert!(matches!(&outcomes[3], Outcome::HandBack(error) if error.kind() == kind), "{outcomes:?}");
        assert_eq!(house.weight(&app).await, 24);

        assert!(house.staged(&app).await.contains(&ids[3]) && house.rejected(&app).await.is_empty());
        house.blobs.heal();
        assert!(handed_back(&house.handle_uploads(&app, &ids).await).is_empty());
        assert_eq!(house.weight(&app).await, 25);
        house.settle().await;
        assert_eq!(house.keys().await, ["hello/default.pgo"]);
    }
}

#[tokio::test]
async fn one_upload_that_cannot_be_read_holds_up_no_sweep() {
    for kind in [Kind::Denied, Kind::Unavailable, Kind::Internal] {
        let (house, app) = (in_tens(), app("hello"));
        let ids = house.upload_many(&app, 25).await;
        house.blobs.fail(Op::Read, &ids[3].to_string(), usize::MAX, kind);
        assert_eq!(house.sweep().await, Swept { merged: 24, failed: 1, ..Swept::default() });
        assert_eq!((house.weight(&app).await, house.staged(&app).await), (24, vec![ids[3].clone()]));

        house.blobs.heal();
        assert_eq!(house.sweep().await, Swept { merged: 1, ..Swept::default() });
        assert_eq!((house.weight(&app).await, house.staged(&app).await), (25, vec![]));
    }
}

#[tokio::test]
async fn an_application_that_cannot_be_merged_holds_up_no_other() {
    let house = in_tens();
    for name in ["a", "b", "c"] {
        house.upload_many(&app(name), 2).await;
    }
    house.blobs.fail(Op::Read, "b/default.pgo", usize::MAX, Kind::Denied);
    assert_eq!(house.sweep().await, Swept { merged: 4, failed: 1, ..Swept::default() });
    assert_eq!(house.staged(&app("b")).await.len(), 2);
    let bodies: Vec<Bytes> = house.receive().await.into_iter().map(|delivery| delivery.body).collect();
    // Those of `a` and `c` are merged already, and come before and after.
    let outcomes = house.worker.handle(&bodies[..6]).await;
    assert_eq!(handed_back(&outcomes), [2, 3]);
}

#[tokio::test]
async fn one_upload_that_cannot_be_set_aside_is_handed_back_alone() {
    let (house, app) = (House::new(), app("hello"));
    let first = house.upload_many(&app, 2).await;
    let odd = house.stage_as_go(&app, "rubbish");
    let last = house.upload_many(&app, 2).await;
    let all = [first, vec![odd.clone()], last].concat();
    for op in [Op::Copy, Op::Write, Op::Delete] {
        house.blobs.fail(op, &odd.to_string(), 1, Kind::Unavailable);
        assert_eq!(handed_back(&house.handle_uploads(&app, &all).await), [2], "{op:?}");
        assert_eq!(house.weight(&app).await, 4);
    }
    assert!(handed_back(&house.handle_uploads(&app, &all).await).is_empty());
    assert_eq!(house.rejected(&app).await, [odd]);
    assert_eq!(house.weight(&app).await, 4);
}

#[tokio::test]
async fn a_bus_that_refuses_holds_up_no_merge() {
    for swept in [false, true] {
        let (house, app) = (in_tens(), app("hello"));
        let ids = house.upload_many(&app, 30).await;
        house.bus.be(Mood::Refuses);
        let before = house.bus.published();
        if swept {
            assert_eq!(house.sweep().await, Swept { merged: 30, ..Swept::default() });
        } else {
            assert!(handed_back(&house.handle_uploads(&app, &ids).await).is_empty());
        }
        assert_eq!(house.weight(&app).await, 30);
        assert!(house.staged(&app).await.is_empty());
        // Of each ten the first eight are tried at once; the rest is not.
        assert_eq!(house.bus.published() - before, 24);
    }
}

#[test]
fn a_bus_that_hangs_is_given_up_and_the_rest_is_not_waited_for() {
    for swept in [false, true] {
        let (house, app) = (House::new(), app("hello"));
        let ids = house.clock.run(house.upload_many(&app, 30)).0;
        house.bus.be(Mood::Hangs);
        let took = if swept {
            let (did, took) = house.clock.run(house.sweep());
            assert_eq!(did, Swept { merged: 30, ..Swept::default() });
            took
        } else {
            let (outcomes, took) = house.clock.run(house.handle_uploads(&app, &ids));
            assert!(handed_back(&outcomes).is_empty());
            took
        };
        assert_eq!(took, Duration::from_secs(5));
        assert_eq!(house.clock.run(house.weight(&app)).0, 30);
        assert!(house.clock.run(house.staged(&app)).0.is_empty());
    }
}

#[test]
fn an_upload_is_staged_whatever_the_bus_does() {
    for mood in [Mood::Refuses, Mood::Hangs] {
        let (house, app) = (House::new(), app("hello"));
        house.bus.be(mood);
        let (id, took) = house.clock.run(house.upload(&app, calls(&["main.work"])));
        assert_eq!(house.clock.run(house.staged(&app)).0, [id]);
        assert!(took <= Duration::from_secs(2) && took > Duration::from_secs(1), "{mood:?}: {took:?}");
    }
}

#[tokio::test]
async fn a_merged_upload_that_nobody_could_be_told_of_is_merged_once() {
    let (house, app) = (House::new(), app("hello"));
    let ids = house.upload_many(&app, 3).await;
    house.bus.be(Mood::Refuses);
    house.blobs.fail(Op::Delete, &ids[1].to_string(), 1, Kind::Unavailable);
    assert!(handed_back(&house.handle_uploads(&app, &ids).await).is_empty());
    assert_eq!(house.staged(&app).await, [ids[1].clone()]);
    assert_eq!(house.sweep().await, Swept { merged: 1, ..Swept::default() });
    assert_eq!((house.weight(&app).await, house.staged(&app).await), (3, vec![]));
}

#[test]
fn a_write_that_is_lost_or_unknown_is_tried_again_and_a_bounded_number_of_times() {
    let (house, app) = (House::new(), app("hello"));
    let ids = house.clock.run(house.upload_many(&app, 2)).0;
    house.blobs.lose_answers("default.pgo", 1, Kind::Unavailable);
    let (outcomes, took) = house.clock.run(house.handle_uploads(&app, &ids));
    assert!(handed_back(&outcomes).is_empty());
    assert!(took < Duration::from_millis(50), "{took:?}");
    assert_eq!(house.clock.run(house.weight(&app)).0, 2, "what had landed was not merged again");

    let ids = house.clock.run(house.upload_many(&app, 2)).0;
    house.blobs.forget();
    house.blobs.fail(Op::Write, "default.pgo", usize::MAX, Kind::Conflict);
    let (outcomes, _) = house.clock.run(house.handle_uploads(&app, &ids));
    assert_eq!(handed_back(&outcomes), [0, 1]);
    assert!(matches!(&outcomes[0], Outcome::HandBack(error) if error.kind() == Kind::Unavailable));
    assert_eq!(house.blobs.calls(Op::Write, "default.pgo"), 8);
}

#[tokio::test]
async fn a_retry_after_the_answer_was_lost_is_the_same_upload() {
    let (house, app) = (House::new(), app("hello"));
    let key = house.idempotency_key();
    let body = calls(&["main.work"]);
    house.blobs.lose_answers("staging", 1, Kind::Unavailable);
    let error = house.server.upload(&app, body.clone(), Some(&key)).await.expect_err("it cannot know");
    assert_eq!(error.kind(), Kind::Unavailable);
    let staged = house.server.upload(&app, body, Some(&key)).await.expect("there already");
    assert!(matches!(&staged.place, Place::Staged(id) if id.time() <= house.clock.now()));
    assert_eq!(house.sweep().await, Swept { merged: 1, ..Swept::default() });
    assert_eq!(house.weight(&app).await, 1);
}
