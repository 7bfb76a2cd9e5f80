//! `file:///absolute/folder` and `file://./relative/folder`: a store in a folder, for one machine or a file system
//! that locks.
//!
//! The layout is that of gocloud.dev's `fileblob`: the key is the path. Beside that there is `.autopgo/` at the root,
//! with the lock files, and, while something is written, `.autopgo-*.tmp` beside its target. Neither is ever listed.
//! No `.attrs` sidecars are written: they hold a content type and a checksum that nobody reads, and would make two
//! files, and twice the syncing, of each atomic write. Those a Go program left are hidden, and go with their object.
//!
//! A folder inside a store is not to be opened as a store of its own while somebody uses the outer one: their locks
//! differ. `prefix=` is the way to use a part.

mod change;
mod draft;
mod fail;
mod lock;
mod place;
mod root;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::address::{Address, Params};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::blobs::{Blobs, Entry, Object, Signed, Stat, Version, When};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

use place::Place;
pub use root::Options;
use root::Root;
use walk::Walk;

/// The scheme of these URLs.
pub const SCHEME: &str = "file";

/// Opens the folder that `address` names. The parameters are those of gocloud.dev, which `params` still holds.
pub(crate) async fn open(address: &Address, params: Params) -> Result<FileBlobs> {
    let folder = folder(address)?;
    let options = options(params)?;
    FileBlobs::open(&folder, options).await
}

/// A blob store in a folder.
#[derive(Clone)]
pub struct FileBlobs {
    root: Arc<Root>,
}

impl FileBlobs {
    /// Opens the store in `folder`.
    ///
    /// # Errors
    /// `NotFound` if there is no such folder and it is not to be made. `Invalid` if it is none. `Denied`,
    /// `Unavailable`: it cannot be written to.
    pub async fn open(folder: &Path, options: Options) -> Result<Self> {
        let folder = folder.to_owned();
        let root = blocking(move || Root::open(&folder, options)).await?;
        Ok(Self { root: Arc::new(root) })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Root) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let root = Arc::clone(&self.root);
        blocking(move || work(&root)).await
    }
}

#[async_trait]
impl Blobs for FileBlobs {
    async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        let place = Place::of(key)?;
        self.run(move |root| root.read(&place, limit)).await
    }

    async fn stat(&self, key: &str) -> Result<Option<Stat>> {
        let place = Place::of(key)?;
        self.run(move |root| root.stat(&place)).await
    }

    async fn write(&self, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        let place = Place::of(key)?;
        // The slow part, the bytes' way to the disk, is done before it is this write's turn.
        let (at, condition) = (place.clone(), when.clone());
        let draft = move |root: &Root| {
            let draft = root.draft(&at, &bytes, &condition)?;
            Ok((draft, change::version(Sha256::digest(&bytes))))
        };
        let (draft, version) = self.run(draft).await?;
        let turn = self.root.locks.turn(key).await;
        self.run(move |root| root.commit(&place, draft, &when, turn)).await?;
        Ok(version)
    }

    async fn copy(&self, from: &str, to: &str) -> Result<bool> {
        let (source, target) = (Place::of(from)?, Place::of(to)?);
        if source == target {
            // As it is: written again, it could undo a write that came between.
            return self.run(move |root| Ok(root.look(&source)?.is_some())).await;
        }
        let at = target.clone();
        let Some(draft) = self.run(move |root| root.draft_copy(&source, &at)).await? else {
            return Ok(false);
        };
        let turn = self.root.locks.turn(to).await;
        self.run(move |root| root.commit(&target, draft, &When::Always, turn)).await?;
        Ok(true)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let place = Place::of(key)?;
        let turn = self.root.locks.turn(key).await;
        self.run(move |root| root.delete(&place, turn)).await
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'_, Result<Entry>> {
        let walk = Walk::new(Arc::clone(&self.root), prefix, after);
        let pages = stream::try_unfold(walk, async |mut walk| {
            blocking(move || {
                let page = walk.page()?;
                Ok((!page.is_empty()).then_some((page, walk)))
            })
            .await
        });
        pages.map_ok(|page| stream::iter(page).map(Ok)).try_flatten().boxed()
    }

    async fn sign_put(&self, _: &str, _: u64, _: Duration) -> Result<Option<Signed>> {
        Ok(None)
    }

    async fn sign_get(&self, _: &str, _: Duration) -> Result<Option<Signed>> {
        Ok(None)
    }

    async fn check(&self) -> Result<()> {
        self.run(Root::check).await
    }
}

/// Runs what blocks where it may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::new(Kind::Internal, "work on files ended badly").because(error)))
}

/// The folder that a URL names. gocloud.dev ignores a host; here one is refused, because `file://data/x` is most often
/// meant to be `file:///data/x` and would be the folder `/x`.
fn folder(address: &Address) -> Result<PathBuf> {
    let path = address.path();
    let relative = || path.trim_start_matches('/');
    let folder = match address.host() {
        "." => relative(),
        "" | "localhost" if cfg!(windows) => relative(),
        "" | "localhost" => path,
        host => {
            return Err(Error::new(
                Kind::Invalid,
                format!(
                    "{address} has a host, {host}; write file:///{host}{path} for an absolute folder and \
                     file://./{host}{path} for a relative one"
                ),
            ));
        }
    };
    match folder {
        "" if address.host() == "." => Ok(PathBuf::from(".")),
        "" => {
            Err(Error::new(Kind::Invalid, "file:// names no folder; write file:///folder or file://./folder"))
        }
        folder => Ok(PathBuf::from(folder)),
    }
}

/// Takes the parameters of gocloud.dev's `fileblob`, v0.40, but for those that sign URLs.
fn options(mut params: Params) -> Result<Options> {
    let create = params.text("create_dir")?.is_some_and(|value| !value.is_empty());
    let folder_mode = match params.text("dir_file_mode")? {
        Some(text) => mode(&text)?,
        None => Options::default().folder_mode,
    };
    // Drafts are beside their target always, and sidecars are never written: both say what is so anyway.
    params.text("no_tmp_dir")?;
    params.choice("metadata", &[("skip", ())])?;
    params.finish()?;
    Ok(Options { create, folder_mode })
}

/// The mode is decimal. With a zero before it later versions of gocloud.dev read it as octal, so that is asked back.
fn mode(text: &str) -> Result<u32> {
    let wrong =
        |why: &str| Error::new(Kind::Invalid, format!("file://: parameter dir_file_mode is {text:?}, {why}"));
    if text.len() > 1 && text.starts_with('0') {
        let octal = u32::from_str_radix(text.trim_start_matches("0o"), 8);
        let meant = octal.map(|mode| format!("; for octal {text} write {mode}")).unwrap_or_default();
        return Err(wrong(&format!("and takes a decimal number without a zero before it{meant}")));
    }
    text.parse().ok().filter(|mode| *mode <= 0o7777).ok_or_else(|| wrong("not a decimal number of 0 to 4095"))
}

#[cfg(test)]
mod tests;
