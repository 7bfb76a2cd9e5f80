//! The server and the worker over the memory ports, with real profiles: what each verb does when all goes well, and
//! what becomes of what does not fit. The files under `pipeline/` take one subject each, most of them about what goes
//! wrong.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "all of it is test code, outside of the test functions too"
)]

mod pipeline {
    pub(crate) mod house;

    mod adversity;
    mod bus;
    mod deadline;
    mod delete;
    mod download;
    mod faults;
    mod ledger;
    mod limits;
    mod pull;
    mod sweep;
    mod ticket;
}

use std::sync::Arc;
use std::time::Duration;

use autopgo_core::api::Form;
use autopgo_core::error::Kind;
use autopgo_core::event::Event;
use autopgo_core::key::{Id, Key, Place};
use autopgo_core::limits::Limits;
use autopgo_core::port::blobs::Blobs;
use autopgo_core::rules::Rules;
use autopgo_core::server::Downloaded;
use autopgo_core::worker::Options;
use autopgo_pprof::Profile;
use bytes::Bytes;

use pipeline::house::profile::{fixture, identity, merged, parse};
use pipeline::house::store::Op;
use pipeline::house::{House, app, handed_back};

/// A host may run any verb on any thread.
#[test]
fn every_verb_can_be_spawned() {
    fn spawnable<T: Send>(_: T) {}
    let (house, app) = (House::new(), app("hello"));
    spawnable(house.server.upload(&app, Bytes::new(), None));
    spawnable(house.server.download(&app, Form::Full, &|_| false));
    let id = Id::fresh(&*house.clock);
    spawnable(house.server.ticket(&app, 1, None));
    spawnable(house.server.complete(&app, &id));
    spawnable(house.server.list());
    spawnable(house.server.delete(&app));
    spawnable(house.worker.handle(&[]));
    spawnable(house.worker.handle_until(&[], std::future::ready(())));
    spawnable(house.worker.sweep(Duration::ZERO, &|| false));
    let stop = tokio_util::sync::CancellationToken::new();
    spawnable(autopgo_core::worker::pull(&house.worker, &*house.bus, stop));
}

#[tokio::test]
async fn uploads_become_one_base_and_staging_empties() {
    let house = House::new();
    let app = app("hello");
    let names = ["hello-app/a-1.pprof", "hello-app/a-2.pprof", "hello-app/a-3.pprof"];
    assert_eq!(house.download(&app, Form::Full).await.expect_err("nothing yet"), Kind::NotFound);
    for name in names {
        let key = house.server.upload(&app, fixture(name), None).await.expect("staged");
        assert!(matches!(key.place, Place::Staged(_)) && key.app == app);
    }
    house.settle().await;
    assert_eq!(house.keys().await, ["hello/default.pgo"]);

    let (full, etag) = house.download(&app, Form::Full).await.expect("a profile");
    assert_eq!(identity(&full), identity(&merged(&names)));
    assert_eq!(full.totals(), merged(&names).totals());
    let (small, weak) = house.download(&app, Form::Compact).await.expect("a profile");
    assert_eq!(weak, format!("W/\"{}\"", identity(&full)));
    assert_eq!(identity(&small), identity(&full));
    assert!(small.write().len() < full.write().len());
    for etag in [etag, weak] {
        let form = if etag.starts_with('W') { Form::Compact } else { Form::Full };
        let answer = house.server.download(&app, form, &|known| known == etag).await.expect("known");
        assert!(matches!(answer, Downloaded::Unchanged { etag: told } if told == etag));
    }

    let listed = house.server.list().await.expect("listed");
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].key.as_str(), listed[0].size > 1000), ("hello", true));
}

