//! `azblob://CONTAINER`: Azure Blob Storage, and its emulator Azurite.
//!
//! The parameters and variables are those of gocloud.dev, and credentials come from the environment alone
//! (`azure/settings.rs` has them). Spoken is Azure's REST protocol, by the crate `object_store`.
//!
//! A version is the `ETag` of the write, new with each. Conditions are `If-None-Match: *` and `If-Match` on Put Blob,
//! which every Azure account has; [`crate::probe`] finds out about others. What `object_store` cannot name, no key may be:
//! one with an empty part, or with `.` or `..` as a part. Escaping leaves none of these in keys of profiles.
//!
//! Reads, listings and plain writes are retried by `object_store`. A conditional write is sent once: if its answer is
//! lost, the retry of a write that landed would be refused because of itself, and a success would look like a conflict.

mod client;
mod connection;
mod fail;
mod key;
mod remove;
mod sas;
mod settings;
mod wire;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::address::{Address, Params};
use autopgo_core::clock::{Clock, System};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::blobs::{Blobs, Entry, Object, Signed, Stat, Version, When};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::azure::MicrosoftAzure;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::signer::Signer as _;
use object_store::{
    Attribute, Attributes, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    PutPayload, UpdateVersion,
};

use remove::Remover;
use sas::Verb;
use settings::{Identity, Settings, Variables};
use wire::{ATTEMPT, Silent, time_for};

/// The scheme of these URLs.
pub const SCHEME: &str = "azblob";

/// Opens the container that `address` names. Nothing is asked of it yet.
pub(crate) fn open(address: &Address, params: Params, variables: &Variables<'_>) -> Result<AzureBlobs> {
    let container = address.host();
    if container.is_empty() {
        return Err(Error::new(Kind::Invalid, "azblob:// names no container; write azblob://CONTAINER"));
    }
    let settings = Settings::of(params, variables)?;
    let stores = client::stores(container, &settings)?;
    let signing = match &settings.identity {
        Identity::Key(key) => {
            Signing::Key(sas::Signer::new(&settings.service, &settings.account, container, key)?)
        }
        Identity::Sas(_) => Signing::Never,
        Identity::Entra(_) => Signing::Delegated,
    };
    Ok(AzureBlobs {
        container: container.to_owned(),
        patient: stores.patient,
        once: stores.once,
        remover: stores.remover,
        signing,
        warned: AtomicBool::new(false),
    })
}

/// A container.
pub struct AzureBlobs {
    container: String,
    patient: MicrosoftAzure,
    once: MicrosoftAzure,
    remover: Remover,
    signing: Signing,
    /// Whether it was said that nothing is signed.
    warned: AtomicBool,
}

/// With what requests are signed for others.
enum Signing {
    /// A key of the account.
    Key(sas::Signer),
    /// A key that the service gives to whoever may have one: a user delegation.
    Delegated,
    /// A signature makes no other.
    Never,
}

#[async_trait]
impl Blobs for AzureBlobs {
    async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        let path = self.name(key)?;
        let got = match self.within(0, self.patient.get_opts(&path, GetOptions::default())).await {
            Ok(got) => got,
            Err(error) if fail::is_absence(&error) => return Ok(None),
            Err(error) => return Err(self.fail(error)),
        };
        let (size, version) = (got.meta.size, self.version(got.meta.e_tag.as_deref())?);
        if size > limit {
            return Err(Error::new(Kind::TooLarge, format!("it has {size} bytes; at most {limit} are read")));
        }
        let modified = self.time(&got.meta)?;
        let mut bytes = Vec::with_capacity(size.try_into().unwrap_or(0));
        let mut chunks = got.into_stream();
        // It may take as long as it flows.
        while let Some(chunk) = tokio::time::timeout(ATTEMPT, chunks.next())
            .await
            .map_err(|_| self.fail(client::generic(Silent)))?
        {
            let chunk = chunk.map_err(|error| self.fail(error))?;
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
        let path = self.name(key)?;
        match self.within(0, self.patient.head(&path)).await {
            Ok(meta) => Ok(Some(Stat {
                size: meta.size,
                version: self.version(meta.e_tag.as_deref())?,
                modified: self.time(&meta)?,
            })),
            Err(error) if fail::is_absence(&error) => Ok(None),
            Err(error) => Err(self.fail(error)),
        }
    }

