//! A store that is tried while it is read already: what starts for the sake of one message need not wait for one after the
//! other.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
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

/// A store in which nothing is changed before it was found to honour conditional writes. It is tried from the first read on:
/// whoever finds nothing to do has not written either.
pub struct OnTrial {
    inner: Arc<dyn Blobs>,
    name: String,
    /// The first trial, once it has begun.
    first: OnceLock<Trial>,
    /// What came of it: that it passed, or in words why it never will.
    outcome: OnceCell<std::result::Result<(), String>>,
}

struct Trial {
    /// What came of it, until somebody waits for that.
    outcome: Mutex<Option<oneshot::Receiver<Result<()>>>>,
    /// Its end, when nothing is left of it in the store.
    end: Mutex<Option<JoinHandle<()>>>,
}

impl OnTrial {
    /// `inner`, before its trial. Errors call it `name`.
    pub fn new(inner: Arc<dyn Blobs>, name: String) -> Self {
        Self { inner, name, first: OnceLock::new(), outcome: OnceCell::new() }
    }

    /// Begins the first trial, on the runtime of the caller, if nobody has.
    fn begin(&self) -> &Trial {
        self.first.get_or_init(|| {
            let (store, name) = (Arc::clone(&self.inner), self.name.clone());
            let (tell, outcome) = oneshot::channel();
            let end = tokio::spawn(async move {
                let (outcome, strays) = tried(&name, &*store).await;
                if let Err(error) = &outcome {
                    tracing::error!(
                        error = error.chain(),
                        "nothing is written to the blob store before it can be relied on"
                    );
                }
                // Nobody waits for it yet, or any more.
                let _ = tell.send(outcome);
                remove(&*store, &strays).await;
            });
            Trial { outcome: Mutex::new(Some(outcome)), end: Mutex::new(Some(end)) }
        })
    }

    /// Waits until the store has passed. One that could not be asked is tried again by whoever comes next.
    async fn passed(&self) -> Result<()> {
        let tried = async || {
            let outcome = match taken(&self.begin().outcome) {
                Some(first) => first.await.unwrap_or_else(|error| {
                    Err(Error::new(Kind::Internal, "the trial of its conditional writes ended early")
                        .because(error))
                }),
                None => honours_conditions(&self.name, &*self.inner).await,
            };
            match outcome {
                Ok(()) => Ok(Ok(())),
                Err(error) if error.kind() == Kind::Invalid => Ok(Err(error.chain())),
                Err(error) => Err(error),
            }
        };
        let outcome = self.outcome.get_or_try_init(tried).await;
        let outcome = match outcome {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(what)) => Error::new(Kind::Invalid, what.clone()),
            Err(error) => error,
        };
        self.clean().await;
        Err(outcome.during("the blob store"))
    }

    /// Waits until nothing is left of the first trial: a function may be stopped as soon as it has answered.
    async fn clean(&self) {
        if let Some(end) = self.first.get().and_then(|trial| taken(&trial.end)) {
            // What it could not remove it has said.
            let _ = end.await;
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
        self.begin();
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
        self.passed().await?;
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
    use std::sync::atomic::{AtomicBool, Ordering};

    use autopgo_core::clock::System;
    use autopgo_core::memory::blobs::MemoryBlobs;
    use futures_util::TryStreamExt;

    use super::*;
    use crate::prefix::SingleKey;
    use crate::probe::tests::Lax;

    fn on_trial(store: &Arc<dyn Blobs>) -> OnTrial {
        OnTrial::new(Arc::clone(store), "mem://store".to_owned())
    }

    #[tokio::test]
    async fn what_passes_is_written_to_and_tried_once() {
        let store: Arc<dyn Blobs> = Arc::new(MemoryBlobs::new(Arc::new(System)));
        let tried = on_trial(&store);
        assert!(tried.list("", None).try_next().await.expect("listed").is_none());
        assert!(tried.first.get().is_none(), "a look begins nothing");
        assert!(tried.read("k", 10).await.expect("read at once").is_none());
        assert!(tried.first.get().is_some());
        for text in ["1", "2"] {
            tried.write("k", text.into(), When::Always).await.expect("written");
            let left: Vec<Entry> = store.list("", None).try_collect().await.expect("listed");
            assert_eq!(left.len(), 1, "nothing is left of the trial: {left:?}");
        }
        assert_eq!(tried.read("k", 10).await.expect("read").expect("there").bytes, "2");
        assert!(tried.copy("k", "l").await.expect("copied"));
        tried.delete("k").await.expect("deleted");
        assert!(store.stat("k").await.expect("looked").is_none());
        assert_eq!(tried.outcome.get(), Some(&Ok(())));
    }

    #[tokio::test]
    async fn what_does_not_pass_is_left_as_it_is() {
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
            tried.sign_put("k", 1, Duration::from_secs(1)).await.expect_err("not tried");
        }
        assert_eq!(tried.read("k", 10).await.expect("read").expect("there").bytes, "1");
        assert!(tried.outcome.get().is_some_and(std::result::Result::is_err), "it is not tried again");
    }

    #[tokio::test]
    async fn what_could_not_be_asked_is_asked_again() {
        let down = AtomicBool::new(true);
        let store: Arc<dyn Blobs> = Arc::new(Lax::new(move |_, _, _| {
            let down = down.swap(false, Ordering::Relaxed);
            if down { Err(Error::new(Kind::Unavailable, "nothing answers")) } else { Ok(false) }
        }));
        let tried = on_trial(&store);
        let error = tried.write("k", "1".into(), When::Always).await.expect_err("it is down");
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.chain().contains("nothing answers"), "{}", error.chain());
        assert_eq!(tried.outcome.get(), None, "nothing is known of it yet");
        tried.write("k", "2".into(), When::Always).await.expect("it is back, and passes");
        assert_eq!(tried.outcome.get(), Some(&Ok(())));
        let left: Vec<Entry> = store.list("", None).try_collect().await.expect("listed");
        assert_eq!(left.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["k"]);
    }
}
