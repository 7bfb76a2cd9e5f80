//! One target and one server: what is uploaded, what is not, and what is tried again.

use std::collections::HashSet;
use std::sync::Arc;

use autopgo_client::{Options, Patience};
use autopgo_core::clock::{Clock, System};
use autopgo_pprof::Profile;
use axum::http::StatusCode;

use super::*;
use crate::fake::{FakeServer, FakeTarget, PATIENCE, fixture, until};

/// A clock that does not make tests wait: pauses are over at once.
struct Hasty;

#[async_trait]
impl Clock for Hasty {
    fn now(&self) -> jiff::Timestamp {
        System.now()
    }

    async fn sleep(&self, _: Duration) {
        tokio::task::yield_now().await;
    }

    fn random(&self) -> u64 {
        System.random()
    }
}

fn profile() -> Bytes {
    fixture("hello-app/a-1.pprof")
}

fn sampler(server: &FakeServer, limits: Limits) -> Sampler {
    let client = Client::new(&server.url, Options::default()).expect("a URL").with_clock(Arc::new(Hasty));
    Sampler::new(client, Duration::from_secs(1), limits).expect("a sampler")
}

/// How a scrape of a target that serves `body` ends, and what it says if that is not well.
async fn ended(server: &FakeServer, body: impl AsRef<[u8]>, limits: Limits) -> (Outcome, String) {
    let target = FakeTarget::serving(body).await;
    let stop = CancellationToken::new();
    let sampler = sampler(server, limits);
    match sampler.scrape(&target.target("app"), &stop, &mut Facts::default()).await {
        Ok(outcome) => (outcome, String::new()),
        Err(failure) => (failure.outcome, failure.error.chain()),
    }
}

#[tokio::test]
async fn a_profile_goes_to_its_own_app_as_it_came() {
    let server = FakeServer::start(&[]).await;
    let sampler = sampler(&server, Limits::default());
    for (name, app) in [("hello-app/a-1.pprof", "one"), ("hello-app/b-1.pprof", "two")] {
        let target = FakeTarget::serving(fixture(name)).await;
        let (stop, mut facts) = (CancellationToken::new(), Facts::default());
        let ended = sampler.scrape(&target.target(app), &stop, &mut facts).await.expect("good");
        assert_eq!((ended, facts.key.as_deref()), (Outcome::Uploaded, Some("app/staging/1")));
        assert_eq!(facts.size_bytes, Some(fixture(name).len()));
        assert!(facts.samples > Some(100), "{:?}", facts.samples);
    }
    let uploads = server.uploads();
    let sent: Vec<_> = uploads.iter().map(|upload| (upload.path.as_str(), upload.body.clone())).collect();
    assert_eq!(
        sent,
        [
            ("/api/profile/one", fixture("hello-app/a-1.pprof")),
            ("/api/profile/two", fixture("hello-app/b-1.pprof"))
        ]
    );
    assert_ne!(uploads[0].key, uploads[1].key);
}

#[tokio::test]
async fn an_idle_target_is_not_uploaded() {
    let server = FakeServer::start(&[]).await;
    let idle = Profile::empty_cpu().write();
    assert_eq!(ended(&server, idle, Limits::default()).await, (Outcome::Idle, String::new()));
    assert!(server.uploads().is_empty());
}

#[tokio::test]
async fn what_pgo_cannot_use_is_named_at_its_source() {
    let server = FakeServer::start(&[]).await;
    let good = fixture("hello-app/a-1.pprof");
    let limits = Limits::default;
    for (body, limits, outcome, says) in [
        (fixture("hello-app/a-heap.pprof"), limits(), Outcome::Unusable, "heap"),
        (fixture("hello-app/a-goroutine.pprof"), limits(), Outcome::Unusable, "goroutine"),
        (fixture("legacy-gobench.cpu"), limits(), Outcome::Unusable, "old binary format"),
        (good.slice(..good.len() / 2), limits(), Outcome::Unusable, "gzip"),
        (Bytes::from_static(b"<html>hello</html>"), limits(), Outcome::Unusable, ""),
        (Bytes::new(), limits(), Outcome::Unusable, "empty"),
        (bomb(), limits(), Outcome::TooLarge, "larger than 268435456 bytes when inflated"),
        (good.clone(), Limits { samples: 10, ..limits() }, Outcome::TooLarge, "10"),
        (good.clone(), Limits { body_bytes: 1000, ..limits() }, Outcome::TooLarge, "1000 bytes"),
    ] {
        let (ended, text) = ended(&server, &body, limits).await;
        assert_eq!(ended, outcome, "{text}");
        assert!(text.contains(says), "{text:?} does not say {says:?}");
    }
    assert!(server.uploads().is_empty());
}

