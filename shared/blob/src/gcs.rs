//! `gs://BUCKET`: Google Cloud Storage.
//!
//! The parameters are those of gocloud.dev, and `endpoint=` for a way of one's own to the store, such as Private Service
//! Connect (`gcs/settings.rs` has them). Credentials come by Google's standard chain: `GOOGLE_APPLICATION_CREDENTIALS`,
//! gcloud's file, the metadata server. `STORAGE_EMULATOR_HOST` leads to an emulator that asks nobody who they are.
//!
//! Objects are written and URLs are signed by Google's own `google-cloud-storage`. Listing, looking, deleting and copying
//! it has by gRPC alone, which no server for tests speaks; and its reads do not tell when an object was written. These
//! go over the JSON API, with the credentials of `google-cloud-auth`, in tests as in production.
//!
//! A version is the generation of the object, which each write makes anew. The condition is `ifGenerationMatch`; 0 is no
//! object at all (<https://cloud.google.com/storage/docs/request-preconditions>).
//!
//! Reads, listings and plain writes are tried again, within a bound. A conditional write is sent once: if its answer is
//! lost, the retry of a write that landed would be refused because of itself, and a success would look like a conflict.

mod client;
mod fail;
mod key;
mod resource;
mod settings;
mod sign;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::address::{Address, Params};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::blobs::{Blobs, Entry, Object, Signed, Stat, Version, When};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use http::header::LAST_MODIFIED;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use reqwest::Response;

use client::{Client, patiently};
use fail::Failure;
use resource::{Page, Resource, Rewrite, number, whole};
use sign::Signing;

/// The scheme of these URLs.
pub const SCHEME: &str = "gs";

/// Opens the bucket that `address` names, at an `emulator` (`HOST:PORT`) if one is given, with the service account whose key
/// is in the file `key` or else whatever Google's chain finds. Nothing is asked of it yet.
pub(crate) async fn open(
    address: &Address,
    params: Params,
    emulator: Option<&str>,
    key: Option<&Path>,
) -> Result<GcsBlobs> {
    let bucket = address.host();
    if bucket.is_empty() {
        return Err(Error::new(Kind::Invalid, "gs:// names no bucket; write gs://BUCKET"));
    }
    let settings = settings::Settings::of(params, emulator)?;
    let file = match key {
        Some(path) => Some(client::account(path).await?),
        None => None,
    };
    let identity = client::identity(&settings, file.as_ref());
    Ok(GcsBlobs {
        client: Client::new(bucket, &settings, identity)?,
        signing: Signing::new(bucket, &settings, file.as_ref()).await?,
        bucket: bucket.to_owned(),
    })
}

/// A bucket.
pub struct GcsBlobs {
    client: Client,
    signing: Signing,
    bucket: String,
}