#[tokio::test]
async fn a_batch_of_uploads_is_one_write() {
    let house = House::new();
    let app = app("hello");
    for _ in 0..5 {
        house.server.upload(&app, fixture("hello-app/b-1.pprof"), None).await.expect("staged");
    }
    let bodies: Vec<Bytes> = house.receive().await.into_iter().map(|delivery| delivery.body).collect();
    assert_eq!(bodies.len(), 5);
    assert!(handed_back(&house.worker.handle(&bodies).await).is_empty());
    assert_eq!(house.blobs.calls(Op::Write, "default.pgo"), 1);

    // The same batch again changes nothing.
    let (profile, _) = house.base(&app).await;
    assert!(handed_back(&house.worker.handle(&bodies).await).is_empty());
    assert_eq!(house.base(&app).await.0.totals(), profile.totals());
}

#[tokio::test]
async fn a_retry_under_one_key_is_one_upload() {
    let house = House::new();
    let app = app("hello");
    let key = house.idempotency_key();
    let body = fixture("hello-app/a-1.pprof");
    let first = house.server.upload(&app, body.clone(), Some(&key)).await.expect("staged");
    assert_eq!(house.server.upload(&app, body.clone(), Some(&key)).await.expect("staged"), first);
    house.settle().await;
    assert_eq!(house.server.upload(&app, body.clone(), Some(&key)).await.expect("staged again"), first);
    house.settle().await;
    assert_eq!(house.base(&app).await.0.totals(), parse(&body).totals());
    assert_eq!(house.keys().await, ["hello/default.pgo"]);
}

#[tokio::test]
async fn what_is_no_cpu_profile_is_refused_and_nothing_is_staged() {
    let house = House::new();
    for (body, says) in [
        (Bytes::new(), "empty"),
        (Bytes::from_static(b"no profile at all"), ""),
        (fixture("hello-app/a-heap.pprof"), "heap"),
        (fixture("hello-app/a-goroutine.pprof"), "goroutine"),
        (fixture("legacy-gobench.cpu"), "old binary format"),
        (fixture("mtg.pgo").slice(..20_000), ""),
    ] {
        let error = house.server.upload(&app("hello"), body, None).await.expect_err(says);
        assert!(error.kind() == Kind::Unusable && error.what().contains(says), "{says}: {error}");
    }
    assert!(house.keys().await.is_empty());
}

#[tokio::test]
async fn what_a_go_server_staged_and_cannot_be_merged_is_set_aside_with_its_reason() {
    let house = House::new();
    let app = app("hello");
    house.server.upload(&app, fixture("hello-app/a-1.pprof"), None).await.expect("staged");
    house.settle().await;
    for bytes in [fixture("hello-app/a-heap.pprof"), Bytes::from_static(b"rubbish")] {
        let id = house.stage_as_go(&app, bytes);
        assert!(handed_back(&house.handle_uploads(&app, &[id]).await).is_empty());
    }
    let keys = house.keys().await;
    assert_eq!(keys.len(), 5, "{keys:?}");
    assert!(keys[1..].iter().all(|key| key.starts_with("hello/rejected/")), "{keys:?}");
    let reason = house.blobs.read(&keys[2], 1000).await.expect("read").expect("a reason");
    assert!(String::from_utf8_lossy(&reason.bytes).contains("heap"), "{reason:?}");
    assert_eq!(house.base(&app).await.0.totals(), parse(&fixture("hello-app/a-1.pprof")).totals());
}

#[tokio::test]
async fn a_go_upload_cannot_forge_the_ledger() {
    let house = House::new();
    let app = app("hello");
    let victim = Id::fresh(&*house.clock);
    let mut forged = parse(&fixture("hello-app/a-1.pprof"));
    forged.set_comments([
        format!("autopgo:merged:{victim}"),
        "autopgo:deleted:2999-01-01T00:00:00Z".to_owned(),
    ]);
    let id = house.stage_as_go(&app, forged.write());
    assert!(handed_back(&house.handle_uploads(&app, &[id]).await).is_empty());
    let (_, ledger) = house.base(&app).await;
    assert_eq!(ledger.deleted, None);
    assert!(!ledger.decided.contains(&victim) && ledger.decided.len() == 1);
}

