//! The sweep: what no event told of is found, nobody starves, what is old goes at its time, and the empty base of a
//! deleted application costs less and less.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use autopgo_core::app::App;
use autopgo_core::clock::Clock;
use autopgo_core::key::{Id, Key, Place};
use autopgo_core::limits::Limits;
use autopgo_core::worker::Swept;
use bytes::Bytes;

use super::house::profile::{calls, fixture};
use super::house::store::{Op, put};
use super::house::{House, app};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A deadline that comes after this many looks at it.
fn after(looks: usize) -> impl Fn() -> bool + Sync {
    let left = AtomicUsize::new(looks);
    move || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
}

#[tokio::test]
async fn what_no_event_told_of_is_found_once_it_is_old_enough() {
    let (house, app) = (House::new(), app("hello"));
    house.upload(&app, fixture("hello-app/a-1.pprof")).await;
    house.clock.turn(10 * MINUTE);
    let young = house.upload(&app, fixture("hello-app/a-2.pprof")).await;
    house.clock.turn(5 * MINUTE);
    let stopped = house.worker.sweep(10 * MINUTE, &|| true).await.expect("swept");
    assert_eq!(stopped, Swept { unfinished: true, ..Swept::default() });
    let swept = house.worker.sweep(10 * MINUTE, &|| false).await.expect("swept");
    assert_eq!(swept, Swept { merged: 1, ..Swept::default() });
    assert_eq!(house.staged(&app).await, [young]);
    house.clock.turn(5 * MINUTE);
    let swept = house.worker.sweep(10 * MINUTE, &|| false).await.expect("swept");
    assert_eq!(swept, Swept { merged: 1, ..Swept::default() });
    assert_eq!(house.keys().await, ["hello/default.pgo"]);
    assert_eq!(house.sweep().await, Swept::default());
}

#[tokio::test]
async fn an_application_with_many_uploads_does_not_starve_another() {
    let limits = Limits { merge_batch: 5, ..Limits::default() };
    // Whichever of them comes first by name.
    for (busy, quiet) in [("a", "z"), ("z", "a")] {
        let house = House::limited(limits.clone());
        house.upload_many(&app(quiet), 1).await;
        let mut sweeps = 0;
        while !house.staged(&app(quiet)).await.is_empty() {
            sweeps += 1;
            assert!(sweeps <= 30, "{quiet} starves behind {busy}");
            house.upload_many(&app(busy), 10).await;
            // A host that ends after each sweep, as a scheduled function does, and has time for one batch.
            let swept = house.restarted(limits.clone()).worker.sweep(Duration::ZERO, &after(1)).await;
            let swept = swept.expect("swept");
            assert!(swept.unfinished && matches!(swept.merged, 1 | 5), "{swept:?}");
        }
    }
}

#[tokio::test]
async fn within_a_sweep_each_application_has_its_turn() {
    let house = House::limited(Limits { merge_batch: 5, ..Limits::default() });
    for name in ["a", "b", "c"] {
        house.upload_many(&app(name), 12).await;
    }
    for (looks, left) in [(3, 7), (3, 2), (2, 0)] {
        house.worker.sweep(Duration::ZERO, &after(looks)).await.expect("swept");
        let mut most = Vec::new();
        for name in ["a", "b", "c"] {
            most.push(house.staged(&app(name)).await.len());
        }
        if looks == 3 {
            assert_eq!(most, [left; 3]);
        } else {
            assert_eq!(most.iter().filter(|staged| **staged == left).count(), 2, "{most:?}");
        }
    }
}

async fn put_old(house: &House, app: &App) -> Vec<String> {
    let id = Id::fresh(&*house.clock);
    let incoming = Key { app: app.clone(), place: Place::Incoming(id.clone()) };
    let keys = [incoming, Key::rejected(app, &id), Key::reason(app, &id)].map(|key| key.to_string());
    for key in &keys {
        house.blobs.put(key, Bytes::new());
    }
    keys.to_vec()
}

