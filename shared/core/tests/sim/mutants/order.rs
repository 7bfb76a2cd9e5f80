//! Rules about what comes first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use autopgo_core::app::App;
use autopgo_core::error::{Error, Result};
use autopgo_core::event::{Envelope, Event};
use autopgo_core::key::{Id, Key, Place};
use autopgo_core::port::blobs::{Blobs, Entry, Object, Stat, Version, When};
use autopgo_core::port::bus::Topic;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::bytes::content;
use super::{Twist, base, incoming, staged};

pub(super) struct MergedBeforeWrite(pub(super) Arc<dyn Topic>);

#[async_trait]
impl Twist for MergedBeforeWrite {
    async fn write(&self, inner: &dyn Blobs, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        if let Some(Key { app, .. }) = base(key)
            && !content(&bytes).counts.is_empty()
        {
            for id in content(&bytes).decided {
                let event = Event::Merged { app: app.clone(), id };
                let envelope = Envelope { id: "early".to_owned(), timestamp: Timestamp::UNIX_EPOCH, event };
                self.0.publish(envelope.message()).await?;
            }
        }
        inner.write(key, bytes, when).await
    }
}

pub(super) struct RemoveThenCopy;

#[async_trait]
impl Twist for RemoveThenCopy {
    async fn copy(&self, inner: &dyn Blobs, from: &str, to: &str) -> Result<bool> {
        let Some(object) = inner.read(from, u64::MAX).await? else { return Ok(false) };
        inner.delete(from).await?;
        inner.write(to, object.bytes, When::Always).await?;
        Ok(true)
    }
}

/// What was staged, as it was when the base was about to be read.
#[derive(Default)]
pub(super) struct StagedBeforeBase(Mutex<BTreeMap<String, Object>>);

#[async_trait]
impl Twist for StagedBeforeBase {
    async fn read(&self, inner: &dyn Blobs, key: &str, limit: u64) -> Result<Option<Object>> {
        if let Some(Key { app, .. }) = base(key) {
            let mut seen = BTreeMap::new();
            for key in staged_keys(inner, &app).await? {
                if let Some(object) = inner.read(&key, limit).await? {
                    seen.insert(key, object);
                }
            }
            *self.0.lock().expect("nobody panics with it") = seen;
        } else if staged(key).is_some() {
            return Ok(self.0.lock().expect("nobody panics with it").get(key).cloned());
        }
        inner.read(key, limit).await
    }
}

/// Which keys were staged when the base was about to be read.
#[derive(Default)]
pub(super) struct ListBeforeBase(Mutex<BTreeSet<String>>);

#[async_trait]
impl Twist for ListBeforeBase {
    async fn read(&self, inner: &dyn Blobs, key: &str, limit: u64) -> Result<Option<Object>> {
        if let Some(Key { app, .. }) = base(key) {
            let seen = staged_keys(inner, &app).await?;
            *self.0.lock().expect("nobody panics with it") = seen;
        }
        inner.read(key, limit).await
    }

    async fn stat(&self, inner: &dyn Blobs, key: &str) -> Result<Option<Stat>> {
        if staged(key).is_none() {
            return inner.stat(key).await;
        }
        let there = self.0.lock().expect("nobody panics with it").contains(key);
        let stat = Stat { size: 1, version: Version::new("seen before"), modified: Timestamp::UNIX_EPOCH };
        Ok(there.then_some(stat))
    }
}

/// The staged objects that were read for the base that was read last.
#[derive(Default)]
pub(super) struct RejectBeforeWrite(Mutex<BTreeSet<Id>>);

#[async_trait]
impl Twist for RejectBeforeWrite {
    async fn read(&self, inner: &dyn Blobs, key: &str, limit: u64) -> Result<Option<Object>> {
        let object = inner.read(key, limit).await?;
        let mut seen = self.0.lock().expect("nobody panics with it");
        match Key::parse(key).map(|key| key.place) {
            Some(Place::Base) => seen.clear(),
            Some(Place::Staged(id)) if object.is_some() => {
                seen.insert(id);
            }
            _ => {}
        }
        drop(seen);
        Ok(object)
    }