#[async_trait]
impl Blobs for GcsBlobs {
    async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        let path = path(key);
        self.found(patiently(0, || self.read_once(&path, limit)).await)
    }

    async fn stat(&self, key: &str) -> Result<Option<Stat>> {
        let path = path(key);
        self.found(patiently(0, || self.stat_once(&path, &[])).await)
    }

    async fn write(&self, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        let (key, kind, size) = (key::escape(key), content_type(&bytes), bytes.len());
        let write = |condition| self.client.write(&key, bytes.clone(), kind, condition);
        let written = match when {
            When::Always => patiently(size, || write(None)).await,
            When::Absent => write(Some(0)).await,
            When::Is(version) => match version.as_str().parse() {
                Ok(generation) if generation > 0 => write(Some(generation)).await,
                _ => return Err(conflict("it is no version of this store")),
            },
        };
        match written {
            Ok(generation) => Ok(version(generation)),
            Err(failure) if failure.is_conflict() => {
                Err(conflict("conditionNotMet").because(failure.classify(&self.bucket)))
            }
            Err(failure) => Err(failure.classify(&self.bucket)),
        }
    }

    /// In as many steps as the store wants: between classes of storage it may be more than one.
    async fn copy(&self, from: &str, to: &str) -> Result<bool> {
        if from == to {
            // As it is: a copy onto itself could undo a write between.
            return Ok(self.stat(from).await?.is_some());
        }
        let bucket = key::segment(&self.bucket);
        let path = format!("{}/rewriteTo/b/{bucket}{}", path(from), path(to));
        let mut token: Option<String> = None;
        loop {
            let query: Vec<(&str, &str)> =
                token.iter().map(|token| ("rewriteToken", token.as_str())).collect();
            let step = patiently(0, || self.client.ask(Method::POST, &path, &query)).await;
            match self.found::<Rewrite>(step)? {
                None => return Ok(false),
                Some(Rewrite { done: true, .. }) => return Ok(true),
                Some(Rewrite { rewrite_token: None, .. }) => {
                    return Err(self.fail(Failure::Strange("a copy neither ends nor goes on".to_owned())));
                }
                Some(Rewrite { rewrite_token, .. }) => token = rewrite_token,
            }
        }
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let path = path(key);
        self.found(patiently(0, || self.client.tell(Method::DELETE, &path)).await).map(drop)
    }

    /// In the order of the keys as they stand in the bucket, which is that of the keys wherever nothing is escaped.
    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'_, Result<Entry>> {
        let (prefix, after) = (key::escape(prefix), after.map(key::escape));
        let pages = stream::try_unfold(Some(None), move |at: Option<Option<String>>| {
            let (prefix, after) = (prefix.clone(), after.clone());
            async move {
                let Some(token) = at else { return Ok::<_, Error>(None) };
                let mut query = vec![Page::FIELDS, ("prefix", prefix.as_str())];
                query.extend(after.as_deref().map(|after| ("startOffset", after)));
                query.extend(token.as_deref().map(|token| ("pageToken", token)));
                let page: Page = patiently(0, || self.client.ask(Method::GET, "/o", &query))
                    .await
                    .map_err(|failure| self.fail(failure))?;
                let next = page.next_page_token.filter(|token| !token.is_empty()).map(Some);
                // It begins at the offset, and not behind it.
                let entries = page.items.into_iter().filter(move |item| after.as_ref() != Some(&item.name));
                let entries: Vec<Result<Entry>> = entries.map(|item| self.entry(&item)).collect();
                Ok(Some((stream::iter(entries), next)))
            }
        });
        pages.try_flatten().boxed()
    }

    /// The length is a header that is signed, and that the store keeps to
    /// (<https://cloud.google.com/storage/docs/xml-api/reference-headers#xgoogcontentlengthrange>).
    async fn sign_put(&self, key: &str, size: u64, lasts: Duration) -> Result<Option<Signed>> {
        self.sign(Method::PUT, key, &[("x-goog-content-length-range", format!("{size},{size}"))], lasts).await
    }

    async fn sign_get(&self, key: &str, lasts: Duration) -> Result<Option<Signed>> {
        self.sign(Method::GET, key, &[], lasts).await
    }

    /// Lists one key, as the original does: that needs no right on the bucket itself.
    async fn check(&self) -> Result<()> {
        let query = [Page::FIELDS, ("maxResults", "1")];
        let listed = patiently(0, || self.client.ask::<Page>(Method::GET, "/o", &query)).await;
        listed.map(drop).map_err(|failure| self.fail(failure))
    }
}

impl GcsBlobs {
    async fn read_once(&self, path: &str, limit: u64) -> Result<Object, Failure> {
        let mut response = self.client.media(path).await?;
        let headers = response.headers();
        let generation: i64 = match header(headers, "x-goog-generation") {
            Some(text) => number("generation", text)?,
            None => return Err(Failure::Strange("its answer to a read has no generation".to_owned())),
        };
        let modified = match header(headers, LAST_MODIFIED.as_str()) {
            Some(text) => Some(date(text)?),
            None => None,
        };
        let bytes = content(&mut response, limit).await?;
        let modified = match modified {
            Some(modified) => modified,
            // The header is custom, and nowhere promised for this API.
            None => self.written(path, generation).await?,
        };
        Ok(Object { bytes, version: version(generation), modified })
    }

