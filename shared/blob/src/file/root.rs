//! The folder that is the store: opened, checked, and kept in mind so that a disk that went away is not taken for a
//! store without objects.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use autopgo_core::error::{Error, Kind, Result};

use super::draft;
use super::fail::failed;
use super::lock::Locks;
use super::place::{Place, RESERVED};

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether the folder is made if it is not there.
    pub create: bool,
    /// The mode of folders that are made, less the process's umask.
    pub folder_mode: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { create: false, folder_mode: 0o777 }
    }
}

/// The folder of a store. Everything here blocks.
pub(super) struct Root {
    path: PathBuf,
    folder_mode: u32,
    /// Folders, below the root, that are known to be on the disk with all those above them.
    durable: Mutex<HashSet<PathBuf>>,
    pub(super) locks: Locks,
}

impl Root {
    pub(super) fn open(path: &Path, options: Options) -> Result<Self> {
        // Kept whole, so that it does not depend on the folder the process is in later.
        let path = std::path::absolute(path).map_err(|error| failed("opening", path, error))?;
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                return Err(Error::new(
                    Kind::Invalid,
                    format!("{} is a file, and no folder", path.display()),
                ));
            }
            Err(error) if error.kind() == ErrorKind::NotFound && options.create => {
                make_all(&path, options.folder_mode).map_err(|error| failed("making", &path, error))?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing(&path)),
            Err(error) => return Err(failed("opening", &path, error)),
        }
        let own = path.join(RESERVED);
        let locks = own.join("lock");
        make_all(&locks, options.folder_mode).map_err(|error| failed("making", &locks, error))?;
        draft::tidy_folder(&own);
        let locks = Locks::open(locks)?;
        Ok(Self { path, folder_mode: options.folder_mode, durable: Mutex::default(), locks })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The whole path of `place`.
    pub(super) fn at(&self, place: &Place) -> PathBuf {
        self.path.join(place.path())
    }

    /// What lies at `place`: a file, or `None`. A symbolic link on the way is an error: listings follow none, and a
    /// store that reads what it does not list would lose uploads quietly.
    pub(super) fn look(&self, place: &Place) -> Result<Option<Metadata>> {
        let mut path = self.path.clone();
        let mut found = None;
        for name in place.path() {
            path.push(name);
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_symlink() => return Err(link(&path)),
                Ok(metadata) => found = Some(metadata),
                Err(error) if is_absence(&error) => {
                    self.is_there()?;
                    return Ok(None);
                }
                Err(error) => return Err(failed("looking up", &path, error)),
            }
        }
        Ok(found.filter(Metadata::is_file))
    }

    /// That the store itself is there, asked whenever something in it is not: a disk that was unmounted, or a folder
    /// that was removed, holds no objects either, and absence makes the core forget and clean up.
    pub(super) fn is_there(&self) -> Result<()> {
        let own = self.path.join(RESERVED);
        fs::metadata(&own).map(drop).map_err(|error| {
            Error::new(
                Kind::Unavailable,
                format!(
                    "{} is gone, and with it the store; was a disk unmounted or the folder removed?",
                    own.display()
                ),
            )
            .because(error)
        })
    }

    /// Whether the store can be used: the folder is there, and can be written to.
    pub(super) fn check(&self) -> Result<()> {
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing(&self.path)),
            Err(error) => return Err(failed("opening", &self.path, error)),
            Ok(_) => self.is_there()?,
        }
        let own = self.path.join(RESERVED);
        let probe = draft::begin(&own).and_then(|mut probe| io::Write::write_all(&mut probe, b"probe"));
        probe.map_err(|error| failed("writing to", &self.path, error))
    }

    /// Makes the folder `below` the root and those above it, each on the disk before anything is put into it.
    pub(super) fn make_folder(&self, below: &Path) -> Result<()> {
        if self.durable().contains(below) {
            return Ok(());
        }
        let mut path = self.path.clone();
        for name in below {
            let above = path.clone();
            path.push(name);
            match make(&path, self.folder_mode) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => match fs::symlink_metadata(&path) {
                    Ok(found) if found.is_symlink() => return Err(link(&path)),
                    _ => {}
                },
                Err(error) => {
                    if error.kind() == ErrorKind::NotFound {
                        self.is_there()?;
                    }
                    return Err(failed("making", &path, error));
                }
            }
            // Also where it was there already: whoever made it may have died before this.
            sync_folder(&above).map_err(|error| failed("syncing", &above, error))?;
        }
        self.durable().insert(below.to_owned());
        Ok(())
    }

    /// Somebody removed a folder: what is known of it and of those below is known no longer.
    pub(super) fn forget_folders(&self) {
        self.durable().clear();
    }

    fn durable(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        // Nothing panics while it holds the lock, so what it guards is always whole.
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing there, or an object where a folder would have to be.
pub(super) fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Puts the names in a folder on the disk.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    // Windows opens no folders, and keeps names by itself.
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(path)?.sync_all() {
        // Nor do some network file systems sync folders: their servers do.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

fn make(path: &Path, mode: u32) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, mode);
    #[cfg(not(unix))]
    let _ = mode;
    builder.create(path)
}

/// Makes a folder and those above it that are missing, and puts their names on the disk.
fn make_all(path: &Path, mode: u32) -> io::Result<()> {
    match make(path, mode) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => return Ok(()),
        Err(error) => match path.parent() {
            Some(above) if error.kind() == ErrorKind::NotFound => {
                make_all(above, mode)?;
                return make_all(path, mode);
            }
            _ => return Err(error),
        },
    }
    path.parent().map_or(Ok(()), sync_folder)
}

fn missing(path: &Path) -> Error {
    let path = path.display();
    Error::new(
        Kind::NotFound,
        format!("there is no folder {path}; make it, or add create_dir=1 to the URL to have it made"),
    )
}

fn link(path: &Path) -> Error {
    Error::new(
        Kind::Invalid,
        format!(
            "{} is a symbolic link, and the store follows none below its own folder; mount or move what it points to",
            path.display()
        ),
    )
}
