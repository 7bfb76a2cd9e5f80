//! Whether a store keeps its word on conditional writes. MinIO before RELEASE.2025-09-07T16-13-09Z and some look-alikes
//! of S3 take the condition and write all the same, and then profiles are lost or counted twice without a sign of it.

use std::pin::pin;

use autopgo_core::address::{Address, Resource};
use autopgo_core::clock::{Clock, System};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::blobs::{Blobs, Version, When};
use futures_util::FutureExt;
use futures_util::future::{join, join_all};

/// Whether `url` names a store at an endpoint of one's own, of which nobody knows what it honours.
pub fn is_wanted(url: &str) -> bool {
    endpoint(url).is_some()
}

/// What to call the store of `url` in an error: the bucket, and the endpoint if it has one.
pub fn name(url: &str) -> String {
    match (Address::of(Resource::Bucket, url), endpoint(url)) {
        (Ok(address), Some(endpoint)) => format!("{address} at {endpoint}"),
        (Ok(address), None) => address.to_string(),
        (Err(_), _) => "the store".to_owned(),
    }
}

/// S3's parameter for it, and Azure's.
fn endpoint(url: &str) -> Option<String> {
    let address = Address::of(Resource::Bucket, url).ok()?;
    let name = if address.scheme() == "azblob" { "domain" } else { "endpoint" };
    address.params().list(name).into_iter().next()
}

/// Writes a small object under a key that no application can have, tries every condition that must not let a write
/// through on it and on another that is not there, and removes them. What need not wait for another is asked at once: a worker does not
/// start before this has ended.
///
/// # Errors
/// `Invalid` if the store lets one through, or knows no conditions at all, naming the store as `name`. What the store
/// says, if it cannot be asked.
pub async fn honours_conditions(name: &str, store: &dyn Blobs) -> Result<()> {
    let (tried, strays) = tried(name, store).await;
    remove(store, &strays).await;
    tried
}

/// The same, but for removing what may be left, which is told.
pub(crate) async fn tried(name: &str, store: &dyn Blobs) -> (Result<()>, Vec<String>) {
    // Of a store of one object there is nothing to write beside it, and this says so at once.
    let mut check = pin!(store.check());
    let said = (&mut check).now_or_never();
    if let Some(Err(error)) = said {
        return (Err(error), Vec::new());
    }
    let random = System.random();
    let (key, missing) =
        (format!(".autopgo/probe-{random:016x}"), format!(".autopgo/probe-{random:016x}-missing"));
    let checked = async { if said.is_some() { Ok(()) } else { check.await } };
    let (checked, first) = join(checked, store.write(&key, "1".into(), When::Absent)).await;
    let tried = match checked {
        Ok(()) => conditions(name, store, first, &key, &missing).await,
        Err(error) => Err(error),
    };
    // The second is there only if the store let it be written.
    let strays = if tried.is_err() { vec![key, missing] } else { vec![key] };
    (tried, strays)
}

/// Removes what [`tried`] left.
pub(crate) async fn remove(store: &dyn Blobs, strays: &[String]) {
    let remove = |key: &'_ String| {
        let key = key.clone();
        async move {
            if let Err(error) = store.delete(&key).await {
                let what = "the object that the store was tried with could not be removed";
                tracing::warn!(key, error = error.chain(), "{what}");
            }
        }
    };
    join_all(strays.iter().map(remove)).await;
}

/// Tries what depends on a write of the object, which there was none of.
async fn conditions(
    name: &str,
    store: &dyn Blobs,
    first: Result<Version>,
    key: &str,
    missing: &str,
) -> Result<()> {
    let write = |key, text: &'static str, when| store.write(key, text.into(), when);
    let first = first.map_err(|error| unable(name, error))?;
    let held = || When::Is(first.clone());
    let (replaced, conjured) = join(write(key, "2", held()), write(missing, "3", held())).await;
    replaced.map_err(|error| unable(name, error))?;
    refused(name, "If-Match on a missing object", conjured)?;
    let (created, restored) = join(write(key, "4", When::Absent), write(key, "5", held())).await;
    refused(name, "If-None-Match", created)?;
    refused(name, "If-Match", restored)
}

/// What must be refused was.
fn refused(name: &str, condition: &str, outcome: Result<Version>) -> Result<()> {
    match outcome {
        Err(error) if error.kind() == Kind::Conflict => Ok(()),
        Err(error) => Err(unable(name, error)),
        Ok(_) => {
            Err(unfit(name, &format!("writes in spite of a condition that does not hold ({condition})")))
        }
    }
}

/// A condition that held was refused, or none is known.
fn unable(name: &str, error: Error) -> Error {
    match error.kind() {
        Kind::Conflict => unfit(name, "refuses a write whose condition holds").because(error),
        Kind::Invalid => unfit(name, "knows no conditional writes").because(error),
        _ => error.during(format_args!("trying the conditional writes of {name}")),
    }
}

