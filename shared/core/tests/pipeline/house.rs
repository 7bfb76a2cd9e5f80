//! One process with both verbs, over ports in memory that can be told to fail.

pub(crate) mod bus;
pub(crate) mod clock;
pub(crate) mod profile;
pub(crate) mod store;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::api::Form;
use autopgo_core::app::App;
use autopgo_core::clock::Clock;
use autopgo_core::error::Kind;
use autopgo_core::event::{Envelope, Event};
use autopgo_core::host::Host;
use autopgo_core::key::{Id, Key, Place};
use autopgo_core::ledger::Ledger;
use autopgo_core::limits::Limits;
use autopgo_core::port::blobs::Blobs;
use autopgo_core::port::bus::{Delivery, Subscription};
use autopgo_core::port::cpu::{Cpu, Job, Spare, Threads};
use autopgo_core::server::{Downloaded, Server};
use autopgo_core::worker::{Options, Outcome, Swept, Worker};
use autopgo_pprof::Profile;
use bytes::Bytes;
use futures_util::{FutureExt, TryStreamExt};

use bus::Moody;
use clock::Hands;
use store::Scripted;

/// One process: both verbs over the same memory.
pub(crate) struct House {
    pub(crate) clock: Arc<Hands>,
    pub(crate) blobs: Arc<Scripted>,
    pub(crate) bus: Arc<Moody>,
    pub(crate) cpu: Arc<Counting>,
    pub(crate) host: Host,
    pub(crate) server: Server,
    pub(crate) worker: Worker,
}

/// Computes at once, with three cores to spare, and counts how often.
pub(crate) struct Counting {
    jobs: AtomicUsize,
    cores: Threads,
}

impl Default for Counting {
    fn default() -> Self {
        Self { jobs: AtomicUsize::default(), cores: Threads::new(3) }
    }
}

impl Counting {
    pub(crate) fn jobs(&self) -> usize {
        self.jobs.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Cpu for Counting {
    async fn run(&self, job: Job) {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        job();
    }

    fn spare(&self, most: usize) -> Spare {
        self.cores.spare(most)
    }
}

impl House {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default(), Options::default())
    }

    pub(crate) fn limited(limits: Limits) -> Self {
        Self::with(limits, Options::default())
    }

    pub(crate) fn with(limits: Limits, options: Options) -> Self {
        let clock = Arc::new(Hands::new());
        let blobs = Arc::new(Scripted::new(clock.clone()));
        let bus = Arc::new(Moody::new(clock.clone()));
        Self::over(clock, blobs, bus, limits, options)
    }

    /// Another process over the same store and bus: it remembers nothing, and may have other limits.
    pub(crate) fn restarted(&self, limits: Limits) -> Self {
        Self::over(self.clock.clone(), self.blobs.clone(), self.bus.clone(), limits, Options::default())
    }

    fn over(
        clock: Arc<Hands>,
        blobs: Arc<Scripted>,
        bus: Arc<Moody>,
        limits: Limits,
        options: Options,
    ) -> Self {
        let cpu = Arc::new(Counting::default());
        let host = Host::new(blobs.clone(), bus.clone(), clock.clone(), cpu.clone(), limits);
        let (server, worker) = (Server::new(host.clone()), Worker::new(host.clone(), options));
        Self { clock, blobs, bus, cpu, host, server, worker }
    }

    /// Uploads `body` and gives the id under which it is staged.
    pub(crate) async fn upload(&self, app: &App, body: Bytes) -> Id {
        let key = self.server.upload(app, body, None).await.expect("staged");
        let Place::Staged(id) = key.place else { panic!("{key} is not staged") };
        id
    }

    /// Uploads `count` tiny profiles, and gives their ids in the order of their time.
    pub(crate) async fn upload_many(&self, app: &App, count: usize) -> Vec<Id> {
        let mut ids = Vec::with_capacity(count);
        for _ in 0..count {
            self.clock.turn(Duration::from_millis(1));
            ids.push(self.upload(app, profile::calls(&["main.work"])).await);
        }
        ids
    }

    /// Receives all that is there to be received now.
    pub(crate) async fn receive(&self) -> Vec<Delivery> {
        self.bus.receive(100).now_or_never().map(|batch| batch.expect("received")).unwrap_or_default()
    }

