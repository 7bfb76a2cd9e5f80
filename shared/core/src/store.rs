//! The domain's words over a blob store: base, staged, rejected. Nobody above this file sees a key being built.

pub mod walk;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::key::{Id, Key, Place};
use crate::limits::Limits;
use crate::port::blobs::{Blobs, Object, Signed, Stat, Version, When};

/// How many objects are removed at once.
const REMOVED_AT_ONCE: usize = 16;

/// The profiles of every application, by name and id.
#[derive(Clone)]
pub struct ProfileStore {
    blobs: Arc<dyn Blobs>,
    base_bytes: u64,
    staged_bytes: u64,
    incoming_bytes: u64,
}

/// Why an upload was set aside, as it stands in `{app}/rejected/{id}.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// What is wrong with it, for a person.
    pub message: String,
}

impl ProfileStore {
    /// The profiles in `blobs`.
    pub fn new(blobs: Arc<dyn Blobs>, limits: &Limits) -> Self {
        // Packed bytes are fewer than raw ones but for a few per block that cannot be packed.
        let packed = |raw: u64| raw.saturating_add(raw / 1000).saturating_add(1 << 10);
        Self {
            blobs,
            base_bytes: packed(limits.base().raw_bytes),
            staged_bytes: packed(limits.upload_raw_bytes),
            incoming_bytes: limits.ticket_bytes,
        }
    }

    /// The store itself, for health checks.
    pub fn blobs(&self) -> &Arc<dyn Blobs> {
        &self.blobs
    }

    /// The base profile of `app` as it is stored, or `None`.
    pub async fn base(&self, app: &App) -> Result<Option<Object>> {
        self.base_up_to(app, self.base_bytes).await
    }

    /// The same with another limit on its bytes.
    pub async fn base_up_to(&self, app: &App, limit: u64) -> Result<Option<Object>> {
        let key = Key::base(app).to_string();
        self.blobs.read(&key, limit).await.map_err(|error| read(error, &key))
    }

    /// Size, version and time of the base profile of `app`, or `None`.
    pub async fn base_stat(&self, app: &App) -> Result<Option<Stat>> {
        let key = Key::base(app).to_string();
        self.blobs.stat(&key).await.map_err(|error| stored(error, format_args!("looking up {key}")))
    }

    /// Puts `bytes` in place of the version of the base profile that was read; `None`: there was none.
    ///
    /// # Errors
    /// `Conflict` if the base is not that version any more. Any other error leaves it unknown.
    pub async fn replace(&self, app: &App, bytes: Bytes, read: Option<&Version>) -> Result<Version> {
        let key = Key::base(app).to_string();
        let when = read.map_or(When::Absent, |version| When::Is(version.clone()));
        self.blobs
            .write(&key, bytes, when)
            .await
            .map_err(|error| stored(error, format_args!("writing {key}")))
    }

    /// Signs a GET of the base profile of `app`. `None`: the store signs nothing.
    pub async fn sign_base(&self, app: &App, lasts: Duration) -> Result<Option<Signed>> {
        let key = Key::base(app).to_string();
        let signed = self.blobs.sign_get(&key, lasts).await;
        signed.map_err(|error| stored(error, format_args!("signing a download of {key}")))
    }

    /// Signs a PUT of a ticket's upload of exactly `size` bytes. `None`: the store signs nothing.
    pub async fn sign_incoming(
        &self,
        app: &App,
        id: &Id,
        size: u64,
        lasts: Duration,
    ) -> Result<Option<Signed>> {
        let key = Key::incoming(app, id).to_string();
        let signed = self.blobs.sign_put(&key, size, lasts).await;
        signed.map_err(|error| stored(error, format_args!("signing an upload to {key}")))
    }

    /// What was put with a ticket, or `None` if there is nothing.
    ///
    /// # Errors
    /// `TooLarge` if it has more bytes than a ticket allows: not every store keeps to the size that was signed.
    pub async fn incoming(&self, app: &App, id: &Id) -> Result<Option<Bytes>> {
        let key = Key::incoming(app, id).to_string();
        let object = self.blobs.read(&key, self.incoming_bytes).await;
        Ok(object.map_err(|error| read(error, &key))?.map(|object| object.bytes))
    }

