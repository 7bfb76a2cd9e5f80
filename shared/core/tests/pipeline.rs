//! The server and the worker over the memory ports, with real profiles: what each verb does when all goes well, and
//! what becomes of what does not fit.

#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected by panicking")]

use std::sync::Arc;
use std::time::Duration;

use autopgo_core::api::Form;
use autopgo_core::app::App;
use autopgo_core::clock::{Clock, System};
use autopgo_core::error::Kind;
use autopgo_core::event::{Envelope, Event};
use autopgo_core::host::Host;
use autopgo_core::key::{Id, Key, Place};
use autopgo_core::ledger::Ledger;
use autopgo_core::limits::Limits;
use autopgo_core::memory::blobs::MemoryBlobs;
use autopgo_core::memory::bus::{ACK_DEADLINE, MemoryBus};
use autopgo_core::port::blobs::{Blobs, When};
use autopgo_core::port::bus::Subscription;
use autopgo_core::port::cpu::Inline;
use autopgo_core::rules::Rules;
use autopgo_core::server::{Downloaded, Server};
use autopgo_core::worker::{Options, Worker};
use autopgo_pprof::{Edges, Profile};
use bytes::Bytes;
use futures_util::TryStreamExt;
use jiff::Timestamp;

/// One process: both verbs over the same memory.
struct House {
    blobs: Arc<MemoryBlobs>,
    bus: Arc<MemoryBus>,
    host: Host,
    server: Server,
    worker: Worker,
}

impl House {
    fn new() -> Self {
        Self::with(Limits::default(), Options::default())
    }

    fn with(limits: Limits, options: Options) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(System);
        let blobs = Arc::new(MemoryBlobs::new(Arc::clone(&clock)));
        let bus = Arc::new(MemoryBus::new(Arc::clone(&clock), ACK_DEADLINE));
        let host = Host::new(blobs.clone(), bus.clone(), clock, Arc::new(Inline), limits);
        let (server, worker) = (Server::new(host.clone()), Worker::new(host.clone(), options));
        Self { blobs, bus, host, server, worker }
    }

    /// Handles messages until none is left.
    async fn settle(&self) {
        while let Ok(batch) = tokio::time::timeout(Duration::from_millis(50), self.bus.receive(100)).await {
            let batch = batch.expect("received");
            let bodies: Vec<Bytes> = batch.iter().map(|delivery| delivery.body.clone()).collect();
            for (delivery, outcome) in batch.iter().zip(self.worker.handle(&bodies).await) {
                assert!(outcome.is_done(), "{outcome:?}");
                self.bus.ack(delivery).await.expect("acked");
            }
        }
    }

    async fn keys(&self) -> Vec<String> {
        let entries: Vec<_> = self.blobs.list("", None).try_collect().await.expect("listed");
        entries.into_iter().map(|entry| entry.key).collect()
    }

    async fn base(&self, app: &App) -> (Profile, Ledger) {
        let object = self.host.store.base(app).await.expect("read").expect("a base");
        let mut profile = Profile::parse(&object.bytes, &Limits::default().base()).expect("a profile");
        let ledger = Ledger::take(&mut profile);
        (profile, ledger)
    }

    async fn download(&self, app: &App, form: Form) -> Result<(Profile, String), Kind> {
        match self.server.download(app, form, &|_| false).await {
            Ok(Downloaded::Profile(download)) => {
                let profile = Profile::parse(&download.bytes, &Limits::default().base()).expect("a profile");
                Ok((profile, download.etag))
            }
            Ok(Downloaded::Unchanged { .. }) => panic!("nothing was known"),
            Err(error) => Err(error.kind()),
        }
    }

    /// Puts bytes into staging as a Go server does, and gives the event that it would publish.
    async fn stage_as_go(&self, app: &App, nanoseconds: i128, bytes: Bytes) -> Envelope {
        let id = Id::parse(&format!("{nanoseconds:019}")).expect("an id");
        self.blobs.write(&Key::staged(app, &id).to_string(), bytes, When::Always).await.expect("written");
        Envelope::new(Event::Uploaded { app: app.clone(), id }, &System)
    }

    async fn handle(&self, envelope: &Envelope) -> bool {
        self.worker
            .handle(&[envelope.message().body])
            .await
            .iter()
            .all(autopgo_core::worker::Outcome::is_done)
    }
}

/// A host may run any verb on any thread.
#[test]
fn every_verb_can_be_spawned() {
    fn spawnable<T: Send>(_: T) {}
    let (house, app) = (House::new(), app("hello"));
    spawnable(house.server.upload(&app, Bytes::new(), None));
    spawnable(house.server.download(&app, Form::Full, &|_| false));
    spawnable(house.server.list());
    spawnable(house.server.delete(&app));
    spawnable(house.worker.handle(&[]));
    spawnable(house.worker.sweep(Duration::ZERO, &|| false));
    let stop = tokio_util::sync::CancellationToken::new();
    spawnable(autopgo_core::worker::pull(&house.worker, &*house.bus, stop));
}

fn app(name: &str) -> App {
    App::parse(name).expect("a good name")
}

fn fixture(name: &str) -> Bytes {
    let path = format!("{}/../../tests/fixtures/profiles/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}")).into()
}

fn parse(bytes: &[u8]) -> Profile {
    Profile::parse(bytes, &autopgo_pprof::Limits::default()).expect("a profile")
}

