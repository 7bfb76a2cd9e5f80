//! What the core needs from a blob store.
//!
//! Every method is linearizable for one key. Who retries: the adapter's own SDK, within its policy; never the adapter
//! on top of it, and never a conditional write whose outcome is unknown. Errors say what is wrong; which key was read or
//! written, the caller puts in front of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use jiff::Timestamp;

use crate::error::Result;

/// Which write of a key this is: S3's or Azure's `ETag`, GCS's generation, a hash on disk. Opaque.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Version(Arc<str>);

impl Version {
    /// The store's own name of a version, as it gave it.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The store's own name of this version.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({})", self.0)
    }
}

/// An object with its bytes, all from the same read.
#[derive(Clone, Debug)]
pub struct Object {
    /// The whole content.
    pub bytes: Bytes,
    /// The version that these bytes are.
    pub version: Version,
    /// When it was written, by the store's clock.
    pub modified: Timestamp,
}

/// What is known of an object without reading it.
#[derive(Clone, Debug)]
pub struct Stat {
    /// Bytes.
    pub size: u64,
    /// The current version.
    pub version: Version,
    /// When it was written, by the store's clock.
    pub modified: Timestamp,
}

/// A line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The whole key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// When it was written, by the store's clock.
    pub modified: Timestamp,
}

/// A request that whoever holds it may send straight to the store, until it expires: it needs no other credentials, so
/// it is not to be logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    /// Where to, with the signature in its query.
    pub url: String,
    /// The headers that must be sent as they are here, beside the length of a body.
    pub headers: Vec<(String, String)>,
    /// From when on the store refuses it.
    pub expires: Timestamp,
}

/// Without the query, which is what is secret.
impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.split('?').next().unwrap_or_default();
        f.debug_struct("Signed").field("url", &url).field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// The condition of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// None: write over whatever is there.
    Always,
    /// Only if there is no object with this key.
    Absent,
    /// Only if the object is still this version. A missing object is not.
    Is(Version),
}

/// A blob store. Keys are `/`-separated, sorted by their bytes.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// The object `key`, or `None` if there is none.
    ///
    /// # Errors
    /// `TooLarge` if it has more than `limit` bytes, found before they are all in memory. `Denied`, `Unavailable`.
    async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>>;

    /// Size, version and time of `key`, or `None` if there is none.
    async fn stat(&self, key: &str) -> Result<Option<Stat>>;

    /// Writes `key` whole or not at all, durably, if the condition holds at that moment, and gives the new version.
    ///
    /// # Errors
    /// `Conflict` if the condition did not hold: nothing was written. After `Unavailable` the outcome is unknown: the
    /// write may have landed, or may still land. `Denied`, `TooLarge` and `Invalid`: nothing was written.
    async fn write(&self, key: &str, bytes: Bytes, when: When) -> Result<Version>;

    /// Copies an object as it is, over whatever is at `to`. `false` if there is no object `from`.
    async fn copy(&self, from: &str, to: &str) -> Result<bool>;

    /// Removes `key`. Gone already is fine.
    async fn delete(&self, key: &str) -> Result<()>;

    /// Every object whose key starts with `prefix` and comes after `after`, in the order of the keys' bytes, read page
    /// by page as the stream is polled. The first error ends it.
    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'_, Result<Entry>>;

    /// Signs a PUT of exactly `size` bytes to `key`, over whatever is there; the store refuses any other length where it
    /// can. `None`: this store signs nothing.
    ///
    /// # Errors
    /// `Denied` or `Unavailable`, where somebody else has to be asked for the signature.
    async fn sign_put(&self, key: &str, size: u64, lasts: Duration) -> Result<Option<Signed>>;

    /// Signs a GET of `key`, whether or not it is there. `None`: this store signs nothing.
    ///
    /// # Errors
    /// As for [`Blobs::sign_put`].
    async fn sign_get(&self, key: &str, lasts: Duration) -> Result<Option<Signed>>;

    /// Whether the store answers, with these credentials. A missing bucket is an error that names it.
    async fn check(&self) -> Result<()>;
}