    async fn write(&self, inner: &dyn Blobs, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        if let Some(Key { app, .. }) = base(key)
            && !content(&bytes).counts.is_empty()
        {
            let decided = content(&bytes).decided;
            let seen = self.0.lock().expect("nobody panics with it").clone();
            for id in seen.difference(&decided) {
                let (from, to) = (Key::staged(&app, id).to_string(), Key::rejected(&app, id).to_string());
                inner.copy(&from, &to).await?;
                inner.delete(&from).await?;
            }
        }
        inner.write(key, bytes, when).await
    }
}

/// The base as it was when staging was about to be listed.
#[derive(Default)]
pub(super) struct DeletionReadsBaseFirst(Mutex<Option<Option<Object>>>);

impl DeletionReadsBaseFirst {
    fn forget(&self) {
        *self.0.lock().expect("nobody panics with it") = None;
    }
}

#[async_trait]
impl Twist for DeletionReadsBaseFirst {
    async fn read(&self, inner: &dyn Blobs, key: &str, limit: u64) -> Result<Option<Object>> {
        read_or_seen(&self.0, inner, key, limit).await
    }

    fn list<'a>(
        &'a self,
        inner: &'a dyn Blobs,
        prefix: &str,
        after: Option<&str>,
    ) -> BoxStream<'a, Result<Entry>> {
        // Whoever cannot list gives up on what it has read.
        let entries = inner.list(prefix, after).inspect_err(|_| self.forget()).boxed();
        let Some(app) = prefix.strip_suffix("/staging/").and_then(|app| App::parse(app).ok()) else {
            return entries;
        };
        let look = async move {
            let object = inner.read(&Key::base(&app).to_string(), u64::MAX).await?;
            *self.0.lock().expect("nobody panics with it") = Some(object);
            Ok::<_, Error>(entries)
        };
        stream::once(look).try_flatten().boxed()
    }
}

pub(super) struct RemovedBeforeStaged;

#[async_trait]
impl Twist for RemovedBeforeStaged {
    async fn read(&self, inner: &dyn Blobs, key: &str, limit: u64) -> Result<Option<Object>> {
        let object = inner.read(key, limit).await?;
        if incoming(key) && object.is_some() {
            inner.delete(key).await?;
        }
        Ok(object)
    }
}

/// The base as it was when a staged object was about to be looked up.
#[derive(Default)]
pub(super) struct LedgerBeforeStaged(Mutex<Option<Option<Object>>>);

#[async_trait]
impl Twist for LedgerBeforeStaged {
    async fn read(&self, inner: &dyn Blobs, key: &str, limit: u64) -> Result<Option<Object>> {
        read_or_seen(&self.0, inner, key, limit).await
    }

    async fn stat(&self, inner: &dyn Blobs, key: &str) -> Result<Option<Stat>> {
        let Some(Key { app, .. }) = staged(key) else { return inner.stat(key).await };
        let object = inner.read(&Key::base(&app).to_string(), u64::MAX).await?;
        let stat = inner.stat(key).await?;
        // Whoever finds it staged asks no further.
        *self.0.lock().expect("nobody panics with it") = stat.is_none().then_some(object);
        Ok(stat)
    }
}

/// Reads a base as it was `seen` before, once; everything else as it is.
async fn read_or_seen(
    seen: &Mutex<Option<Option<Object>>>,
    inner: &dyn Blobs,
    key: &str,
    limit: u64,
) -> Result<Option<Object>> {
    let seen = if base(key).is_some() { seen.lock().expect("nobody panics with it").take() } else { None };
    match seen {
        Some(object) => Ok(object),
        None => inner.read(key, limit).await,
    }
}

async fn staged_keys(inner: &dyn Blobs, app: &App) -> Result<BTreeSet<String>> {
    inner.list(&Key::staging_prefix(app), None).map_ok(|entry| entry.key).try_collect().await
}
