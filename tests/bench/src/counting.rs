//! A store in memory that counts what it is asked, as a cloud would bill it: a listing is a call for each page.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::error::Result;
use autopgo_core::memory::blobs::MemoryBlobs;
use autopgo_core::port::blobs::{Blobs, Entry, Object, Signed, Stat, Version, When};
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};

/// How many keys a page has: on S3, Google Cloud Storage and Azure 1,000 (Azure allows 5,000).
const PAGE: usize = 1000;

/// What was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) reads: u64,
    pub(crate) stats: u64,
    pub(crate) writes: u64,
    pub(crate) copies: u64,
    pub(crate) deletes: u64,
    /// Pages of listings.
    pub(crate) lists: u64,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_written: u64,
}

impl Counts {
    pub(crate) fn calls(&self) -> u64 {
        self.reads + self.stats + self.writes + self.copies + self.deletes + self.lists
    }
}

/// A store that counts.
pub(crate) struct Counting {
    inner: MemoryBlobs,
    counts: Mutex<Counts>,
}

impl Counting {
    pub(crate) fn over(inner: MemoryBlobs) -> Self {
        Self { inner, counts: Mutex::default() }
    }

    /// What was asked since this was called last.
    pub(crate) fn take(&self) -> Counts {
        std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn count(&self, add: impl FnOnce(&mut Counts)) {
        add(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[async_trait]
impl Blobs for Counting {
    async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        let read = self.inner.read(key, limit).await?;
        let size = read.as_ref().map_or(0, |object| object.bytes.len() as u64);
        self.count(|counts| {
            counts.reads += 1;
            counts.bytes_read += size;
        });
        Ok(read)
    }

    async fn stat(&self, key: &str) -> Result<Option<Stat>> {
        self.count(|counts| counts.stats += 1);
        self.inner.stat(key).await
    }

    async fn write(&self, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        self.count(|counts| {
            counts.writes += 1;
            counts.bytes_written += bytes.len() as u64;
        });
        self.inner.write(key, bytes, when).await
    }

    async fn copy(&self, from: &str, to: &str) -> Result<bool> {
        self.count(|counts| counts.copies += 1);
        self.inner.copy(from, to).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.count(|counts| counts.deletes += 1);
        self.inner.delete(key).await
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'_, Result<Entry>> {
        self.count(|counts| counts.lists += 1);
        let entries = self.inner.list(prefix, after).enumerate();
        let counted = entries.map(|(number, entry)| {
            if number > 0 && number % PAGE == 0 {
                self.count(|counts| counts.lists += 1);
            }
            entry
        });
        counted.boxed()
    }

    /// Signing is done here, without asking the store: no call.
    async fn sign_put(&self, key: &str, size: u64, lasts: Duration) -> Result<Option<Signed>> {
        Ok(Some(Signed {
            url: format!("memory:{key}?{size}"),
            headers: Vec::new(),
            expires: jiff::Timestamp::now().saturating_add(lasts).unwrap_or(jiff::Timestamp::MAX),
        }))
    }

    async fn sign_get(&self, _: &str, _: Duration) -> Result<Option<Signed>> {
        Ok(None)
    }

    async fn check(&self) -> Result<()> {
        self.inner.check().await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use autopgo_core::clock::System;

    use super::*;

    #[tokio::test]
    async fn a_listing_is_a_call_a_page() {
        for (objects, pages) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (2500, 3)] {
            let store = Counting::over(MemoryBlobs::new(Arc::new(System)));
            for number in 0..objects {
                store.write(&format!("{number:04}"), Bytes::new(), When::Absent).await.unwrap();
            }
            assert_eq!(store.take().calls(), objects);
            assert_eq!(store.list("", None).count().await as u64, objects);
            assert_eq!(store.take(), Counts { lists: pages, ..Counts::default() }, "{objects}");
        }
    }
}