#[tokio::test]
async fn a_deletion_is_for_good_and_what_follows_starts_afresh() {
    let house = House::new();
    let app = app("hello");
    assert_eq!(house.server.delete(&app).await.expect_err("nothing there").kind(), Kind::NotFound);
    house.server.upload(&app, fixture("hello-app/a-1.pprof"), None).await.expect("staged");
    house.settle().await;
    house.server.upload(&app, fixture("hello-app/a-2.pprof"), None).await.expect("staged");
    let rejected = Key::rejected(&app, &Id::fresh(&*house.clock)).to_string();
    house.blobs.put(&rejected, Bytes::new());

    house.server.delete(&app).await.expect("deleted");
    assert_eq!(house.keys().await, ["hello/default.pgo"]);
    assert_eq!(house.download(&app, Form::Full).await.expect_err("deleted"), Kind::NotFound);
    assert_eq!(house.download(&app, Form::Compact).await.expect_err("deleted"), Kind::NotFound);
    assert!(house.server.list().await.expect("listed").is_empty());
    assert_eq!(house.server.delete(&app).await.expect_err("deleted before").kind(), Kind::NotFound);

    // The messages of before come late and change nothing.
    house.settle().await;
    assert_eq!(house.download(&app, Form::Full).await.expect_err("still deleted"), Kind::NotFound);
    house.server.upload(&app, fixture("hello-app/a-3.pprof"), None).await.expect("staged");
    house.settle().await;
    assert_eq!(house.base(&app).await.0.totals(), parse(&fixture("hello-app/a-3.pprof")).totals());
}

#[tokio::test]
async fn a_go_servers_deletion_is_applied_once() {
    let house = House::new();
    let app = app("hello");
    house.server.upload(&app, fixture("hello-app/a-1.pprof"), None).await.expect("staged");
    house.settle().await;
    let deleted = house.body(Event::Deleted { app: app.clone(), cleared: false });
    assert!(handed_back(&house.worker.handle(std::slice::from_ref(&deleted)).await).is_empty());
    assert_eq!(house.download(&app, Form::Full).await.expect_err("deleted"), Kind::NotFound);
    house.server.upload(&app, fixture("hello-app/a-2.pprof"), None).await.expect("staged");
    house.settle().await;
    assert!(handed_back(&house.worker.handle(std::slice::from_ref(&deleted)).await).is_empty());
    assert_eq!(house.base(&app).await.0.totals(), parse(&fixture("hello-app/a-2.pprof")).totals());
}

#[tokio::test]
async fn prune_rules_apply_each_time_a_base_is_written() {
    let text = r#"[{"app": "hello", "rules": [{"drop": "^runtime\\."}]}]"#;
    let rules = Arc::new(Rules::parse(text, "prune.json").expect("good rules"));
    let names = ["hello-app/a-1.pprof", "hello-app/a-2.pprof"];
    for compact in [false, true] {
        let house = House::with(Limits::default(), Options { rules: Arc::clone(&rules), compact });
        for name in names {
            house.server.upload(&app("hello"), fixture(name), None).await.expect("staged");
            house.server.upload(&app("other"), fixture(name), None).await.expect("staged");
        }
        house.settle().await;
        let mut expected = merged(&names);
        rules.apply(&app("hello"), &mut expected);
        assert_eq!(identity(&house.base(&app("hello")).await.0), identity(&expected));
        assert_ne!(identity(&expected), identity(&merged(&names)));
        assert_eq!(identity(&house.base(&app("other")).await.0), identity(&merged(&names)));
    }
}

#[tokio::test]
async fn a_compacted_base_stays_small_and_builds_the_same() {
    let house = House::with(Limits::default(), Options { compact: true, ..Options::default() });
    let full = House::new();
    let app = app("hello");
    for house in [&house, &full] {
        for name in ["hello-app/a-1.pprof", "hello-app/b-1.pprof", "hello-app/labels-1.pprof"] {
            house.server.upload(&app, fixture(name), None).await.expect("staged");
            house.settle().await;
        }
    }
    assert_eq!(identity(&house.base(&app).await.0), identity(&full.base(&app).await.0));
    let size = |listed: Vec<autopgo_core::api::Listed>| listed[0].size;
    let (small, large) =
        (house.server.list().await.expect("listed"), full.server.list().await.expect("listed"));
    assert!(size(small) * 2 < size(large));
}

