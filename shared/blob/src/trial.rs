//! A store that is tried while it is read already: what starts for the sake of one message need not wait for one after the
//! other.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::blobs::{Blobs, Entry, Object, Signed, Stat, Version, When};
use bytes::Bytes;
use futures_util::future::join;
use futures_util::stream::BoxStream;
use tokio::sync::{OnceCell, oneshot};
use tokio::task::JoinHandle;

use crate::probe::{honours_conditions, remove, tried};

/// A store in which nothing is changed before it was found to honour conditional writes.
pub struct OnTrial {
    inner: Arc<dyn Blobs>,
    name: String,
    /// What comes of the trial that began with this, until somebody waits for it.
    first: Mutex<Option<oneshot::Receiver<Result<()>>>>,
    /// That trial, which ends when nothing is left of it in the store.
    cleaning: Mutex<Option<JoinHandle<()>>>,
    passed: OnceCell<()>,
}

impl OnTrial {
    /// `inner`, whose trial begins now, on the runtime of the caller. Errors call it `name`.
    pub fn begin(inner: Arc<dyn Blobs>, name: String) -> Self {
        let (store, called) = (Arc::clone(&inner), name.clone());
        let (tell, first) = oneshot::channel();
        let cleaning = tokio::spawn(async move {
            let (outcome, strays) = tried(&called, &*store).await;
            // Nobody waits for it yet, or any more.
            let _ = tell.send(outcome);
            remove(&*store, &strays).await;
        });
        let (first, cleaning) = (Mutex::new(Some(first)), Mutex::new(Some(cleaning)));
        Self { inner, name, first, cleaning, passed: OnceCell::new() }
    }

    /// Waits until the store has passed. One that could not be asked, or did not pass, is tried again by whoever comes next.
    async fn passed(&self) -> Result<()> {
        let outcome = async || {
            let first = taken(&self.first);
            match first {
                Some(first) => first.await.unwrap_or_else(|error| {
                    Err(Error::new(Kind::Internal, "the trial of its conditional writes ended early")
                        .because(error))
                }),
                None => honours_conditions(&self.name, &*self.inner).await,
            }
        };
        let passed = self.passed.get_or_try_init(outcome).await;
        passed.map(|&()| ()).map_err(|error| error.during("the blob store"))
    }

    /// Waits until nothing is left of the first trial: a function may be stopped as soon as it has answered.
    async fn clean(&self) {
        if let Some(cleaning) = taken(&self.cleaning) {
            // What it could not remove it has said.
            let _ = cleaning.await;
        }
    }
}

fn taken<T>(it: &Mutex<Option<T>>) -> Option<T> {
    // Nothing panics while it holds the lock.
    it.lock().unwrap_or_else(PoisonError::into_inner).take()
}

#[async_trait]
impl Blobs for OnTrial {
    async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        self.inner.read(key, limit).await
    }

    async fn stat(&self, key: &str) -> Result<Option<Stat>> {
        self.inner.stat(key).await
    }

    async fn write(&self, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        self.passed().await?;
        join(self.inner.write(key, bytes, when), self.clean()).await.0
    }

    async fn copy(&self, from: &str, to: &str) -> Result<bool> {
        self.passed().await?;
        self.inner.copy(from, to).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.passed().await?;
        join(self.inner.delete(key), self.clean()).await.0
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'_, Result<Entry>> {
        self.inner.list(prefix, after)
    }

    async fn sign_put(&self, key: &str, size: u64, lasts: Duration) -> Result<Option<Signed>> {
        self.inner.sign_put(key, size, lasts).await
    }

    async fn sign_get(&self, key: &str, lasts: Duration) -> Result<Option<Signed>> {
        self.inner.sign_get(key, lasts).await
    }

    async fn check(&self) -> Result<()> {
        self.inner.check().await
    }
}

#[cfg(test)]
mod tests {
    use autopgo_core::clock::System;
    use autopgo_core::memory::blobs::MemoryBlobs;
    use futures_util::TryStreamExt;

    use super::*;
    use crate::prefix::SingleKey;

    fn on_trial(store: &Arc<dyn Blobs>) -> OnTrial {
        OnTrial::begin(Arc::clone(store), "mem://store".to_owned())
    }

    #[tokio::test]
    async fn what_passes_is_written_to_and_tried_once() {
        let store: Arc<dyn Blobs> = Arc::new(MemoryBlobs::new(Arc::new(System)));
        let tried = on_trial(&store);
        assert!(tried.read("k", 10).await.expect("read at once").is_none());
        for text in ["1", "2"] {
            tried.write("k", text.into(), When::Always).await.expect("written");
            let left: Vec<Entry> = store.list("", None).try_collect().await.expect("listed");
            assert_eq!(left.len(), 1, "nothing is left of the trial: {left:?}");
        }
        assert_eq!(tried.read("k", 10).await.expect("read").expect("there").bytes, "2");
        assert!(tried.copy("k", "l").await.expect("copied"));
        tried.delete("k").await.expect("deleted");
        assert!(store.stat("k").await.expect("looked").is_none());
        assert!(tried.passed.initialized() && tried.first.lock().expect("no panic").is_none());
    }

    #[tokio::test]
    async fn what_does_not_pass_is_left_as_it_is_and_tried_again() {
        // It cannot be tried, and no condition is asked for here.
        let store: Arc<dyn Blobs> = Arc::new(MemoryBlobs::new(Arc::new(System)));
        store.write("k", "1".into(), When::Absent).await.expect("written");
        let one: Arc<dyn Blobs> = Arc::new(SingleKey::new(Arc::clone(&store), "k"));
        let tried = on_trial(&one);
        for _ in 0..2 {
            let error = tried.write("k", "2".into(), When::Always).await.expect_err("not tried");
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.chain().starts_with("the blob store: "), "{}", error.chain());
            tried.copy("k", "l").await.expect_err("not tried");
            tried.delete("k").await.expect_err("not tried");
        }
        assert_eq!(tried.read("k", 10).await.expect("read").expect("there").bytes, "1");
        assert!(!tried.passed.initialized());
    }
}
