//! `prefix=` and `key=`: a store inside a store, and a store of one object, over any other. The semantics are those of
//! gocloud.dev's `PrefixedBucket` and `SingleKeyBucket`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::blobs::{Blobs, Entry, Object, Signed, Stat, Version, When};
use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::stream::{self, BoxStream, StreamExt};

/// The objects of a store whose keys begin with a prefix, seen without it. No slash is added: a prefix that is meant as
/// a folder ends with one.
pub struct Prefixed {
    inner: Arc<dyn Blobs>,
    prefix: String,
}

impl Prefixed {
    /// What lies in `inner` under `prefix`.
    pub fn new(inner: Arc<dyn Blobs>, prefix: impl Into<String>) -> Self {
        Self { inner, prefix: prefix.into() }
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

#[async_trait]
impl Blobs for Prefixed {
    async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        self.inner.read(&self.key(key), limit).await
    }

    async fn stat(&self, key: &str) -> Result<Option<Stat>> {
        self.inner.stat(&self.key(key)).await
    }

    async fn write(&self, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        self.inner.write(&self.key(key), bytes, when).await
    }

    async fn copy(&self, from: &str, to: &str) -> Result<bool> {
        self.inner.copy(&self.key(from), &self.key(to)).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.inner.delete(&self.key(key)).await
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'_, Result<Entry>> {
        let after = after.map(|after| self.key(after));
        // The inner store lists only what begins with the prefix; one that does not would show keys cut wrongly.
        let strip = |entry: Entry| {
            let key = entry.key.strip_prefix(&self.prefix).map(str::to_owned);
            std::future::ready(Ok(key.map(|key| Entry { key, ..entry })))
        };
        self.inner.list(&self.key(prefix), after.as_deref()).try_filter_map(strip).boxed()
    }

    async fn sign_put(&self, key: &str, size: u64, lasts: Duration) -> Result<Option<Signed>> {
        self.inner.sign_put(&self.key(key), size, lasts).await
    }

    async fn sign_get(&self, key: &str, lasts: Duration) -> Result<Option<Signed>> {
        self.inner.sign_get(&self.key(key), lasts).await
    }

    async fn check(&self) -> Result<()> {
        self.inner.check().await
    }
}

/// One object, whatever key is asked for. It cannot be listed, so it is of no use for profiles; it is here because
/// every URL of gocloud.dev takes it.
pub struct SingleKey {
    inner: Arc<dyn Blobs>,
    key: String,
}

impl SingleKey {
    /// The object `key` of `inner`.
    pub fn new(inner: Arc<dyn Blobs>, key: impl Into<String>) -> Self {
        Self { inner, key: key.into() }
    }

    fn no_listing(&self) -> Error {
        Error::new(
            Kind::Invalid,
            format!(
                "a store opened with key={} is a single object and cannot be listed; use prefix= for a part of a store",
                self.key
            ),
        )
    }
}

#[async_trait]
impl Blobs for SingleKey {
    async fn read(&self, _: &str, limit: u64) -> Result<Option<Object>> {
        self.inner.read(&self.key, limit).await
    }

    async fn stat(&self, _: &str) -> Result<Option<Stat>> {
        self.inner.stat(&self.key).await
    }

    async fn write(&self, _: &str, bytes: Bytes, when: When) -> Result<Version> {
        self.inner.write(&self.key, bytes, when).await
    }

    /// The key stands for the source; the target is one of the whole store.
    async fn copy(&self, _: &str, to: &str) -> Result<bool> {
        self.inner.copy(&self.key, to).await
    }

    async fn delete(&self, _: &str) -> Result<()> {
        self.inner.delete(&self.key).await
    }

    fn list(&self, _: &str, _: Option<&str>) -> BoxStream<'_, Result<Entry>> {
        stream::once(async { Err(self.no_listing()) }).boxed()
    }

    /// Fails, as the original's does, which lists to find out: a server on such a store must not start.
    async fn sign_put(&self, _: &str, size: u64, lasts: Duration) -> Result<Option<Signed>> {
        self.inner.sign_put(&self.key, size, lasts).await
    }

    async fn sign_get(&self, _: &str, lasts: Duration) -> Result<Option<Signed>> {
        self.inner.sign_get(&self.key, lasts).await
    }

    async fn check(&self) -> Result<()> {
        Err(self.no_listing())
    }
}

#[cfg(test)]
mod tests {
    use autopgo_core::clock::System;
    use autopgo_core::memory::blobs::MemoryBlobs;

    use super::*;

    async fn keys(store: &dyn Blobs, prefix: &str, after: Option<&str>) -> Vec<String> {
        store.list(prefix, after).map_ok(|entry| entry.key).try_collect().await.expect("listed")
    }

    #[tokio::test]
    async fn a_prefix_is_put_before_and_taken_away() {
        let whole: Arc<dyn Blobs> = Arc::new(MemoryBlobs::new(Arc::new(System)));
        for key in ["x", "team/a", "team/b", "team/c/d", "teams", "tea"] {
            whole.write(key, key.to_owned().into(), When::Absent).await.expect("written");
        }
        let team = Prefixed::new(Arc::clone(&whole), "team/");
        assert_eq!(keys(&team, "", None).await, ["a", "b", "c/d"]);
        assert_eq!(keys(&team, "", Some("a")).await, ["b", "c/d"]);
        assert_eq!(keys(&team, "c/", Some("a")).await, ["c/d"]);
        // No slash is added.
        assert_eq!(
            keys(&Prefixed::new(Arc::clone(&whole), "team"), "", None).await,
            ["/a", "/b", "/c/d", "s"]
        );

        assert!(team.copy("a", "e").await.expect("copied"));
        assert_eq!(whole.read("team/e", 100).await.expect("read").expect("there").bytes, "team/a");
        team.delete("b").await.expect("deleted");
        assert!(whole.stat("team/b").await.expect("looked").is_none());
        assert!(whole.stat("x").await.expect("looked").is_some());
    }

    #[tokio::test]
    async fn a_single_key_is_all_there_is_and_says_so() {
        let whole: Arc<dyn Blobs> = Arc::new(MemoryBlobs::new(Arc::new(System)));
        let one = SingleKey::new(Arc::clone(&whole), "k");
        one.write("anything", "v".into(), When::Absent).await.expect("written");
        assert_eq!(one.read("else", 9).await.expect("read").expect("there").bytes, "v");
        assert!(one.copy("ignored", "copy").await.expect("copied"));
        assert_eq!(keys(&*whole, "", None).await, ["copy", "k"]);
        assert!(one.list("", None).try_next().await.is_err());
        let error = one.check().await.expect_err("no whole store");
        assert!(error.kind() == Kind::Invalid && error.what().contains("prefix="), "{error}");
        one.delete("x").await.expect("deleted");
        assert_eq!(keys(&*whole, "", None).await, ["copy"]);
    }
}