fn unfit(name: &str, what: &str) -> Error {
    Error::new(
        Kind::Invalid,
        format!(
            "{name} {what}, so that workers would lose profiles; use a store that honours conditional writes: \
             Amazon S3, Azure Blob Storage, Google Cloud Storage, or MinIO from RELEASE.2025-09-07T16-13-09Z on"
        ),
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use async_trait::async_trait;
    use autopgo_core::memory::blobs::MemoryBlobs;
    use autopgo_core::port::blobs::{Entry, Object, Signed, Stat};
    use bytes::Bytes;
    use futures_util::stream::{BoxStream, TryStreamExt};

    use super::*;
    use crate::prefix::SingleKey;

    /// Whether a write goes through in spite of its condition, and of whether the object is there, and had that version once;
    /// or why there is no answer.
    type Lets = dyn Fn(&When, bool, bool) -> Result<bool> + Send + Sync;

    /// A store in memory that takes writes as it is told to.
    pub(crate) struct Lax {
        inner: MemoryBlobs,
        lets: Box<Lets>,
        /// What was written, and how it was told apart.
        had: Mutex<Vec<(String, Version)>>,
    }

    impl Lax {
        pub(crate) fn new(lets: impl Fn(&When, bool, bool) -> Result<bool> + Send + Sync + 'static) -> Self {
            let inner = MemoryBlobs::new(Arc::new(System));
            Self { inner, lets: Box::new(lets), had: Mutex::default() }
        }
    }

    #[async_trait]
    impl Blobs for Lax {
        async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>> {
            self.inner.read(key, limit).await
        }
        async fn stat(&self, key: &str) -> Result<Option<Stat>> {
            self.inner.stat(key).await
        }
        async fn write(&self, key: &str, bytes: Bytes, when: When) -> Result<Version> {
            let there = self.inner.stat(key).await?.is_some();
            let had = |known: &(String, Version)| known.0 == key && when == When::Is(known.1.clone());
            let had = self.had.lock().expect("no panic").iter().any(had);
            let when = if (self.lets)(&when, there, had)? { When::Always } else { when };
            let version = self.inner.write(key, bytes, when).await?;
            self.had.lock().expect("no panic").push((key.to_owned(), version.clone()));
            Ok(version)
        }
        async fn copy(&self, from: &str, to: &str) -> Result<bool> {
            self.inner.copy(from, to).await
        }
        async fn delete(&self, key: &str) -> Result<()> {
            self.inner.delete(key).await
        }
        fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'_, Result<Entry>> {
            self.inner.list(prefix, after)
        }
        async fn sign_put(&self, _: &str, _: u64, _: Duration) -> Result<Option<Signed>> {
            Ok(None)
        }

        async fn sign_get(&self, _: &str, _: Duration) -> Result<Option<Signed>> {
            Ok(None)
        }

        async fn check(&self) -> Result<()> {
            self.inner.check().await
        }
    }

    /// The same of a store that always answers.
    type Rule = fn(&When, bool, bool) -> bool;

    async fn probed(lets: Rule) -> Result<()> {
        let store = Lax::new(move |when, there, had| Ok(lets(when, there, had)));
        let outcome = honours_conditions("s3://bucket at http://host", &store).await;
        let left: Vec<Entry> = store.list("", None).try_collect().await.expect("listed");
        assert!(left.is_empty(), "the probe leaves {left:?}");
        outcome
    }

    #[tokio::test]
    async fn a_store_that_lets_a_write_through_is_refused() {
        probed(|_, _, _| false).await.expect("a good store");
        let cases: [(Rule, &str); 4] = [
            (|when, _, _| *when == When::Absent, "(If-None-Match)"),
            (|when, there, _| there && matches!(when, When::Is(_)), "(If-Match)"),
            (|_, _, had| had, "(If-Match)"),
            (|when, there, _| !there && matches!(when, When::Is(_)), "(If-Match on a missing object)"),
        ];
        for (lets, condition) in cases {
            let error = probed(lets).await.expect_err(condition);
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.what().starts_with("s3://bucket at http://host writes in spite"), "{error}");
            assert!(
                error.what().contains(condition) && error.what().contains("MinIO from RELEASE"),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn a_store_of_one_object_is_not_written_to() {
        let whole: Arc<dyn Blobs> = Arc::new(MemoryBlobs::new(Arc::new(System)));
        let one = SingleKey::new(Arc::clone(&whole), "k");
        honours_conditions("mem://", &one).await.expect_err("a single key");
        assert!(whole.stat("k").await.expect("looked").is_none());
    }

    #[test]
    fn only_an_endpoint_of_ones_own_is_probed() {
        assert!(is_wanted("s3://b?region=x&endpoint=http://127.0.0.1:9000"));
        assert!(is_wanted("blob+s3://b?endpoint=http://127.0.0.1:9000&prefix=x/"));
        assert!(is_wanted("azblob://c?storage_account=a&domain=127.0.0.1:10000"));
        for url in [
            "s3://b?region=eu-west-1",
            "s3://b",
            "s3://b?domain=x",
            "azblob://c?storage_account=a",
            "mem://x",
            "file:///endpoint=",
            "no URL",
        ] {
            assert!(!is_wanted(url), "{url}");
        }
        assert_eq!(name("s3://b?region=x&endpoint=http://127.0.0.1:9000"), "s3://b at http://127.0.0.1:9000");
        assert_eq!((name("s3://b?region=x"), name("no URL")), ("s3://b".to_owned(), "the store".to_owned()));
    }
}