    async fn write(&self, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        let path = self.name(key)?;
        let (size, kind) = (bytes.len(), content_type(&bytes));
        let (store, mode) = match when {
            When::Always => (&self.patient, PutMode::Overwrite),
            When::Absent => (&self.once, PutMode::Create),
            When::Is(version) => {
                let version = UpdateVersion { e_tag: Some(version.as_str().to_owned()), version: None };
                (&self.once, PutMode::Update(version))
            }
        };
        let conditional = !matches!(mode, PutMode::Overwrite);
        let attributes = Attributes::from_iter([(Attribute::ContentType, kind)]);
        let options = PutOptions { mode, attributes, ..PutOptions::default() };
        match self.within(size, store.put_opts(&path, PutPayload::from(bytes), options)).await {
            Ok(put) => self.version(put.e_tag.as_deref()),
            Err(error) if conditional && fail::is_conflict(&error) => {
                let code = fail::refusal(&error).and_then(|refused| refused.code.as_deref());
                let what = format!("somebody else wrote it first ({})", code.unwrap_or("no code"));
                Err(Error::new(Kind::Conflict, what).because(error))
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// By Copy Blob, which within an account is done when it answers; where it is not, this waits for it.
    async fn copy(&self, from: &str, to: &str) -> Result<bool> {
        if from == to {
            // As it is: a copy onto itself could undo a write between.
            return Ok(self.stat(from).await?.is_some());
        }
        let source = self.name(from)?;
        let target = self.name(to)?;
        let copied = self
            .within(0, async {
                let mut copied = self.patient.copy(&source, &target).await;
                while copied.as_ref().is_err_and(fail::is_pending) {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    copied = self.patient.head(&target).await.map(drop);
                }
                copied
            })
            .await;
        match copied {
            Ok(()) => Ok(true),
            Err(error) if fail::is_absence(&error) => Ok(false),
            Err(error) => Err(self.fail(error)),
        }
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let name = self.name(key)?;
        match self.within(0, self.remover.remove(name.as_ref())).await {
            Ok(()) => Ok(()),
            Err(error) if fail::is_absence(&error) => Ok(()),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// In the order of the names as they stand in the container, which is that of the keys wherever nothing is escaped.
    ///
    /// The service begins behind `after` by itself (`startFrom`); an emulator that does not know that is read from the
    /// start, and what comes before is passed over here.
    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'_, Result<Entry>> {
        let (prefix, after) = (key::escape_prefix(prefix), after.map(key::escape_prefix));
        let exact = stream::once(self.exact(prefix.clone())).try_filter_map(|entry| async { Ok(entry) });
        let filter = after.clone();
        // Before the prefix there is nothing to begin behind; and behind all that has it, nothing is left.
        let over = after.as_deref().is_some_and(|after| after > &*prefix && !after.starts_with(&prefix));
        let offset = after.filter(|after| after.starts_with(&prefix));
        let pages = stream::try_unfold((!over).then_some(None), move |at: Option<Option<String>>| {
            let options = PaginatedListOptions { offset: offset.clone(), ..PaginatedListOptions::default() };
            let prefix = prefix.clone();
            async move {
                let Some(page_token) = at else { return Ok::<_, Error>(None) };
                let options = PaginatedListOptions { page_token, ..options };
                let prefix = Some(prefix.as_str()).filter(|prefix| !prefix.is_empty());
                let page = self.within(0, self.patient.list_paginated(prefix, options)).await;
                let page = page.map_err(|error| self.fail(error))?;
                let entries: Vec<Result<ObjectMeta>> = page.result.objects.into_iter().map(Ok).collect();
                Ok(Some((stream::iter(entries), page.page_token.map(Some))))
            }
        });
        exact
            .chain(pages.try_flatten())
            .try_filter(move |meta| {
                std::future::ready(filter.as_deref().is_none_or(|after| meta.location.as_ref() > after))
            })
            .and_then(move |meta| async move {
                let key = key::unescape(meta.location.as_ref());
                Ok(Entry { key, size: meta.size, modified: self.time(&meta)? })
            })
            .boxed()
    }

    /// Azure signs no length: whoever holds the URL may put any number of bytes until it expires, so whoever takes what
    /// was put looks at how much it is (the server does when a ticket is completed, and removes what is too large).
    ///
    /// With a key of the account it begins before it is given and ends with a whole second, at the latest one after
    /// `lasts`. With an identity of Entra it is signed by a user delegation key and begins now by the clock here, so that
    /// the service refuses it for as long as its own is behind. A shared access signature signs nothing, nor does an
    /// identity without the right to `generateUserDelegationKey`; both are said once in the log.
    async fn sign_put(&self, key: &str, _: u64, lasts: Duration) -> Result<Option<Signed>> {
        let headers = vec![("x-ms-blob-type".to_owned(), "BlockBlob".to_owned())];
        self.sign(Verb::Put, key, headers, lasts).await
    }

    async fn sign_get(&self, key: &str, lasts: Duration) -> Result<Option<Signed>> {
        self.sign(Verb::Get, key, Vec::new(), lasts).await
    }

    /// Lists one name: unlike a look at a blob, it tells a missing container from an empty one.
    async fn check(&self) -> Result<()> {
        let options = PaginatedListOptions { max_keys: Some(1), ..PaginatedListOptions::default() };
        let listed = self.within(0, self.patient.list_paginated(None, options)).await;
        listed.map(drop).map_err(|error| self.fail(error))
    }
}

impl AzureBlobs {
    fn fail(&self, error: object_store::Error) -> Error {
        fail::classify(&self.container, error)
    }

    /// All tries of a request that sends `size` bytes.
    async fn within<T>(
        &self,
        size: usize,
        call: impl Future<Output = object_store::Result<T>>,
    ) -> object_store::Result<T> {
        let limit = client::OPERATION + time_for(size) * 2;
        tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(client::generic(Silent)))
    }

    fn strange(&self, what: &str) -> Error {
        let container = &self.container;
        Error::new(
            Kind::Internal,
            format!("azblob://{container}: {what}; it does not speak Azure's protocol as it should"),
        )
    }

    fn name(&self, key: &str) -> Result<Path> {
        named(&key::escape(key)).ok_or_else(|| {
            let what = format!(
                "azblob://{}: no key may have an empty part, or . or .. as a part, as {key:?} has",
                self.container
            );
            Error::new(Kind::Invalid, what)
        })
    }

    fn version(&self, tag: Option<&str>) -> Result<Version> {
        tag.map(Version::new).ok_or_else(|| self.strange("its answer has no ETag"))
    }

    fn time(&self, meta: &ObjectMeta) -> Result<Timestamp> {
        Timestamp::from_second(meta.last_modified.timestamp())
            .map_err(|error| self.strange("its answer has an impossible time").because(error))
    }

    /// The object whose name is the whole prefix, which `object_store` leaves out of a listing.
    async fn exact(&self, prefix: String) -> Result<Option<ObjectMeta>> {
        if prefix.is_empty() || prefix.ends_with('/') {
            return Ok(None);
        }
        let Some(path) = named(&prefix) else { return Ok(None) };
        match self.within(0, self.patient.head(&path)).await {
            Ok(meta) => Ok(Some(meta)),
            Err(error) if fail::is_absence(&error) => Ok(None),
            Err(error) => Err(self.fail(error)),
        }
    }

    async fn sign(
        &self,
        verb: Verb,
        key: &str,
        headers: Vec<(String, String)>,
        lasts: Duration,
    ) -> Result<Option<Signed>> {
        let path = self.name(key)?;
        match &self.signing {
            Signing::Key(signer) => {
                let expires = whole_second(System.now(), lasts)?;
                let url = signer.sign(verb, path.as_ref(), expires)?;
                Ok(Some(Signed { url, headers, expires }))
            }
            Signing::Delegated => self.delegated(verb, &path, headers, lasts).await,
            Signing::Never => {
                self.warn("a SAS token cannot sign for others: set a key of the account, or use an identity of Entra");
                Ok(None)
            }
        }
    }

    async fn delegated(
        &self,
        verb: Verb,
        path: &Path,
        headers: Vec<(String, String)>,
        lasts: Duration,
    ) -> Result<Option<Signed>> {
        if key::encode(path.as_ref()) != path.as_ref() {
            // It would sign the name as it stands in a URL, and the service asks for the name itself.
            self.warn("keys with other characters than letters, digits, - . _ ~ and / cannot be signed without a key of the account");
            return Ok(None);
        }
        let method = match verb {
            Verb::Get => http::Method::GET,
            Verb::Put => http::Method::PUT,
        };
        let url = match self.within(0, self.patient.signed_url(method, path, lasts)).await {
            Ok(url) => url,
            Err(error) => {
                let error = self.fail(error);
                if error.kind() != Kind::Denied {
                    return Err(error);
                }
                self.warn(&format!(
                    "no user delegation key is given: grant the identity the role Storage Blob Delegator, or Storage Blob \
                     Data Contributor on the account ({})",
                    error.chain()
                ));
                return Ok(None);
            }
        };
        let expires = url.query_pairs().find(|(name, _)| name == "se").and_then(|(_, end)| end.parse().ok());
        let expires = expires.ok_or_else(|| self.strange("a signed URL has no end"))?;
        Ok(Some(Signed { url: url.into(), headers, expires }))
    }

    /// Says once that nothing is signed.
    fn warn(&self, why: &str) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            let container = &self.container;
            tracing::warn!(
                "azblob://{container} signs nothing, so large profiles go through the server: {why}"
            );
        }
    }
}

/// A name in the container; `None` for one that `object_store` cannot have.
fn named(name: &str) -> Option<Path> {
    // It takes a slash off either end, and then the name would be another's.
    Path::parse(name).ok().filter(|path| path.as_ref() == name && !name.is_empty())
}

/// The end of what begins now: not before `lasts` is over.
fn whole_second(now: Timestamp, lasts: Duration) -> Result<Timestamp> {
    let end = now.checked_add(lasts).map(|end| end.as_second() + i64::from(end.subsec_nanosecond() > 0));
    end.and_then(Timestamp::from_second)
        .map_err(|error| Error::new(Kind::Invalid, "the signature would last too long").because(error))
}

/// As the original, which asks Go's `DetectContentType`, for what it mostly writes.
fn content_type(bytes: &[u8]) -> &'static str {
    if bytes.starts_with(b"\x1f\x8b\x08") { "application/x-gzip" } else { "application/octet-stream" }
}
