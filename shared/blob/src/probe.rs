//! Whether a store keeps its word on conditional writes. MinIO before RELEASE.2025-09-07T16-13-09Z and some look-alikes
//! of S3 take the condition and write all the same, and then profiles are lost or counted twice without a sign of it.

use autopgo_core::address::{Address, Resource};
use autopgo_core::clock::{Clock, System};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::blobs::{Blobs, Version, When};
use futures_util::future::{join, join_all, join4};

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

/// Writes small objects under keys that no application can have, tries every condition that must not let a write through on
/// them and on one that is not there, and removes them. What need not wait for another is asked at once: a worker does not
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
    // Of a store of one object there is nothing to write beside it, and this says so.
    if let Err(error) = store.check().await {
        return (Err(error), Vec::new());
    }
    let random = System.random();
    let key = |what: &str| format!(".autopgo/probe-{random:016x}{what}");
    let (one, other, missing) = (key(""), key("-other"), key("-missing"));
    let tried = conditions(name, store, [&one, &other, &missing]).await;
    let mut strays = vec![one, other];
    // It is there only if the store let it be written.
    strays.extend(Some(missing).filter(|_| tried.is_err()));
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

async fn conditions(name: &str, store: &dyn Blobs, [one, other, missing]: [&str; 3]) -> Result<()> {
    let write = |key, text: &'static str, when| store.write(key, text.into(), when);
    let (first, second) = join(write(one, "1", When::Absent), write(other, "2", When::Absent)).await;
    let [first, second] = [first, second].map(|written| written.map_err(|error| unable(name, error)));
    let (first, mut second) = (first?, second?);
    if first == second {
        // Of a store that tells objects apart by when they were written.
        second = write(other, "2, again", When::Always).await?;
    }
    // The one that goes through is alone on its object: some stores refuse writes that come at once.
    let (replaced, created, restored, conjured) = join4(
        write(other, "3", When::Is(second.clone())),
        write(one, "4", When::Absent),
        write(one, "5", When::Is(second)),
        write(missing, "6", When::Is(first)),
    )
    .await;
    refused(name, "If-None-Match", created)?;
    refused(name, "If-Match", restored)?;
    refused(name, "If-Match on a missing object", conjured)?;
    replaced.map(drop).map_err(|error| unable(name, error))
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
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use async_trait::async_trait;
    use autopgo_core::memory::blobs::MemoryBlobs;
    use autopgo_core::port::blobs::{Entry, Object, Signed, Stat};
    use bytes::Bytes;
    use futures_util::stream::{BoxStream, TryStreamExt};

    use super::*;
    use crate::prefix::SingleKey;

    /// Whether a write goes through in spite of its condition, and of whether the object is there.
    type Lets = fn(&When, bool) -> bool;

    struct Lax {
        inner: MemoryBlobs,
        lets: Lets,
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
            let when = if (self.lets)(&when, there) { When::Always } else { when };
            self.inner.write(key, bytes, when).await
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

    async fn probed(lets: Lets) -> Result<()> {
        let store = Lax { inner: MemoryBlobs::new(Arc::new(System)), lets };
        let outcome = honours_conditions("s3://bucket at http://host", &store).await;
        let left: Vec<Entry> = store.list("", None).try_collect().await.expect("listed");
        assert!(left.is_empty(), "the probe leaves {left:?}");
        outcome
    }

    #[tokio::test]
    async fn a_store_that_lets_a_write_through_is_refused() {
        probed(|_, _| false).await.expect("a good store");
        let cases: [(Lets, &str); 3] = [
            (|when, _| *when == When::Absent, "(If-None-Match)"),
            (|when, there| there && matches!(when, When::Is(_)), "(If-Match)"),
            (|when, there| !there && matches!(when, When::Is(_)), "(If-Match on a missing object)"),
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
