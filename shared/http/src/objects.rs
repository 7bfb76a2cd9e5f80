//! A store that signs nothing, behind URLs of our own: `/api/objects/{key}`, signed here and served here. So a client
//! of one process over a folder or memory takes the same way as one of a cloud: a ticket, a PUT, a completion.
//!
//! The secret is made when the process starts and never leaves it. Another process would refuse these URLs, so this is
//! for whoever is the only one to serve its API: `autopgo local`.

mod seal;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::api;
use autopgo_core::clock::Clock;
use autopgo_core::error::Result;
use autopgo_core::port::blobs::{Blobs, Entry, Object, Signed, Stat, Version, When};
use bytes::Bytes;
use futures_util::stream::BoxStream;

use seal::Seal;
pub(crate) use seal::{Claim, Refused};

/// A blob store with URLs of this process. What the store can sign by itself, it signs.
#[derive(Clone)]
pub struct Objects {
    inner: Arc<dyn Blobs>,
    clock: Arc<dyn Clock>,
    seal: Arc<Seal>,
}

impl Objects {
    /// The objects of `inner`. The URLs are good by the time of `clock`.
    pub fn over(inner: Arc<dyn Blobs>, clock: Arc<dyn Clock>) -> Self {
        Self { inner, clock, seal: Arc::new(Seal::fresh()) }
    }

    /// What a request claims, if it was signed here and still holds.
    pub(crate) fn admitted(&self, claim: Claim<'_>, signature: &str) -> Result<(), Refused> {
        self.seal.check(claim, signature, self.clock.now())
    }

    /// A URL for what is claimed: relative to the API's paths, because only the client knows what it calls this server.
    fn signed(&self, claim: Claim<'_>) -> Signed {
        let Claim { method, key, size, expires } = claim;
        let signature = self.seal.sign(claim);
        // Uploads are asked for one level deeper: `{app}/uploads`.
        let up = if method == "PUT" { "../../" } else { "../" };
        let size = size.map(|size| format!("size={size}&")).unwrap_or_default();
        let path = api::OBJECTS.trim_start_matches("/api/");
        let url = format!(
            "{up}{path}/{}?{size}expires={}&signature={signature}",
            encoded(key),
            expires.as_millisecond()
        );
        Signed { url, headers: Vec::new(), expires }
    }

    fn end(&self, lasts: Duration) -> jiff::Timestamp {
        let end = self.clock.now().saturating_add(lasts).unwrap_or(jiff::Timestamp::MAX);
        // As it stands in the URL.
        jiff::Timestamp::from_millisecond(end.as_millisecond()).unwrap_or(end)
    }
}

#[async_trait]
impl Blobs for Objects {
    async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        self.inner.read(key, limit).await
    }

    async fn stat(&self, key: &str) -> Result<Option<Stat>> {
        self.inner.stat(key).await
    }

    async fn write(&self, key: &str, bytes: Bytes, when: When) -> Result<Version> {
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

    async fn sign_put(&self, key: &str, size: u64, lasts: Duration) -> Result<Option<Signed>> {
        if let Some(signed) = self.inner.sign_put(key, size, lasts).await? {
            return Ok(Some(signed));
        }
        let claim = Claim { method: "PUT", key, size: Some(size), expires: self.end(lasts) };
        Ok(Some(self.signed(claim)))
    }

    async fn sign_get(&self, key: &str, lasts: Duration) -> Result<Option<Signed>> {
        if let Some(signed) = self.inner.sign_get(key, lasts).await? {
            return Ok(Some(signed));
        }
        let claim = Claim { method: "GET", key, size: None, expires: self.end(lasts) };
        Ok(Some(self.signed(claim)))
    }

    async fn check(&self) -> Result<()> {
        self.inner.check().await
    }
}

/// A key as the path of a URL: what RFC 3986 reserves is encoded, but for the slashes between its parts.
fn encoded(key: &str) -> String {
    let mut path = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use autopgo_core::clock::System;
    use autopgo_core::memory::blobs::MemoryBlobs;

    /// A store that signs by itself.
    struct Signs;

    #[async_trait]
    impl Blobs for Signs {
        async fn read(&self, _: &str, _: u64) -> Result<Option<Object>> {
            Ok(None)
        }
        async fn stat(&self, _: &str) -> Result<Option<Stat>> {
            Ok(None)
        }
        async fn write(&self, _: &str, _: Bytes, _: When) -> Result<Version> {
            Ok(Version::new("1"))
        }
        async fn copy(&self, _: &str, _: &str) -> Result<bool> {
            Ok(false)
        }
        async fn delete(&self, _: &str) -> Result<()> {
            Ok(())
        }
        fn list(&self, _: &str, _: Option<&str>) -> BoxStream<'_, Result<Entry>> {
            Box::pin(futures_util::stream::empty())
        }
        async fn sign_put(&self, key: &str, _: u64, _: Duration) -> Result<Option<Signed>> {
            self.sign_get(key, Duration::ZERO).await
        }
        async fn sign_get(&self, key: &str, _: Duration) -> Result<Option<Signed>> {
            let expires = jiff::Timestamp::UNIX_EPOCH;
            Ok(Some(Signed { url: format!("https://store/{key}"), headers: Vec::new(), expires }))
        }
        async fn check(&self) -> Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_store_that_signs_by_itself_does() {
        let objects = Objects::over(Arc::new(Signs), Arc::new(System));
        let lasts = Duration::from_secs(1);
        for signed in [objects.sign_put("a/b", 1, lasts).await, objects.sign_get("a/b", lasts).await] {
            assert_eq!(signed.expect("signed").expect("by itself").url, "https://store/a/b");
        }
    }

    #[tokio::test]
    async fn urls_are_relative_to_where_they_are_asked_for() {
        let clock = Arc::new(System);
        let objects = Objects::over(Arc::new(MemoryBlobs::new(clock.clone())), clock);
        let lasts = Duration::from_secs(60);
        let put = objects.sign_put("a/incoming/1 %", 7, lasts).await.expect("signed").expect("here").url;
        assert!(put.starts_with("../../objects/a/incoming/1%20%25?size=7&expires="), "{put}");
        let get = objects.sign_get("a/default.pgo", lasts).await.expect("signed").expect("here");
        assert!(get.url.starts_with("../objects/a/default.pgo?expires="), "{get:?}");
        assert!(get.url.contains(&format!("={}&", get.expires.as_millisecond())), "{}", get.url);
    }
}
