//! A download of a base profile, whole or compacted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use autopgo_pprof::{Edges, Profile, compact, has_samples};
use bytes::Bytes;
use jiff::Timestamp;

use super::Server;
use crate::api::Form;
use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::port::blobs::{Object, Signed, Stat, Version};

/// A base profile, as it goes out.
#[derive(Clone, Debug)]
pub struct Download {
    /// A gzip pprof profile.
    pub bytes: Bytes,
    /// The value for `ETag`, quotes included: of the whole form the store's version, of the compact one (weak) the
    /// build identity.
    pub etag: String,
    /// When it was last merged into.
    pub modified: Timestamp,
}

/// The answer to a download.
#[derive(Clone, Debug)]
pub enum Downloaded {
    /// The profile.
    Profile(Download),
    /// The client has it already: the `ETag` that it named.
    Unchanged {
        /// The value for `ETag`.
        etag: String,
    },
    /// The profile is more than this host sends: the store gives it to whoever has this, for a short time. A URL without
    /// a host is relative to the one that was asked.
    Elsewhere(Signed),
}

/// Compacted forms by application and version of the base: computing one costs a merge's worth of time, and CI asks
/// for the same few again and again.
#[derive(Clone, Default)]
pub(super) struct Cache(Arc<Mutex<VecDeque<Cached>>>);

struct Cached {
    app: App,
    version: Version,
    compacted: Compacted,
}

#[derive(Clone)]
struct Compacted {
    bytes: Bytes,
    etag: String,
}

/// How long a URL of the store is good for: the client follows at once.
const SIGNED: Duration = Duration::from_secs(5 * 60);
/// A base above this size is not opened to see whether it is the empty one of a deleted application: its ledger would
/// have to name some 60,000 uploads.
const OPENED: u64 = 1 << 20;
/// How many bytes are kept.
const CACHED: usize = 64 << 20;

impl Cache {
    /// A version names a write of one key: the application belongs to it.
    fn find(&self, app: &App, version: &Version) -> Option<Compacted> {
        let cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = cache.iter().find(|cached| cached.app == *app && cached.version == *version);
        found.map(|cached| cached.compacted.clone())
    }

    /// Keeps the newest of each application, and of those the latest asked for that fit.
    fn keep(&self, app: &App, version: Version, compacted: Compacted) {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cache.retain(|cached| cached.app != *app);
        cache.push_front(Cached { app: app.clone(), version, compacted });
        let mut held = 0;
        cache.retain(|cached| {
            held += cached.compacted.bytes.len();
            held <= CACHED
        });
    }
}

impl Server {
    /// The base profile of `app`. `known` says whether the client has the state of an `ETag` (its `If-None-Match`).
    ///
    /// A profile over the limit on downloads is left to the store, if it can sign. Of the compact form, which no store
    /// has, the whole profile takes the place then: the compiler makes the same of both.
    ///
    /// # Errors
    /// `NotFound` if nothing was merged yet, or all of it was deleted.
    pub async fn download(
        &self,
        app: &App,
        form: Form,
        known: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<Downloaded> {
        if form == Form::Full
            && let Some(elsewhere) = self.left_to_the_store(app, known).await?
        {
            return Ok(elsewhere);
        }
        let read = self.host.store.base(app).await;
        let object = read.map_err(|error| our_state(app, error))?.ok_or_else(|| none(app))?;
        let Object { bytes, version, modified } = object;
        let download = match form {
            Form::Full => {
                self.must_have_samples(app, bytes.clone()).await?;
                Download { bytes, etag: strong(&version), modified }
            }
            Form::Compact => {
                let compacted = self.compacted(app, bytes, version).await?;
                Download { bytes: compacted.bytes, etag: compacted.etag, modified }
            }
        };
        if known(&download.etag) {
            return Ok(Downloaded::Unchanged { etag: download.etag });
        }
        if download.bytes.len() as u64 > self.host.limits.download_bytes
            && let Some(elsewhere) = self.elsewhere(app).await?
        {
            return Ok(elsewhere);
        }
        Ok(Downloaded::Profile(download))
    }

    /// The answer for a profile over the limit, found without reading it. `None` if it is to be read.
    async fn left_to_the_store(
        &self,
        app: &App,
        known: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<Option<Downloaded>> {
        let most = self.host.limits.download_bytes;
        if most == u64::MAX {
            // A look-up costs a call: none for hosts that have no limit.
            return Ok(None);
        }
        let Some(Stat { size, version, .. }) = self.host.store.base_stat(app).await? else {
            return Err(none(app));
        };
        if size <= most.max(OPENED) {
            return Ok(None);
        }
        let etag = strong(&version);
        if known(&etag) {
            return Ok(Some(Downloaded::Unchanged { etag }));
        }
        self.elsewhere(app).await
    }

    async fn elsewhere(&self, app: &App) -> Result<Option<Downloaded>> {
        let signed = self.host.store.sign_base(app, SIGNED).await?;
        Ok(signed.map(Downloaded::Elsewhere))
    }

    /// The empty base of a deleted application is no profile. Looking for a first sample costs next to nothing.
    async fn must_have_samples(&self, app: &App, bytes: Bytes) -> Result<()> {
        let limits = self.host.limits.base();
        // Bytes that are no profile were put there by somebody else, and are theirs to see.
        let has = self.host.compute(move || Ok(has_samples(&bytes, &limits).unwrap_or(true))).await?;
        if has { Ok(()) } else { Err(none(app)) }
    }

    async fn compacted(&self, app: &App, bytes: Bytes, version: Version) -> Result<Compacted> {
        if let Some(cached) = self.compacted.find(app, &version) {
            return Ok(cached);
        }
        let limits = self.host.limits.base();
        let computed = self.host.compute(move || {
            let profile = Profile::parse(&bytes, &limits)?;
            if profile.sample_count() == 0 {
                return Ok(None);
            }
            let small = compact(&profile)?;
            let etag = format!("W/\"{}\"", Edges::of(&small)?.identity());
            Ok(Some(Compacted { bytes: small.write().into(), etag }))
        });
        let compacted = computed
            .await
            .map_err(|error| our_state(app, error.during(format_args!("compacting the profile of {app}"))))?
            .ok_or_else(|| none(app))?;
        self.compacted.keep(app, version, compacted.clone());
        Ok(compacted)
    }
}

/// The `ETag` of the whole profile: the store's version.
fn strong(version: &Version) -> String {
    format!("\"{}\"", version.as_str().trim_matches('"'))
}

/// To a client "too large" and "unusable" speak of what it sent: here it is our own state that is wrong.
pub(super) fn our_state(app: &App, error: Error) -> Error {
    if matches!(error.kind(), Kind::TooLarge | Kind::Unusable) {
        let what =
            format!("the base profile of {app} cannot be served; see `autopgo delete` to start afresh");
        return Error::new(Kind::Internal, what).because(error);
    }
    error
}

fn none(app: &App) -> Error {
    Error::new(
        Kind::NotFound,
        format!("there is no profile of {app} yet; upload one, and give the worker a moment to merge it"),
    )
}