    /// When this generation was written.
    async fn written(&self, path: &str, generation: i64) -> Result<Timestamp, Failure> {
        let query = [("generation", generation.to_string())];
        let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match self.stat_once(path, &query).await {
            Ok(stat) => Ok(stat.modified),
            Err(failure) if failure.is_absence() => Err(Failure::Changed),
            Err(failure) => Err(failure),
        }
    }

    async fn stat_once(&self, path: &str, query: &[(&str, &str)]) -> Result<Stat, Failure> {
        let query = [&[Resource::FIELDS], query].concat();
        let resource: Resource = self.client.ask(Method::GET, path, &query).await?;
        Ok(Stat {
            size: resource.size()?,
            version: version(resource.generation()?),
            modified: resource.updated()?,
        })
    }

    async fn sign(
        &self,
        method: Method,
        key: &str,
        headers: &[(&str, String)],
        lasts: Duration,
    ) -> Result<Option<Signed>> {
        // From the start of this second, or of the next: what is signed is the second.
        let now = Timestamp::now().as_second();
        let Some(url) = self.signing.sign(&self.client, method, key::escape(key), headers, lasts).await?
        else {
            return Ok(None);
        };
        let lasts = i64::try_from(lasts.as_secs()).unwrap_or(i64::MAX);
        let expires = whole(now.saturating_add(lasts)).map_err(|failure| self.fail(failure))?;
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Ok(Some(Signed { url, headers, expires }))
    }

    fn entry(&self, item: &Resource) -> Result<Entry> {
        let entry =
            || Ok(Entry { key: key::unescape(&item.name), size: item.size()?, modified: item.updated()? });
        entry().map_err(|failure| self.fail(failure))
    }

    /// What was found, or `None` if there is no such object.
    fn found<T>(&self, outcome: Result<T, Failure>) -> Result<Option<T>> {
        match outcome {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.is_absence() => Ok(None),
            Err(failure) => Err(self.fail(failure)),
        }
    }

    fn fail(&self, failure: Failure) -> Error {
        failure.classify(&self.bucket)
    }
}

/// The content of an object, as far as `limit` allows.
async fn content(response: &mut Response, limit: u64) -> Result<Bytes, Failure> {
    let large = |what: String| Failure::Ours(Error::new(Kind::TooLarge, what));
    let size = response.content_length();
    if let Some(size) = size.filter(|size| *size > limit) {
        return Err(large(format!("it has {size} bytes; at most {limit} are read")));
    }
    let mut bytes = Vec::with_capacity(size.and_then(|size| size.try_into().ok()).unwrap_or(0));
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() as u64 + chunk.len() as u64 > limit {
            return Err(large(format!("it has more than the {limit} bytes that are read")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

/// Where the object of this key is, below its bucket.
fn path(key: &str) -> String {
    format!("/o/{}", key::segment(&key::escape(key)))
}

fn version(generation: i64) -> Version {
    Version::new(generation.to_string())
}

fn conflict(why: &str) -> Error {
    Error::new(Kind::Conflict, format!("somebody else wrote it first ({why})"))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A date as HTTP writes them: `Mon, 28 Oct 2024 00:30:35 GMT`.
fn date(text: &str) -> Result<Timestamp, Failure> {
    let parsed = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text);
    parsed.map_err(|_| Failure::Strange(format!("the time of an object is {text:?}")))
}

/// As the original, which asks Go's `DetectContentType`, for what it mostly writes.
fn content_type(bytes: &[u8]) -> &'static str {
    if bytes.starts_with(b"\x1f\x8b\x08") { "application/x-gzip" } else { "application/octet-stream" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read() {
        assert_eq!(date("Mon, 28 Oct 2024 00:30:35 GMT").expect("a date").as_second(), 1_730_075_435);
        assert!(date("yesterday").is_err());
    }
}
