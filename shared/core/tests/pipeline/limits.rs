//! What does not fit: an upload that stands in nobody's way, a base that must not lose any, and the bounds on what is
//! held in memory.

use autopgo_core::app::App;
use autopgo_core::error::Kind;
use autopgo_core::key::{Id, Key};
use autopgo_core::limits::Limits;
use autopgo_core::port::blobs::Blobs;
use autopgo_core::store::Reason;
use autopgo_core::worker::{Outcome, Swept};
use bytes::Bytes;

use super::house::profile::{calls, wall_calls};
use super::house::store::Op;
use super::house::{House, app, handed_back};

/// A base of eight functions where ten are allowed.
const BASE: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

fn tight() -> Limits {
    Limits { functions: 10, ..Limits::default() }
}

async fn with_base(limits: Limits) -> (House, App) {
    let (house, app) = (House::limited(limits), app("hello"));
    house.upload(&app, calls(&BASE)).await;
    house.settle().await;
    assert_eq!(house.base(&app).await.0.function_count(), 8);
    (house, app)
}

async fn upload_all(house: &House, app: &App, bodies: &[Bytes]) -> Vec<Id> {
    let mut ids = Vec::new();
    for body in bodies {
        house.clock.turn(std::time::Duration::from_millis(1));
        ids.push(house.upload(app, body.clone()).await);
    }
    ids
}

async fn reason(house: &House, app: &App, id: &Id) -> String {
    let key = Key::reason(app, id).to_string();
    let object = house.blobs.read(&key, 10_000).await.expect("read").expect("a reason");
    serde_json::from_slice::<Reason>(&object.bytes).expect("JSON").message
}

#[tokio::test]
async fn an_upload_that_does_not_fit_even_compacted_is_set_aside_alone() {
    for swept in [false, true] {
        let (house, app) = with_base(tight()).await;
        let bodies = [calls(&["v", "w", "x", "y", "z"]), calls(&["a"]), calls(&["a", "h"])];
        let ids = upload_all(&house, &app, &bodies).await;
        if swept {
            assert_eq!(house.sweep().await, Swept { merged: 2, rejected: 1, ..Swept::default() });
        } else {
            assert!(handed_back(&house.handle_uploads(&app, &ids).await).is_empty());
        }
        assert_eq!(house.rejected(&app).await, [ids[0].clone()]);
        let reason = reason(&house, &app, &ids[0]).await;
        assert!(reason.contains("even when compacted") && reason.contains("functions"), "{reason}");
        let (base, _) = house.base(&app).await;
        assert_eq!((base.function_count(), base.totals()[0]), (9, 7 + 1 + 2));

        // Nothing that comes later is held up either.
        house.upload(&app, calls(&["b"])).await;
        house.settle().await;
        assert_eq!(house.weight(&app).await, 11);
        assert!(house.staged(&app).await.is_empty());
    }
}

#[tokio::test]
async fn uploads_that_do_not_fit_together_are_split() {
    let (house, app) = with_base(tight()).await;
    let bodies = [["a", "h"], ["a", "i"], ["a", "j"], ["a", "k"], ["a", "b"], ["a", "h"]].map(|f| calls(&f));
    let ids = upload_all(&house, &app, &bodies).await;
    assert!(handed_back(&house.handle_uploads(&app, &ids).await).is_empty());
    // Two more functions fit, and whatever needs no other.
    assert_eq!(house.rejected(&app).await, ids[2..4]);
    let (base, ledger) = house.base(&app).await;
    assert_eq!((base.function_count(), base.totals()[0]), (10, 7 + 4 * 2));
    assert_eq!(ledger.decided.len(), 5);
    house.settle().await;
    assert!(house.staged(&app).await.is_empty());
}

#[tokio::test]
async fn an_upload_of_another_kind_is_set_aside_alone_and_an_idle_one_binds_nobody() {
    for with_base in [true, false] {
        let (house, app) = (House::new(), app("hello"));
        if with_base {
            house.upload(&app, calls(&["a"])).await;
            house.settle().await;
        }
        let bodies = [wall_calls(&[]), calls(&["a"]), wall_calls(&["b"]), wall_calls(&[]), calls(&["a"])];
        let ids = upload_all(&house, &app, &bodies).await;
        assert!(handed_back(&house.handle_uploads(&app, &ids).await).is_empty());
        assert_eq!(house.rejected(&app).await, [ids[2].clone()]);
        let whose = if with_base { "the base profile" } else { "an upload merged before it" };
        let reason = reason(&house, &app, &ids[2]).await;
        assert!(reason.contains(&format!("it does not fit {whose}")), "{reason}");
        assert_eq!(house.weight(&app).await, if with_base { 3 } else { 2 });
        house.settle().await;
        assert!(house.staged(&app).await.is_empty());
    }
}

