//! The load: small profiles, at a steady rate, to the applications in turn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use autopgo_e2e::profile;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// What the functions are called that are counted in the end.
pub(super) const PREFIX: &str = "soak.";
/// How many different profiles are sent.
const KINDS: usize = 100;
/// Calls that every profile has, as those of one program do.
const SHARED: usize = 200;
/// How many uploads may be under way: a server that does not keep up gets no more.
const AT_ONCE: usize = 32;

pub(super) struct Load {
    server: String,
    apps: Vec<String>,
    rate: usize,
    bodies: Vec<(String, Bytes)>,
}

/// What was answered.
#[derive(Default)]
pub(super) struct Sent {
    /// For each application, how often each name was.
    pub(super) by_app: BTreeMap<String, BTreeMap<String, i64>>,
    /// How many were not.
    pub(super) failed: usize,
}

impl Sent {
    pub(super) fn answered(&self) -> usize {
        let counts = self.by_app.values().flat_map(BTreeMap::values);
        counts.map(|count| usize::try_from(*count).unwrap_or(0)).sum()
    }
}

impl Load {
    pub(super) fn new(server: &str, apps: usize, rate: usize) -> Self {
        let shared: Vec<String> =
            (0..SHARED).map(|number| format!("example.com/shop/cart.F{number:03}")).collect();
        let bodies = (0..KINDS).map(|kind| {
            let name = format!("{PREFIX}F{kind:02}");
            let mut calls: Vec<(&str, &str, u64)> =
                shared.iter().map(|callee| ("main.main", callee.as_str(), 1 + kind as u64)).collect();
            calls.push(("main.main", &name, 1));
            let body = profile::cpu(&calls).into();
            (name, body)
        });
        let bodies = bodies.collect();
        let apps = (0..apps).map(|number| format!("app-{number:02}")).collect();
        Self { server: server.to_owned(), apps, rate, bodies }
    }

    pub(super) fn apps(&self) -> &[String] {
        &self.apps
    }

    /// Sends until `stop`, and waits for the last answers.
    pub(super) async fn send(&self, stop: Instant) -> Sent {
        let client = reqwest::Client::new();
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let mut sent = Sent::default();
        let mut under_way = JoinSet::new();
        let mut ticks =
            tokio::time::interval(Duration::from_secs(1) / u32::try_from(self.rate).unwrap_or(u32::MAX));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for number in 0.. {
            ticks.tick().await;
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { break };
            if Instant::now() >= stop {
                break;
            }
            let app = self.apps[number % self.apps.len()].clone();
            // Every application gets every profile.
            let (name, body) = self.bodies[number / self.apps.len() % self.bodies.len()].clone();
            let request = client.post(format!("{}/api/profile/{app}", self.server)).body(body);
            under_way.spawn(async move {
                let answered = request.send().await.is_ok_and(|answer| answer.status() == 201);
                drop(permit);
                answered.then_some((app, name))
            });
            while let Some(done) = under_way.try_join_next() {
                sent.count(done.ok().flatten());
            }
        }
        while let Some(done) = under_way.join_next().await {
            sent.count(done.ok().flatten());
        }
        sent
    }
}

impl Sent {
    fn count(&mut self, answered: Option<(String, String)>) {
        match answered {
            Some((app, name)) => {
                *self.by_app.entry(app).or_default().entry(name).or_default() += 1;
                ANSWERED.fetch_add(1, Ordering::Relaxed);
            }
            None => self.failed += 1,
        }
    }
}

/// How many were answered so far, for whoever watches.
pub(super) static ANSWERED: AtomicUsize = AtomicUsize::new(0);
