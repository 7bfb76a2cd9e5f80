//! A bucket with every fault that a real one has: linearizable for one key, listed page by page, and unreliable in its
//! answers. What lands in it is shown to the [`History`] at the moment it lands.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::key::{Key, Place};
use autopgo_core::port::blobs::{Blobs, Entry, Object, Signed, Stat, Version, When};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use jiff::Timestamp;

use super::clock::time;
use super::executor::{Process, Sim};
use super::history::History;
use super::plan::{Faults, Plan, Versions};

/// How long a write can be under way: what the grace time of the ledger allows.
const UNDER_WAY: Duration = Duration::from_secs(20 * 60);
/// Where late writes are: they outlive whoever sent them.
const AIR: Process = Process("air", 0);

/// What is in the store, and how it fails.
pub(crate) struct Bucket {
    sim: Arc<Sim>,
    history: Arc<History>,
    versions: Versions,
    page: usize,
    faults: Faults,
    quiet: AtomicBool,
    objects: Mutex<Objects>,
}

#[derive(Default)]
struct Objects {
    by_key: BTreeMap<String, Stored>,
    writes: u64,
}

#[derive(Clone)]
struct Stored {
    bytes: Bytes,
    version: Version,
    modified: Timestamp,
}

impl Bucket {
    pub(crate) fn new(sim: Arc<Sim>, history: Arc<History>, plan: &Plan) -> Arc<Self> {
        Arc::new(Self {
            sim,
            history,
            versions: plan.versions,
            page: plan.page,
            faults: plan.faults,
            quiet: AtomicBool::new(false),
            objects: Mutex::default(),
        })
    }

    /// From now on nothing fails.
    pub(crate) fn be_quiet(&self) {
        self.quiet.store(true, Ordering::Relaxed);
    }

    /// Every key.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.objects().by_key.keys().cloned().collect()
    }

    /// The content of `key`, without a fault.
    pub(crate) fn bytes(&self, key: &str) -> Option<Bytes> {
        self.objects().by_key.get(key).map(|stored| stored.bytes.clone())
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().expect("no code panics while it holds the lock")
    }

    fn fails(&self, per_mille: u64, what: &'static str) -> bool {
        let fails = !self.quiet.load(Ordering::Relaxed) && self.sim.happens(per_mille);
        if fails {
            self.sim.count(what);
        }
        fails
    }

    /// Writes if the condition holds.
    fn land(&self, who: Process, key: &str, bytes: &Bytes, when: &When) -> Result<Version> {
        let mut objects = self.objects();
        let current = objects.by_key.get(key).map(|stored| &stored.version);
        let holds = match when {
            When::Always => true,
            When::Absent => current.is_none(),
            When::Is(version) => current == Some(version),
        };
        if !holds {
            self.sim.note(who, || format!("write {key} {}: refused", condition(when)));
            return Err(Error::new(Kind::Conflict, format!("writing {key}: it has changed")));
        }
        objects.writes += 1;
        let version = match self.versions {
            Versions::PerWrite => format!("w{}", objects.writes),
            Versions::OfContent => {
                let mut hasher = DefaultHasher::new();
                bytes.hash(&mut hasher);
                format!("h{:016x}", hasher.finish())
            }
        };
        let version = Version::new(version);
        let stored =
            Stored { bytes: bytes.clone(), version: version.clone(), modified: time(self.sim.now()) };
        objects.by_key.insert(key.to_owned(), stored);
        drop(objects);
        let told = self.history.landed(key, bytes);
        self.sim.note(who, || format!("write {key} {} -> {}{told}", condition(when), version.as_str()));
        Ok(version)
    }

    /// Sends a write that lands at some time of the next 20 minutes, or never.
    fn send_late(self: &Arc<Self>, key: &str, bytes: Bytes, when: When) {
        let bucket = Arc::clone(self);
        let key = key.to_owned();
        // Either soon, between the next steps, or anywhere in the time that there is.
        let (soon, never) = self.sim.chance(|chance| (chance.happens(500), chance.happens(100)));
        let most = if soon { Duration::from_micros(100) } else { UNDER_WAY };
        let pause = self.sim.chance(|chance| chance.below(u64::try_from(most.as_nanos()).expect("minutes")));
        let fence = self.sim.fence(UNDER_WAY);
        self.sim.spawn(AIR, async move {
            let _fence = fence;
            bucket.sim.sleep(Duration::from_nanos(pause)).await;
            if !never && bucket.land(AIR, &key, &bytes, &when).is_ok() {
                bucket.sim.count("a late write landed");
            }
        });
    }

    fn remove(&self, who: Process, key: &str) {
        let removed = self.objects().by_key.remove(key).is_some();
        if removed {
            self.history.removed(key);
        }
        self.sim.note(who, || format!("remove {key}{}", if removed { "" } else { ": gone already" }));
    }
}

/// The bucket as one process sees it.
pub(crate) struct SimBlobs {
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) process: Process,
}

impl SimBlobs {
    fn note(&self, what: impl FnOnce() -> String) {
        self.bucket.sim.note(self.process, what);
    }

    /// What every call that only reads goes through.
    async fn reading(&self, what: &str, key: &str) -> Result<()> {
        self.bucket.sim.pause().await;
        if self.bucket.fails(self.bucket.faults.read, "a read failed") {
            self.note(|| format!("{what} {key}: failed"));
            self.bucket.sim.pause().await;
            return Err(unavailable(key));
        }
        Ok(())
    }