#[tokio::test]
async fn what_was_never_completed_or_was_set_aside_goes_at_its_time() {
    let (house, app) = (House::new(), app("hello"));
    let first = put_old(&house, &app).await;
    house.clock.turn(12 * HOUR);
    let second = put_old(&house, &app).await;

    house.clock.turn(12 * HOUR - MINUTE);
    assert_eq!(house.sweep().await, Swept::default());
    house.clock.turn(2 * MINUTE);
    assert_eq!(house.sweep().await, Swept { aged_out: 1, ..Swept::default() });
    let left = |gone: &[&String]| {
        let mut left: Vec<String> = [&*first, &*second].concat();
        left.retain(|key| !gone.contains(&key));
        left.sort();
        left
    };
    assert_eq!(house.keys().await, left(&[&first[0]]));

    house.clock.turn(29 * DAY - 2 * MINUTE);
    assert_eq!(house.sweep().await, Swept { aged_out: 1, ..Swept::default() });
    assert_eq!(house.keys().await, left(&[&first[0], &second[0]]));
    house.clock.turn(2 * MINUTE);
    // The deadline counts here too.
    let stopped = house.worker.sweep(Duration::ZERO, &after(1)).await.expect("swept");
    assert_eq!(stopped, Swept { aged_out: 1, unfinished: true, ..Swept::default() });
    assert_eq!(house.sweep().await, Swept { aged_out: 1, ..Swept::default() });
    assert_eq!(house.keys().await, second[1..]);
}

#[tokio::test]
async fn the_younger_age_counts_by_name_or_by_the_store() {
    let (house, app) = (House::new(), app("hello"));
    // By its name it is of 2001, by the store's clock of today.
    let id = Id::parse("1000000000000000000-00000000").expect("an id");
    let keys = [Key::rejected(&app, &id), Key::reason(&app, &id)].map(|key| key.to_string());
    for key in &keys {
        house.blobs.put(key, Bytes::new());
    }
    assert_eq!(house.sweep().await, Swept::default());
    house.clock.turn(30 * DAY - MINUTE);
    assert_eq!(house.sweep().await, Swept::default());
    house.clock.turn(2 * MINUTE);
    assert_eq!(house.sweep().await, Swept { aged_out: 2, ..Swept::default() });

    let staged = Key::staged(&app, &id).to_string();
    house.blobs.put(&staged, calls(&["main.work"]));
    assert_eq!(house.worker.sweep(HOUR, &|| false).await.expect("swept"), Swept::default());
    house.clock.turn(HOUR);
    assert_eq!(house.worker.sweep(HOUR, &|| false).await.expect("swept").merged, 1);

    // By the store's clock it is old, by its name it is younger.
    let id = Id::parse(&format!("{:019}", (house.clock.now() + DAY).as_nanosecond())).expect("an id");
    let key = Key { app, place: Place::Incoming(id) }.to_string();
    house.blobs.put(&key, Bytes::new());
    house.clock.turn(DAY + HOUR);
    assert_eq!(house.sweep().await, Swept::default());
    house.clock.turn(DAY);
    assert_eq!(house.sweep().await, Swept { aged_out: 1, ..Swept::default() });
}