    /// Handles messages until none is left.
    pub(crate) async fn settle(&self) {
        loop {
            let batch = self.receive().await;
            if batch.is_empty() {
                return;
            }
            let bodies: Vec<Bytes> = batch.iter().map(|delivery| delivery.body.clone()).collect();
            for (delivery, outcome) in batch.iter().zip(self.worker.handle(&bodies).await) {
                assert!(outcome.is_done(), "{outcome:?}");
                self.bus.ack(delivery).await.expect("acked");
            }
        }
    }

    /// Handles the events of these uploads as one batch.
    pub(crate) async fn handle_uploads(&self, app: &App, ids: &[Id]) -> Vec<Outcome> {
        let event = |id: &Id| Event::Uploaded { app: app.clone(), id: id.clone() };
        let bodies: Vec<Bytes> = ids.iter().map(|id| self.body(event(id))).collect();
        self.worker.handle(&bodies).await
    }

    /// The body of a fresh message.
    pub(crate) fn body(&self, event: Event) -> Bytes {
        Envelope::new(event, &*self.clock).message().body
    }

    /// A sweep of all that is staged, to its end.
    pub(crate) async fn sweep(&self) -> Swept {
        self.worker.sweep(Duration::ZERO, &|| false).await.expect("swept")
    }

    pub(crate) async fn keys(&self) -> Vec<String> {
        let entries: Vec<_> = self.blobs.list("", None).try_collect().await.expect("listed");
        entries.into_iter().map(|entry| entry.key).collect()
    }

    pub(crate) async fn staged(&self, app: &App) -> Vec<Id> {
        self.host.store.staged_ids(app).await.expect("listed").into_iter().collect()
    }

    pub(crate) async fn rejected(&self, app: &App) -> Vec<Id> {
        self.host.store.rejected_ids(app).await.expect("listed").into_iter().collect()
    }

    pub(crate) async fn base(&self, app: &App) -> (Profile, Ledger) {
        let object = self.host.store.base_up_to(app, u64::MAX).await.expect("read").expect("a base");
        let mut profile = Profile::parse(&object.bytes, &Limits::default().base()).expect("a profile");
        let ledger = Ledger::take(&mut profile).expect("a ledger");
        (profile, ledger)
    }

    /// How many samples are in the base, each counted as often as it was uploaded: of tiny profiles with one function,
    /// how many were merged.
    pub(crate) async fn weight(&self, app: &App) -> i128 {
        self.base(app).await.0.totals()[0]
    }

    pub(crate) async fn download(&self, app: &App, form: Form) -> Result<(Profile, String), Kind> {
        match self.server.download(app, form, &|_| false).await {
            Ok(Downloaded::Profile(download)) => {
                let profile = Profile::parse(&download.bytes, &Limits::default().base()).expect("a profile");
                Ok((profile, download.etag))
            }
            Ok(Downloaded::Unchanged { .. } | Downloaded::Elsewhere(_)) => panic!("nothing was known"),
            Err(error) => Err(error.kind()),
        }
    }

    /// Puts bytes into staging as a Go server does: unchecked, under an id that is a time alone.
    pub(crate) fn stage_as_go(&self, app: &App, bytes: impl Into<Bytes>) -> Id {
        self.clock.turn(Duration::from_millis(1));
        let id = Id::parse(&format!("{:019}", self.clock.now().as_nanosecond())).expect("an id");
        self.blobs.put(&Key::staged(app, &id).to_string(), bytes);
        id
    }

    /// A fresh idempotency key.
    pub(crate) fn idempotency_key(&self) -> String {
        let millis = u64::try_from(self.clock.now().as_millisecond()).expect("after 1970");
        let chance = self.clock.uuid();
        let chance = chance.as_bytes().first_chunk().expect("ten of sixteen");
        uuid::Builder::from_unix_timestamp_millis(millis, chance).into_uuid().to_string()
    }
}

pub(crate) fn app(name: &str) -> App {
    App::parse(name).expect("a good name")
}

/// Which of these messages are handed back.
pub(crate) fn handed_back(outcomes: &[Outcome]) -> Vec<usize> {
    (0..outcomes.len()).filter(|at| !outcomes[*at].is_done()).collect()
}