#[tokio::test]
async fn a_base_that_is_too_large_by_itself_keeps_its_uploads_staged() {
    let lowered = [
        Limits { functions: 7, ..Limits::default() },
        // Its ledger has room of its own: what is over the limit is found only when it is written.
        Limits { base_raw_bytes: 250, ..Limits::default() },
    ];
    for limits in lowered {
        let (house, app) = with_base(Limits::default()).await;
        let ids = house.upload_many(&app, 3).await;
        let low = house.restarted(limits.clone());
        let outcomes = low.handle_uploads(&app, &ids).await;
        assert_eq!(handed_back(&outcomes), [0, 1, 2]);
        for outcome in &outcomes {
            let Outcome::HandBack(error) = outcome else { panic!("done") };
            let says = error.what();
            assert!(error.kind() == Kind::TooLarge && says.contains("hello/default.pgo"), "{says}");
        }
        low.upload_many(&self::app("other"), 2).await;
        let swept = low.sweep().await;
        assert_eq!((swept.merged, swept.rejected, swept.failed), (2, 0, 1), "{limits:?}");
        assert_eq!(house.staged(&app).await, ids);
        assert!(house.rejected(&app).await.is_empty());

        // The limit is raised again, and all of them are merged.
        assert!(handed_back(&house.handle_uploads(&app, &ids).await).is_empty());
        assert_eq!(house.weight(&app).await, 7 + 3);
    }
}

#[tokio::test]
async fn an_object_larger_than_any_upload_is_set_aside_unread() {
    // Packed bytes may be a thousandth and a kibibyte more than raw ones.
    const MOST: usize = 4096 + 4 + 1024;
    let (house, app) = (House::limited(Limits { upload_raw_bytes: 4096, ..Limits::default() }), app("hello"));
    for (size, read) in [(MOST, true), (MOST + 1, false), (1 << 20, false)] {
        let id = house.stage_as_go(&app, vec![7; size]);
        house.blobs.forget();
        let good = house.upload_many(&app, 1).await;
        let ids = [vec![id.clone()], good].concat();
        assert!(handed_back(&house.handle_uploads(&app, &ids).await).is_empty());
        house.settle().await;

        assert_eq!(house.blobs.carried(&format!("staging/{id}")), if read { size } else { 0 });
        assert_eq!(house.blobs.carried(&format!("rejected/{id}.json")), {
            let key = Key::reason(&app, &id).to_string();
            house.blobs.stat(&key).await.expect("looked up").expect("a reason").size as usize
        });
        let whole = house.blobs.stat(&Key::rejected(&app, &id).to_string()).await.expect("looked up");
        assert_eq!(whole.expect("it is kept").size, size as u64);
        assert!(house.staged(&app).await.is_empty());
        assert!(read || reason(&house, &app, &id).await.contains("at most 5124 are read"));
    }
    assert_eq!(house.weight(&app).await, 3);
}

#[tokio::test]
async fn no_more_packed_bytes_are_read_at_once_than_can_be_held() {
    let (house, app) = (House::new(), app("hello"));
    // They share their bytes: only the process that reads them believes that it has them all.
    let large = Bytes::from(vec![0xff; 8 << 20]);
    let ids: Vec<Id> = (0..20).map(|_| house.stage_as_go(&app, large.clone())).collect();
    house.blobs.forget();
    assert!(handed_back(&house.handle_uploads(&app, &ids).await).is_empty());
    assert_eq!(house.rejected(&app).await.len(), 20);
    // Eight of them are 64 MiB: an attempt each for eight, eight and four.
    assert_eq!(house.blobs.calls(Op::Read, "default.pgo"), 3);
}

#[tokio::test]
async fn no_more_unpacked_bytes_are_merged_at_once_than_can_be_held() {
    let (house, app) = (House::new(), app("hello"));
    // A name of 48 MiB packs into a few KiB: six of them are more than 256 MiB.
    let long = "x".repeat(48 << 20);
    let body = calls(&[&long]);
    let ids: Vec<Id> = (0..7).map(|_| house.stage_as_go(&app, body.clone())).collect();
    house.blobs.forget();
    assert!(handed_back(&house.handle_uploads(&app, &ids).await).is_empty());
    assert_eq!(house.blobs.calls(Op::Write, "default.pgo"), 2);
    assert_eq!(house.weight(&app).await, 7);
}
