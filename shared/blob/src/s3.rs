//! `s3://BUCKET`: Amazon S3, and what speaks its protocol: MinIO, Ceph, R2 and many more.
//!
//! The parameters are those of gocloud.dev on Go's SDK v2 (`s3/settings.rs` has them). Credentials come by the SDK's
//! standard chain: environment, profile, web identity, container, instance. With `profile=` they are that profile's, as
//! with Go's SDK, whatever the environment holds.
//!
//! A version is the `ETag` of the write. Conditions are `If-None-Match: *` and `If-Match`, which Amazon has had since
//! November 2024 and MinIO, without a gap, since RELEASE.2025-09-07T16-13-09Z; [`crate::probe`] finds out whether
//! another store has them.
//!
//! Reads, listings and plain writes are retried by the SDK. A conditional write is sent once: if its answer is lost, the
//! retry of a write that landed would be refused because of itself, and a success would look like a conflict.

mod client;
mod fail;
mod key;
mod settings;

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use autopgo_core::address::{Address, Params};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::blobs::{Blobs, Entry, Object, Signed, Stat, Version, When};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{EncodingType, ServerSideEncryption};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use jiff::Timestamp;

/// The scheme of these URLs.
pub const SCHEME: &str = "s3";

/// Opens the bucket that `address` names; `elsewhere` says that the environment leads to another store than Amazon's.
/// Nothing is asked of it yet.
pub(crate) async fn open(address: &Address, params: Params, elsewhere: bool) -> Result<S3Blobs> {
    let bucket = address.host();
    if bucket.is_empty() {
        return Err(Error::new(Kind::Invalid, "s3:// names no bucket; write s3://BUCKET"));
    }
    let settings = settings::Settings::of(params)?;
    let client = client::client(bucket, &settings, elsewhere).await?;
    Ok(S3Blobs {
        client,
        bucket: bucket.to_owned(),
        encryption: settings.encryption,
        kms_key: settings.kms_key,
    })
}

/// A bucket.
pub struct S3Blobs {
    client: Client,
    bucket: String,
    encryption: Option<ServerSideEncryption>,
    kms_key: Option<String>,
}

#[async_trait]
impl Blobs for S3Blobs {
    async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        let sent = self.client.get_object().bucket(&self.bucket).key(key::escape(key)).send().await;
        let mut output = match sent {
            Ok(output) => output,
            Err(error) if fail::is_absence(&error) => return Ok(None),
            Err(error) => return Err(self.fail(error)),
        };
        let size = output.content_length().and_then(|size| u64::try_from(size).ok());
        if let Some(size) = size.filter(|size| *size > limit) {
            return Err(Error::new(Kind::TooLarge, format!("it has {size} bytes; at most {limit} are read")));
        }
        let version = self.version(output.e_tag())?;
        let modified = self.time(output.last_modified())?;
        let mut bytes = Vec::with_capacity(size.and_then(|size| size.try_into().ok()).unwrap_or(0));
        while let Some(chunk) = output.body.next().await {
            let chunk = chunk.map_err(|error| self.unavailable("its answer broke off").because(error))?;
            if bytes.len() as u64 + chunk.len() as u64 > limit {
                return Err(Error::new(
                    Kind::TooLarge,
                    format!("it has more than the {limit} bytes that are read"),
                ));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some(Object { bytes: bytes.into(), version, modified }))
    }

    async fn stat(&self, key: &str) -> Result<Option<Stat>> {
        match self.client.head_object().bucket(&self.bucket).key(key::escape(key)).send().await {
            Ok(output) => Ok(Some(Stat {
                size: output.content_length().and_then(|size| size.try_into().ok()).unwrap_or(0),
                version: self.version(output.e_tag())?,
                modified: self.time(output.last_modified())?,
            })),
            Err(error) if fail::is_absence(&error) => Ok(None),
            Err(error) => Err(self.fail(error)),
        }
    }