#[tokio::test]
async fn the_ledger_of_an_empty_base_shrinks_once_and_is_left_alone() {
    let (house, app) = (House::new(), app("hello"));
    let ids = house.upload_many(&app, 3).await;
    house.server.delete(&app).await.expect("deleted");
    assert_eq!(house.base(&app).await.1.decided.len(), 3);
    // A write that was under way while all was deleted: it is staged again.
    let late = Key::staged(&app, &ids[1]).to_string();
    house.blobs.put(&late, Bytes::new());
    let reads = async || {
        house.blobs.forget();
        // Longer than any grace of the sweep's own.
        house.worker.sweep(DAY, &|| false).await.expect("swept");
        (house.blobs.calls(Op::Read, "default.pgo"), house.blobs.calls(Op::Write, "default.pgo"))
    };
    house.clock.turn(39 * MINUTE);
    assert_eq!(reads().await, (0, 0), "within the grace time");
    house.clock.turn(2 * MINUTE);
    assert_eq!(reads().await, (1, 1));
    let (_, ledger) = house.base(&app).await;
    assert_eq!(ledger.decided.into_iter().collect::<Vec<_>>(), [ids[1].clone()], "it is still staged");
    assert!(ledger.deleted.is_some());

    house.clock.turn(41 * MINUTE);
    assert_eq!(reads().await, (1, 0), "it is still staged");
    house.host.store.unstage(&app, &ids[1]).await.expect("removed");
    assert_eq!(reads().await, (1, 1));
    let (_, ledger) = house.base(&app).await;
    assert!(ledger.decided.is_empty() && ledger.deleted.is_some());

    house.clock.turn(41 * MINUTE);
    assert_eq!(reads().await, (1, 0), "nothing is left to forget");
    for _ in 0..3 {
        house.clock.turn(41 * MINUTE);
        assert_eq!(reads().await, (0, 0), "and that is remembered");
    }

    // Until somebody writes it again.
    house.upload_many(&app, 1).await;
    house.settle().await;
    house.clock.turn(41 * MINUTE);
    assert_eq!(reads().await, (1, 0));
    assert_eq!(reads().await, (0, 0));
}

#[tokio::test]
async fn a_base_with_samples_is_opened_once_and_never_emptied() {
    let house = House::new();
    for name in ["a", "b"] {
        house.upload_many(&app(name), 2).await;
    }
    house.settle().await;
    let mut opened = Vec::new();
    for _ in 0..3 {
        house.clock.turn(41 * MINUTE);
        house.blobs.forget();
        assert_eq!(house.sweep().await, Swept::default());
        opened.push(house.blobs.calls(Op::Read, "default.pgo"));
    }
    assert_eq!(opened, [2, 0, 0]);
    assert_eq!((house.weight(&app("a")).await, house.weight(&app("b")).await), (2, 2));
    assert_eq!(house.base(&app("a")).await.1.decided.len(), 2, "merges see to it");
}

#[tokio::test]
async fn shrinking_stops_when_it_is_enough_and_yields_to_a_merge() {
    let house = House::new();
    for name in ["a", "b"] {
        house.upload_many(&app(name), 1).await;
        house.server.delete(&app(name)).await.expect("deleted");
    }
    house.clock.turn(41 * MINUTE);
    let stopped = house.worker.sweep(Duration::ZERO, &after(1)).await.expect("swept");
    assert_eq!(stopped, Swept { unfinished: true, ..Swept::default() });
    assert!(house.base(&app("a")).await.1.decided.is_empty());
    assert_eq!(house.base(&app("b")).await.1.decided.len(), 1);

    // Just before the other is written, somebody merges into it.
    house.blobs.before(Op::Write, "b/default.pgo", 1, |memory| {
        put(memory, "b/default.pgo", calls(&["main.work"]));
    });
    assert_eq!(house.sweep().await, Swept::default());
    assert_eq!(house.weight(&app("b")).await, 1);
}

#[tokio::test]
async fn one_sweep_takes_so_much_and_the_next_goes_on() {
    let house = House::new();
    for number in 0..1001 {
        let id =
            Id::parse(&format!("{:019}-{number:08x}", house.clock.now().as_nanosecond())).expect("an id");
        house.blobs.put(&Key::rejected(&app("hello"), &id).to_string(), Bytes::new());
    }
    for number in 0..101 {
        let app = app(&format!("gone-{number}"));
        house.upload_many(&app, 1).await;
        house.server.delete(&app).await.expect("deleted");
    }
    house.clock.turn(31 * DAY);
    house.blobs.forget();
    assert_eq!(house.sweep().await, Swept { aged_out: 1000, unfinished: true, ..Swept::default() });
    assert_eq!(house.blobs.calls(Op::Write, "default.pgo"), 100);
    assert_eq!(house.sweep().await, Swept { aged_out: 1, ..Swept::default() });
    assert_eq!(house.blobs.calls(Op::Write, "default.pgo"), 101);
}