    /// Stages an upload. One with this id that is there already is the same upload, sent again: it stays.
    pub async fn stage(&self, app: &App, id: &Id, bytes: Bytes) -> Result<()> {
        let key = Key::staged(app, id).to_string();
        let written = self.blobs.write(&key, bytes, When::Absent).await;
        match written.map_err(|error| stored(error, format_args!("writing {key}"))) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == Kind::Conflict => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A staged upload's bytes, or `None` if it is gone.
    ///
    /// # Errors
    /// `TooLarge` if it has more bytes than an upload can have.
    pub async fn staged(&self, app: &App, id: &Id) -> Result<Option<Bytes>> {
        let key = Key::staged(app, id).to_string();
        let object = self.blobs.read(&key, self.staged_bytes).await;
        Ok(object.map_err(|error| read(error, &key))?.map(|object| object.bytes))
    }

    /// Whether an upload is still staged. An error is never "no".
    pub async fn is_staged(&self, app: &App, id: &Id) -> Result<bool> {
        self.is_there(&Key::staged(app, id)).await
    }

    /// Whether an upload was set aside. An error is never "no".
    pub async fn is_rejected(&self, app: &App, id: &Id) -> Result<bool> {
        self.is_there(&Key::rejected(app, id)).await
    }

    async fn is_there(&self, key: &Key) -> Result<bool> {
        let stat = self.blobs.stat(&key.to_string()).await;
        Ok(stat.map_err(|error| stored(error, format_args!("looking up {key}")))?.is_some())
    }

    /// The ids of all uploads of `app` that are staged.
    pub async fn staged_ids(&self, app: &App) -> Result<BTreeSet<Id>> {
        self.ids(&Key::staging_prefix(app), None, |_| true).await
    }

    /// The ids of the uploads of `app` from `first` to `last` that are staged.
    pub async fn staged_between(&self, app: &App, first: &Id, last: &Id) -> Result<BTreeSet<Id>> {
        // A listing begins behind a text: this one lies just before the first.
        let key = Key::staged(app, first).to_string();
        let before = &key[..key.len() - 1];
        self.ids(&Key::staging_prefix(app), Some(before), |id| id <= last).await
    }

    /// The ids of all uploads of `app` that were set aside.
    pub async fn rejected_ids(&self, app: &App) -> Result<BTreeSet<Id>> {
        self.ids(&Key::rejected_prefix(app), None, |_| true).await
    }

    async fn ids(
        &self,
        prefix: &str,
        after: Option<&str>,
        wanted: impl Fn(&Id) -> bool,
    ) -> Result<BTreeSet<Id>> {
        let mut ids = BTreeSet::new();
        let mut entries = self.blobs.list(prefix, after);
        while let Some(entry) =
            entries.try_next().await.map_err(|error| stored(error, format_args!("listing {prefix}")))?
        {
            let id = match Key::parse(&entry.key).map(|key| key.place) {
                Some(Place::Staged(id) | Place::Rejected(id)) => id,
                _ => continue,
            };
            if !wanted(&id) {
                break;
            }
            ids.insert(id);
        }
        Ok(ids)
    }

    /// Removes a staged upload. Gone already is fine.
    pub async fn unstage(&self, app: &App, id: &Id) -> Result<()> {
        self.remove(&Key::staged(app, id)).await
    }

    /// Sets a staged upload aside: a copy and the reason, then the staged object goes. In this order it can be broken
    /// off anywhere and done again.
    pub async fn reject(&self, app: &App, id: &Id, reason: &Reason) -> Result<()> {
        let (from, to) = (Key::staged(app, id).to_string(), Key::rejected(app, id).to_string());
        let copied = self.blobs.copy(&from, &to).await;
        if !copied.map_err(|error| stored(error, format_args!("copying {from} to {to}")))? {
            // Somebody else has set it aside, or a deletion took it.
            return Ok(());
        }
        let key = Key::reason(app, id).to_string();
        let json = serde_json::to_vec(reason)
            .map_err(|error| Error::new(Kind::Internal, format!("writing {key}")).because(error))?;
        let written = self.blobs.write(&key, json.into(), When::Always).await;
        written.map_err(|error| stored(error, format_args!("writing {key}")))?;
        self.unstage(app, id).await
    }

    /// Removes staged uploads, several at a time, and gives those that could not be removed.
    pub async fn unstage_all(&self, app: &App, ids: impl IntoIterator<Item = Id>) -> Vec<(Id, Error)> {
        stream::iter(ids.into_iter().collect::<Vec<_>>())
            .map(|id| async move { self.unstage(app, &id).await.err().map(|error| (id, error)) })
            .buffer_unordered(REMOVED_AT_ONCE)
            .filter_map(async |failed| failed)
            .collect()
            .await
    }

    /// Removes uploads that were set aside, and their reasons, and gives those that could not be removed.
    pub async fn unreject_all(&self, app: &App, ids: impl IntoIterator<Item = Id>) -> Vec<(Id, Error)> {
        stream::iter(ids.into_iter().collect::<Vec<_>>())
            .map(|id| async move { self.unreject(app, &id).await.err().map(|error| (id, error)) })
            .buffer_unordered(REMOVED_AT_ONCE)
            .filter_map(async |failed| failed)
            .collect()
            .await
    }

    async fn unreject(&self, app: &App, id: &Id) -> Result<()> {
        self.remove(&Key::reason(app, id)).await?;
        self.remove(&Key::rejected(app, id)).await
    }

    /// Removes one object. Gone already is fine.
    pub async fn remove(&self, key: &Key) -> Result<()> {
        self.blobs
            .delete(&key.to_string())
            .await
            .map_err(|error| stored(error, format_args!("deleting {key}")))
    }
}

/// What the store says, with what was being done in front. A kind that speaks of a request (invalid, not found) would
/// be taken for the fault of a client or a message: here it is the store's, or that of its configuration.
fn stored(error: Error, doing: impl std::fmt::Display) -> Error {
    let error = error.during(doing);
    match error.kind() {
        Kind::Conflict | Kind::Denied | Kind::Unavailable | Kind::Internal => error,
        Kind::Invalid | Kind::NotFound | Kind::TooLarge | Kind::Unusable => error.with_kind(Kind::Internal),
    }
}

/// The same for a read with a limit, whose caller knows what to do about an object that is over it.
fn read(error: Error, key: &str) -> Error {
    let over = error.kind() == Kind::TooLarge;
    let error = stored(error, format_args!("reading {key}"));
    if over { error.with_kind(Kind::TooLarge) } else { error }
}