/// A gzip file of 300 MiB of zeros.
fn bomb() -> Bytes {
    // Members may follow each other in one file, so one of 10 MiB is enough to make.
    let member = autopgo_pprof::gzip::deflate(&vec![0; 10 << 20]);
    member.repeat(30).into()
}

#[tokio::test]
async fn an_upload_is_tried_again_under_one_key() {
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    let server = FakeServer::start(&[unavailable, StatusCode::TOO_MANY_REQUESTS, unavailable]).await;
    let profile = fixture("hello-app/a-1.pprof");
    assert_eq!(ended(&server, &profile, Limits::default()).await.0, Outcome::Uploaded);
    let uploads = server.uploads();
    assert_eq!(uploads.len(), 4);
    let keys: HashSet<_> = uploads.iter().map(|upload| &upload.key).collect();
    assert!(keys.len() == 1 && !uploads[0].key.is_empty(), "{keys:?}");
    assert!(uploads.iter().all(|upload| upload.body == profile));
}

#[tokio::test]
async fn a_refused_upload_is_not_tried_again() {
    let server = FakeServer::start(&[StatusCode::BAD_REQUEST]).await;
    let (outcome, text) = ended(&server, fixture("hello-app/a-1.pprof"), Limits::default()).await;
    assert_eq!(outcome, Outcome::NotUploaded);
    assert!(text.contains("uploading the profile of app") && text.contains("planned"), "{text}");
    assert_eq!(server.uploads().len(), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_costs_a_bounded_time() {
    let server = FakeServer::start(&[]).await;
    let target = FakeTarget::serving(fixture("hello-app/a-1.pprof")).await;
    let patience = Patience { faults: Duration::ZERO, unreachable: Duration::ZERO };
    let client =
        Client::new("http://127.0.0.1:1", Options { patience, ..Options::default() }).expect("a URL");
    let sampler = Sampler { client, ..sampler(&server, Limits::default()) };
    let stop = CancellationToken::new();
    let failure =
        sampler.scrape(&target.target("app"), &stop, &mut Facts::default()).await.expect_err("no server");
    assert_eq!(failure.outcome, Outcome::NotUploaded);
    assert!(failure.error.what().contains("127.0.0.1:1"), "{}", failure.error);
}

#[tokio::test]
async fn stopping_gives_up_the_fetch_and_still_uploads_what_was_fetched() {
    let server = FakeServer::start(&[]).await;
    let stop = CancellationToken::new();
    let hanging = FakeTarget::hanging().await;
    let sampler = Arc::new(sampler(&server, Limits::default()));
    let scrape = async |target: Arc<Target>| {
        sampler.scrape(&target, &stop, &mut Facts::default()).await.expect("no failure")
    };
    let cancel = async {
        until(|| (!hanging.requests().is_empty()).then_some(())).await;
        stop.cancel();
    };
    let scraped = timeout(PATIENCE, async { tokio::join!(scrape(hanging.target("app")), cancel) });
    assert_eq!(scraped.await.expect("in time").0, Outcome::Stopped);

    // Here the stop comes while the profile is being checked: it is fetched, and so it is uploaded.
    let stop = CancellationToken::new();
    let (sampler, target) = (self::sampler(&server, Limits::default()), FakeTarget::serving(profile()).await);
    let sampler = Sampler { cpu: Box::new(Stopping(stop.clone())), ..sampler };
    let ended = sampler.scrape(&target.target("app"), &stop, &mut Facts::default()).await;
    assert_eq!(ended.expect("good"), Outcome::Uploaded);
    assert_eq!(server.uploads().len(), 1);
}

/// Cancels before it computes.
struct Stopping(CancellationToken);

#[async_trait]
impl Cpu for Stopping {
    async fn run(&self, job: autopgo_core::port::cpu::Job) {
        self.0.cancel();
        job();
    }
}