#[tokio::test]
async fn a_base_past_its_limit_is_compacted_rather_than_lost() {
    let names = ["hello-app/a-1.pprof", "hello-app/b-1.pprof"];
    let whole = merged(&names);
    let limits = Limits { samples: whole.sample_count() - 1, ..Limits::default() };
    let house = House::with(limits, Options::default());
    let app = app("hello");
    for name in names {
        house.server.upload(&app, fixture(name), None).await.expect("staged");
        house.settle().await;
    }
    let (base, _) = house.base(&app).await;
    assert!(base.sample_count() < whole.sample_count());
    assert_eq!(identity(&base), identity(&whole));
}

#[tokio::test]
async fn a_base_that_is_no_profile_keeps_its_uploads_and_can_be_deleted() {
    let house = House::new();
    let app = app("hello");
    house.blobs.put("hello/default.pgo", "rubbish");
    house.server.upload(&app, fixture("hello-app/a-1.pprof"), None).await.expect("staged");
    let batch = house.receive().await;
    assert_eq!(handed_back(&house.worker.handle(&[batch[0].body.clone()]).await), [0]);
    assert_eq!(house.keys().await.len(), 2);
    house.server.delete(&app).await.expect("deleted");
    house.server.upload(&app, fixture("hello-app/a-2.pprof"), None).await.expect("staged");
    house.settle().await;
    assert_eq!(house.base(&app).await.0.totals(), parse(&fixture("hello-app/a-2.pprof")).totals());
}

#[tokio::test]
async fn absurd_values_are_refused_and_a_full_base_sets_aside() {
    let house = House::new();
    let app = app("hello");
    let mut profile = parse(&fixture("hello-app/a-1.pprof"));
    let double = |profile: &Profile| autopgo_pprof::merge(&[profile, profile]).expect("doubled");
    while profile.totals().iter().all(|total| *total <= i128::from(i64::MAX) / 3) {
        profile = double(&profile);
    }
    let error = house.server.upload(&app, profile.write().into(), None).await.expect_err("absurd");
    assert!(error.kind() == Kind::Unusable && error.what().contains("far beyond any CPU profile"), "{error}");

    // A base that somebody else filled so far has no room for many more.
    house.blobs.put("hello/default.pgo", profile.write());
    let mut large = parse(&fixture("hello-app/a-1.pprof"));
    while large.totals().iter().all(|total| *total <= i128::from(i64::MAX) / 2100) {
        large = double(&large);
    }
    let mut uploads = 0;
    while i128::from(i64::MAX) - profile.totals()[1] > uploads * large.totals()[1] {
        house.server.upload(&app, large.write().into(), None).await.expect("staged");
        uploads += 1;
    }
    house.settle().await;
    let (base, ledger) = house.base(&app).await;
    assert!(base.totals().iter().all(|total| *total > 0 && *total <= i128::from(i64::MAX)));
    let reasons = house.keys().await.iter().filter(|key| key.ends_with(".json")).count();
    assert_eq!((ledger.decided.len() as i128, reasons), (uploads - 1, 1));
}

#[tokio::test]
async fn messages_that_are_none_of_ours_are_done() {
    let house = House::new();
    let bodies = [
        Bytes::from_static(b"rubbish"),
        Bytes::from_static(br#"{"type":"somebody.elses"}"#),
        house.body(Event::Uploaded { app: app("gone"), id: Id::fresh(&*house.clock) }),
        house.body(Event::Merged { app: app("gone"), id: Id::fresh(&*house.clock) }),
        house.body(Event::Deleted { app: app("gone"), cleared: true }),
    ];
    let outcomes = house.worker.handle(&bodies).await;
    assert_eq!(outcomes.len(), bodies.len());
    assert!(handed_back(&outcomes).is_empty());
    assert!(house.keys().await.is_empty());
}