    async fn write(&self, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        let (size, kind) = (bytes.len(), content_type(&bytes));
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key::escape(key))
            .content_type(kind)
            .set_server_side_encryption(self.encryption.clone())
            .set_ssekms_key_id(self.kms_key.clone())
            .body(ByteStream::from(bytes));
        let (put, conditional) = match when {
            When::Always => (put, false),
            When::Absent => (put.if_none_match("*"), true),
            When::Is(version) => (put.if_match(version.as_str()), true),
        };
        let sending = if conditional { client::once(size) } else { client::patient(size) };
        match put.customize().config_override(sending).send().await {
            Ok(output) => self.version(output.e_tag()),
            Err(error) if conditional && fail::is_conflict(&error) => {
                let what = fail::refusal(&error).and_then(|refusal| refusal.code).unwrap_or("no code");
                Err(Error::new(Kind::Conflict, format!("somebody else wrote it first ({what})"))
                    .because(error))
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    async fn copy(&self, from: &str, to: &str) -> Result<bool> {
        if from == to {
            // As it is: S3 refuses to copy an object onto itself, and elsewhere it could undo a write between.
            return Ok(self.stat(from).await?.is_some());
        }
        let copied = self
            .client
            .copy_object()
            .copy_source(key::source(&self.bucket, &key::escape(from)))
            .bucket(&self.bucket)
            .key(key::escape(to))
            .set_server_side_encryption(self.encryption.clone())
            .set_ssekms_key_id(self.kms_key.clone())
            .send()
            .await;
        match copied {
            Ok(_) => Ok(true),
            Err(error) if fail::is_absence(&error) => Ok(false),
            Err(error) => Err(self.fail(error)),
        }
    }

    async fn delete(&self, key: &str) -> Result<()> {
        match self.client.delete_object().bucket(&self.bucket).key(key::escape(key)).send().await {
            Ok(_) => Ok(()),
            Err(error) if fail::is_absence(&error) => Ok(()),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// In the order of the keys as they stand in the bucket, which is that of the keys wherever nothing is escaped.
    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'_, Result<Entry>> {
        let (prefix, after) = (key::escape(prefix), after.map(key::escape));
        let pages = stream::try_unfold(Some(None), move |at: Option<Option<String>>| {
            let request = self
                .client
                .list_objects_v2()
                .bucket(&self.bucket)
                .prefix(&prefix)
                .set_start_after(after.clone())
                .encoding_type(EncodingType::Url);
            async move {
                let Some(token) = at else { return Ok::<_, Error>(None) };
                let page = match request.set_continuation_token(token).send().await {
                    Ok(page) => page,
                    Err(error) if fail::is_no_name(&error) => return Ok(None),
                    Err(error) => return Err(self.fail(error)),
                };
                let next = match page.next_continuation_token() {
                    Some(token) if page.is_truncated() == Some(true) => Some(Some(token.to_owned())),
                    _ => None,
                };
                Ok(Some((stream::iter(self.entries(&page)), next)))
            }
        });
        pages.try_flatten().boxed()
    }

    /// The length is signed, so that the store refuses any other. Credentials that end sooner end the signature too.
    async fn sign_put(&self, key: &str, size: u64, lasts: Duration) -> Result<Option<Signed>> {
        let length = i64::try_from(size)
            .map_err(|_| Error::new(Kind::TooLarge, format!("no object has {size} bytes")))?;
        let config = presigning(lasts)?;
        let signed = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key::escape(key))
            .content_length(length)
            .set_server_side_encryption(self.encryption.clone())
            .set_ssekms_key_id(self.kms_key.clone())
            .customize()
            .config_override(client::unsummed())
            .presigned(config.clone())
            .await;
        self.signed(&signed.map_err(|error| self.fail(error))?, &config)
    }

    async fn sign_get(&self, key: &str, lasts: Duration) -> Result<Option<Signed>> {
        let config = presigning(lasts)?;
        let signed = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key::escape(key))
            .customize()
            .config_override(client::unsummed())
            .presigned(config.clone())
            .await;
        self.signed(&signed.map_err(|error| self.fail(error))?, &config)
    }

    /// Lists one key, as the original does: the answer to a HEAD has no body, so it could not tell what is missing.
    async fn check(&self) -> Result<()> {
        let listed = self.client.list_objects_v2().bucket(&self.bucket).max_keys(1).send().await;
        listed.map(drop).map_err(|error| self.fail(error))
    }
}

impl S3Blobs {
    fn fail<E>(&self, error: SdkError<E, aws_sdk_s3::config::http::HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        fail::classify(&self.bucket, error)
    }

    fn unavailable(&self, what: &str) -> Error {
        Error::new(Kind::Unavailable, format!("s3://{}: {what}", self.bucket))
    }

    fn strange(&self, what: &str) -> Error {
        Error::new(Kind::Internal, format!("s3://{}: {what}; it does not speak S3 as it should", self.bucket))
    }

    fn version(&self, tag: Option<&str>) -> Result<Version> {
        tag.map(Version::new).ok_or_else(|| self.strange("its answer has no ETag"))
    }

    /// To the second, which is all that an HTTP date holds: a listing of some stores holds more.
    fn time(&self, time: Option<&DateTime>) -> Result<Timestamp> {
        time.and_then(|time| Timestamp::from_second(time.secs()).ok())
            .ok_or_else(|| self.strange("its answer has no time"))
    }

    fn entries(&self, page: &ListObjectsV2Output) -> Vec<Result<Entry>> {
        let encoded = page.encoding_type() == Some(&EncodingType::Url);
        let entry = |object: &aws_sdk_s3::types::Object| {
            let key = object.key().ok_or_else(|| self.strange("an object of its listing has no key"))?;
            let key = if encoded { key::decode(key) } else { Some(key.to_owned()) };
            let key = key.ok_or_else(|| self.strange("a key of its listing is encoded wrongly"))?;
            Ok(Entry {
                key: key::unescape(&key),
                size: object.size().and_then(|size| size.try_into().ok()).unwrap_or(0),
                modified: self.time(object.last_modified())?,
            })
        };
        page.contents().iter().map(entry).collect()
    }

    fn signed(&self, request: &PresignedRequest, config: &PresigningConfig) -> Result<Option<Signed>> {
        let expires = Timestamp::try_from(config.start_time() + config.expires())
            .map_err(|error| Error::new(Kind::Invalid, "the signature would last too long").because(error))?;
        let length = |name: &str| name.eq_ignore_ascii_case("content-length");
        let headers = request
            .headers()
            .filter(|(name, _)| !length(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(Some(Signed { url: request.uri().to_owned(), headers, expires }))
    }
}

/// From the start of this second, which is what is signed.
fn presigning(lasts: Duration) -> Result<PresigningConfig> {
    let now = SystemTime::now();
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs());
    PresigningConfig::builder().start_time(start).expires_in(lasts).build().map_err(|error| {
        Error::new(Kind::Invalid, "s3:// signs for a second at the least and a week at the most")
            .because(error)
    })
}

/// As the original, which asks Go's `DetectContentType`, for what it mostly writes.
fn content_type(bytes: &[u8]) -> &'static str {
    if bytes.starts_with(b"\x1f\x8b\x08") { "application/x-gzip" } else { "application/octet-stream" }
}
