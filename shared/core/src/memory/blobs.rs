//! A blob store in memory: a sorted map and a counter of versions.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use jiff::Timestamp;

use crate::clock::Clock;
use crate::error::{Error, Kind, Result};
use crate::port::blobs::{Blobs, Entry, Object, Signed, Stat, Version, When};

/// How many entries a listing takes from the map at a time: it must not hold the lock while the reader works.
const PAGE: usize = 1000;

/// A blob store in memory. What is in it ends with the process.
pub struct MemoryBlobs {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Stored>,
    writes: u64,
}

#[derive(Clone)]
struct Stored {
    bytes: Bytes,
    write: u64,
    modified: Timestamp,
}

impl Stored {
    fn version(&self) -> Version {
        Version::new(self.write.to_string())
    }
}

impl MemoryBlobs {
    /// An empty one.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code below panics while it holds the lock, so what it guards is always whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        let Some(stored) = self.state().objects.get(key).cloned() else { return Ok(None) };
        if stored.bytes.len() as u64 > limit {
            return Err(Error::new(
                Kind::TooLarge,
                format!("it has {} bytes; at most {limit} are read", stored.bytes.len()),
            ));
        }
        Ok(Some(Object { version: stored.version(), modified: stored.modified, bytes: stored.bytes }))
    }

    async fn stat(&self, key: &str) -> Result<Option<Stat>> {
        Ok(self.state().objects.get(key).map(|stored| Stat {
            size: stored.bytes.len() as u64,
            version: stored.version(),
            modified: stored.modified,
        }))
    }

    async fn write(&self, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        let modified = self.clock.now();
        let mut state = self.state();
        let there = state.objects.get(key);
        let problem = match (&when, there) {
            (When::Absent, Some(_)) => Some("it is there already"),
            (When::Is(_), None) => Some("it is not there"),
            (When::Is(version), Some(stored)) if stored.version() != *version => {
                Some("it was written meanwhile")
            }
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(Error::new(Kind::Conflict, problem));
        }
        state.writes += 1;
        let stored = Stored { bytes, write: state.writes, modified };
        let version = stored.version();
        state.objects.insert(key.to_owned(), stored);
        Ok(version)
    }

    async fn copy(&self, from: &str, to: &str) -> Result<bool> {
        let Some(stored) = self.state().objects.get(from).cloned() else { return Ok(false) };
        if from == to {
            // As it is: written again, it could undo a write that came between.
            return Ok(true);
        }
        self.write(to, stored.bytes, When::Always).await?;
        Ok(true)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.state().objects.remove(key);
        Ok(())
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'_, Result<Entry>> {
        let prefix = prefix.to_owned();
        let first = match after {
            Some(after) if after >= prefix.as_str() => Bound::Excluded(after.to_owned()),
            _ => Bound::Included(prefix.clone()),
        };
        stream::unfold(Some((first, prefix)), move |at| async move {
            let (from, prefix) = at?;
            let page: Vec<Entry> = {
                let state = self.state();
                let range =
                    state.objects.range::<str, _>((from.as_ref().map(String::as_str), Bound::Unbounded));
                let entry = |(key, stored): (&String, &Stored)| Entry {
                    key: key.clone(),
                    size: stored.bytes.len() as u64,
                    modified: stored.modified,
                };
                range.take_while(|(key, _)| key.starts_with(&prefix)).take(PAGE).map(entry).collect()
            };
            let next = match page.last() {
                Some(last) if page.len() == PAGE => Some((Bound::Excluded(last.key.clone()), prefix)),
                _ => None,
            };
            Some((stream::iter(page.into_iter().map(Ok)), next))
        })
        .flatten()
        .boxed()
    }

    async fn sign_put(&self, _: &str, _: u64, _: Duration) -> Result<Option<Signed>> {
        Ok(None)
    }

    async fn sign_get(&self, _: &str, _: Duration) -> Result<Option<Signed>> {
        Ok(None)
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }
}
