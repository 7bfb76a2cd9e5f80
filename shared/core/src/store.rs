//! The domain's words over a blob store: base, staged, rejected. Nobody above this file sees a key being built.

pub mod walk;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::key::{Id, Key, Place};
use crate::limits::Limits;
use crate::port::blobs::{Blobs, Object, Stat, Version, When};

/// The profiles of every application, by name and id.
#[derive(Clone)]
pub struct ProfileStore {
    blobs: Arc<dyn Blobs>,
    base_bytes: u64,
    staged_bytes: u64,
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
        }
    }

    /// The store itself, for health checks.
    pub fn blobs(&self) -> &Arc<dyn Blobs> {
        &self.blobs
    }

    /// The base profile of `app` as it is stored, or `None`.
    pub async fn base(&self, app: &App) -> Result<Option<Object>> {
        let key = Key::base(app).to_string();
        self.blobs
            .read(&key, self.base_bytes)
            .await
            .map_err(|error| error.during(format_args!("reading {key}")))
    }

    /// Size, version and time of the base profile of `app`, or `None`.
    pub async fn base_stat(&self, app: &App) -> Result<Option<Stat>> {
        let key = Key::base(app).to_string();
        self.blobs.stat(&key).await.map_err(|error| error.during(format_args!("looking up {key}")))
    }

    /// Puts `bytes` in place of the version of the base profile that was read; `None`: there was none.
    ///
    /// # Errors
    /// `Conflict` if the base is not that version any more. Any other error leaves it unknown.
    pub async fn replace(&self, app: &App, bytes: Bytes, read: Option<&Version>) -> Result<Version> {
        let key = Key::base(app).to_string();
        let when = read.map_or(When::Absent, |version| When::Is(version.clone()));
        self.blobs.write(&key, bytes, when).await.map_err(|error| error.during(format_args!("writing {key}")))
    }

    /// Stages an upload. One with this id that is there already is the same upload, sent again: it stays.
    pub async fn stage(&self, app: &App, id: &Id, bytes: Bytes) -> Result<()> {
        let key = Key::staged(app, id).to_string();
        match self.blobs.write(&key, bytes, When::Absent).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == Kind::Conflict => Ok(()),
            Err(error) => Err(error.during(format_args!("writing {key}"))),
        }
    }

    /// A staged upload's bytes, or `None` if it is gone.
    ///
    /// # Errors
    /// `TooLarge` if it has more bytes than an upload can have.
    pub async fn staged(&self, app: &App, id: &Id) -> Result<Option<Bytes>> {
        let key = Key::staged(app, id).to_string();
        let object = self.blobs.read(&key, self.staged_bytes).await;
        Ok(object.map_err(|error| error.during(format_args!("reading {key}")))?.map(|object| object.bytes))
    }

    /// Whether an upload is still staged. An error is never "no".
    pub async fn is_staged(&self, app: &App, id: &Id) -> Result<bool> {
        let key = Key::staged(app, id).to_string();
        Ok(self
            .blobs
            .stat(&key)
            .await
            .map_err(|error| error.during(format_args!("looking up {key}")))?
            .is_some())
    }

    /// The ids of all uploads of `app` that are staged.
    pub async fn staged_ids(&self, app: &App) -> Result<BTreeSet<Id>> {
        let prefix = Key::staging_prefix(app);
        self.blobs
            .list(&prefix, None)
            .try_filter_map(async |entry| {
                Ok(Key::parse(&entry.key).and_then(|key| match key.place {
                    Place::Staged(id) => Some(id),
                    _ => None,
                }))
            })
            .try_collect()
            .await
            .map_err(|error: Error| error.during(format_args!("listing {prefix}")))
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
        if !copied.map_err(|error| error.during(format_args!("copying {from} to {to}")))? {
            // Somebody else has set it aside, or a deletion took it.
            return Ok(());
        }
        let key = Key::reason(app, id).to_string();
        let json = serde_json::to_vec(reason)
            .map_err(|error| Error::new(Kind::Internal, format!("writing {key}")).because(error))?;
        let written = self.blobs.write(&key, json.into(), When::Always).await;
        written.map_err(|error| error.during(format_args!("writing {key}")))?;
        self.unstage(app, id).await
    }

    /// Removes everything of `app` that was set aside.
    pub async fn clear_rejected(&self, app: &App) -> Result<()> {
        let prefix = Key::rejected_prefix(app);
        let mut entries = self.blobs.list(&prefix, None);
        while let Some(entry) =
            entries.try_next().await.map_err(|error| error.during(format_args!("listing {prefix}")))?
        {
            self.blobs
                .delete(&entry.key)
                .await
                .map_err(|error| error.during(format_args!("deleting {}", entry.key)))?;
        }
        Ok(())
    }

    /// Removes one object. Gone already is fine.
    pub async fn remove(&self, key: &Key) -> Result<()> {
        self.blobs
            .delete(&key.to_string())
            .await
            .map_err(|error| error.during(format_args!("deleting {key}")))
    }
}