fn merged(names: &[&str]) -> Profile {
    let parts: Vec<Profile> = names.iter().map(|name| parse(&fixture(name))).collect();
    autopgo_pprof::merge(&parts.iter().collect::<Vec<_>>()).expect("merged")
}

fn identity(profile: &Profile) -> String {
    Edges::of(profile).expect("edges").identity().to_string()
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
    let batch = house.bus.receive(100).await.expect("received");
    let bodies: Vec<Bytes> = batch.iter().map(|delivery| delivery.body.clone()).collect();
    let before = house.blobs.write("probe", Bytes::new(), When::Always).await.expect("written");
    assert!(house.worker.handle(&bodies).await.iter().all(autopgo_core::worker::Outcome::is_done));
    let after = house.blobs.write("probe", Bytes::new(), When::Always).await.expect("written");
    let count =
        |version: &autopgo_core::port::blobs::Version| version.as_str().parse::<u64>().expect("a counter");
    assert_eq!(count(&after) - count(&before), 2, "one write of the base between the two probes");

    // The same batch again changes nothing.
    let (profile, _) = house.base(&app).await;
    assert!(house.worker.handle(&bodies).await.iter().all(autopgo_core::worker::Outcome::is_done));
    assert_eq!(house.base(&app).await.0.totals(), profile.totals());
}

#[tokio::test]
async fn a_retry_under_one_key_is_one_upload() {
    let house = House::new();
    let app = app("hello");
    let key = uuid::Uuid::now_v7().to_string();
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
    let time = Timestamp::now().as_nanosecond();
    for (offset, bytes) in [(1, fixture("hello-app/a-heap.pprof")), (2, Bytes::from_static(b"rubbish"))] {
        let envelope = house.stage_as_go(&app, time + offset, bytes).await;
        assert!(house.handle(&envelope).await);
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
    let victim = Id::fresh(&System);
    let mut forged = parse(&fixture("hello-app/a-1.pprof"));
    forged.set_comments([
        format!("autopgo:merged:{victim}"),
        "autopgo:deleted:2999-01-01T00:00:00Z".to_owned(),
    ]);
    let envelope = house.stage_as_go(&app, Timestamp::now().as_nanosecond(), forged.write().into()).await;
    assert!(house.handle(&envelope).await);
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
    let rejected = Key::rejected(&app, &Id::fresh(&System)).to_string();
    house.blobs.write(&rejected, Bytes::new(), When::Always).await.expect("written");

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
    let deleted = Envelope::new(Event::Deleted { app: app.clone(), cleared: false }, &System);
    assert!(house.handle(&deleted).await);
    assert_eq!(house.download(&app, Form::Full).await.expect_err("deleted"), Kind::NotFound);
    house.server.upload(&app, fixture("hello-app/a-2.pprof"), None).await.expect("staged");
    house.settle().await;
    assert!(house.handle(&deleted).await);
    assert_eq!(house.base(&app).await.0.totals(), parse(&fixture("hello-app/a-2.pprof")).totals());
}

#[tokio::test]
async fn the_sweep_finds_what_no_event_told_of() {
    let house = House::new();
    let app = app("hello");
    house.server.upload(&app, fixture("hello-app/a-1.pprof"), None).await.expect("staged");
    let young = house.worker.sweep(Duration::from_secs(3600), &|| false).await.expect("swept");
    assert_eq!(young.merged, 0, "it is not old enough");
    let stopped = house.worker.sweep(Duration::ZERO, &|| true).await.expect("swept");
    assert_eq!((stopped.merged, stopped.unfinished), (0, true));
    let swept = house.worker.sweep(Duration::ZERO, &|| false).await.expect("swept");
    assert_eq!((swept.merged, swept.failed, swept.unfinished), (1, 0, false));
    assert_eq!(house.keys().await, ["hello/default.pgo"]);
}

#[tokio::test]
async fn the_sweep_ages_out_what_was_rejected_long_ago() {
    let house = House::new();
    let old = Id::parse("1000000000000000000-00000000").expect("an id");
    for key in [Key::rejected(&app("hello"), &old), Key::reason(&app("hello"), &old)] {
        house.blobs.write(&key.to_string(), Bytes::new(), When::Always).await.expect("written");
    }
    // By its name it is old, by the store's clock it is not: the younger age counts.
    assert_eq!(house.worker.sweep(Duration::ZERO, &|| false).await.expect("swept").aged_out, 0);
    assert_eq!(house.keys().await.len(), 2);
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
    house
        .blobs
        .write("hello/default.pgo", Bytes::from_static(b"rubbish"), When::Always)
        .await
        .expect("written");
    house.server.upload(&app, fixture("hello-app/a-1.pprof"), None).await.expect("staged");
    let batch = house.bus.receive(1).await.expect("received");
    let outcomes = house.worker.handle(&[batch[0].body.clone()]).await;
    assert!(!outcomes[0].is_done());
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
    house.blobs.write("hello/default.pgo", profile.write().into(), When::Always).await.expect("written");
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
        Envelope::new(Event::Uploaded { app: app("gone"), id: Id::fresh(&System) }, &System).message().body,
        Envelope::new(Event::Merged { app: app("gone"), id: Id::fresh(&System) }, &System).message().body,
        Envelope::new(Event::Deleted { app: app("gone"), cleared: true }, &System).message().body,
    ];
    let outcomes = house.worker.handle(&bodies).await;
    assert_eq!(outcomes.len(), bodies.len());
    assert!(outcomes.iter().all(autopgo_core::worker::Outcome::is_done));
    assert!(house.keys().await.is_empty());
}