    /// What every call that changes something goes through: `act` is done or not, and told or not.
    async fn changing<T>(&self, key: &str, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let Faults { not_done, answer_lost, .. } = self.bucket.faults;
        if self.bucket.fails(not_done, "a change was not done") {
            self.note(|| format!("change of {key}: failed, not done"));
            self.bucket.sim.pause().await;
            return Err(unavailable(key));
        }
        let done = act();
        let lost = self.bucket.fails(answer_lost, "an answer was lost");
        if lost {
            self.note(|| format!("change of {key}: its answer is lost"));
        }
        self.bucket.sim.pause().await;
        if lost { Err(unavailable(key)) } else { done }
    }
}

#[async_trait]
impl Blobs for SimBlobs {
    async fn read(&self, key: &str, _limit: u64) -> Result<Option<Object>> {
        self.reading("read", key).await?;
        let stored = self.bucket.objects().by_key.get(key).cloned();
        self.note(|| {
            format!("read {key} -> {}", stored.as_ref().map_or("none", |stored| stored.version.as_str()))
        });
        self.bucket.sim.pause().await;
        Ok(stored.map(|Stored { bytes, version, modified }| Object { bytes, version, modified }))
    }

    async fn stat(&self, key: &str) -> Result<Option<Stat>> {
        self.reading("stat", key).await?;
        let stored = self.bucket.objects().by_key.get(key).cloned();
        self.note(|| {
            format!("stat {key} -> {}", stored.as_ref().map_or("none", |stored| stored.version.as_str()))
        });
        self.bucket.sim.pause().await;
        Ok(stored.map(|Stored { bytes, version, modified }| Stat {
            size: bytes.len() as u64,
            version,
            modified,
        }))
    }

    async fn write(&self, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        let bucket = &self.bucket;
        let place = Key::parse(key).map(|key| key.place);
        if place == Some(Place::Base) {
            bucket.history.writing(key, &bytes);
        }
        bucket.sim.pause().await;
        if bucket.fails(bucket.faults.late, "a write went out late") {
            self.note(|| format!("write {key} {}: timed out, under way", condition(&when)));
            bucket.send_late(key, bytes, when);
            bucket.sim.pause().await;
            return Err(unavailable(key));
        }
        // Only for a base: "refused" for a staged object means that it is there already.
        if place == Some(Place::Base)
            && bucket.fails(bucket.faults.refused, "a write was refused for nothing")
        {
            self.note(|| format!("write {key} {}: refused for nothing", condition(&when)));
            bucket.sim.pause().await;
            return Err(Error::new(Kind::Conflict, format!("writing {key}: try again")));
        }
        let written = self.changing(key, || bucket.land(self.process, key, &bytes, &when)).await;
        if matches!(place, Some(Place::Staged(_)))
            && !matches!(&written, Err(error) if error.kind() == Kind::Conflict)
            && bucket.fails(bucket.faults.second_put, "a staged object was put twice")
        {
            bucket.send_late(key, bytes, When::Always);
        }
        match &written {
            Err(error) if error.kind() == Kind::Conflict => bucket.sim.count("a write lost its race"),
            _ => {}
        }
        written
    }

    async fn copy(&self, from: &str, to: &str) -> Result<bool> {
        self.bucket.sim.pause().await;
        let copy = || match self.bucket.bytes(from) {
            Some(bytes) => self.bucket.land(self.process, to, &bytes, &When::Always).map(|_| true),
            None => Ok(false),
        };
        self.changing(to, copy).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.bucket.sim.pause().await;
        self.changing(key, || {
            self.bucket.remove(self.process, key);
            Ok(())
        })
        .await
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'_, Result<Entry>> {
        let prefix = prefix.to_owned();
        let first = match after {
            Some(after) if after >= prefix.as_str() => Bound::Excluded(after.to_owned()),
            _ => Bound::Included(prefix.clone()),
        };
        let pages = stream::unfold(Some((first, prefix)), move |at| async move {
            let (from, prefix) = at?;
            if let Err(error) = self.reading("list", &prefix).await {
                return Some((vec![Err(error)], None));
            }
            let page: Vec<Entry> = {
                let objects = self.bucket.objects();
                let range =
                    objects.by_key.range::<str, _>((from.as_ref().map(String::as_str), Bound::Unbounded));
                let entry = |(key, stored): (&String, &Stored)| Entry {
                    key: key.clone(),
                    size: stored.bytes.len() as u64,
                    modified: stored.modified,
                };
                range
                    .take_while(|(key, _)| key.starts_with(&prefix))
                    .take(self.bucket.page)
                    .map(entry)
                    .collect()
            };
            self.note(|| {
                let keys: Vec<&str> = page.iter().map(|entry| &entry.key[prefix.len()..]).collect();
                format!("list {prefix:?} -> {}", keys.join(", "))
            });
            self.bucket.sim.pause().await;
            let next = match page.last() {
                Some(last) if page.len() == self.bucket.page => {
                    Some((Bound::Excluded(last.key.clone()), prefix))
                }
                _ => None,
            };
            Some((page.into_iter().map(Ok).collect(), next))
        });
        pages.map(stream::iter).flatten().boxed()
    }

    /// Whoever knows the key may write it here: what counts is when and how often that is done.
    async fn sign_put(&self, key: &str, _: u64, lasts: Duration) -> Result<Option<Signed>> {
        self.bucket.sim.pause().await;
        let expires = time(self.bucket.sim.now()) + lasts;
        Ok(Some(Signed { url: key.to_owned(), headers: Vec::new(), expires }))
    }

    async fn sign_get(&self, _: &str, _: Duration) -> Result<Option<Signed>> {
        Ok(None)
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }
}

fn unavailable(key: &str) -> Error {
    Error::new(Kind::Unavailable, format!("{key}: the store did not answer"))
}

fn condition(when: &When) -> String {
    match when {
        When::Always => "always".to_owned(),
        When::Absent => "if absent".to_owned(),
        When::Is(version) => format!("if {}", version.as_str()),
    }
}
