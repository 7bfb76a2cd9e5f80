//! Reading and changing one object. A change is a draft beside the target, put on the disk, and then, under the lock
//! of its key, one rename: at every moment there is the old object or the new one, whole, and a process that is killed
//! leaves a draft at the most. The condition is looked at under the same lock, and so are deletes: between the look
//! and the rename nothing can happen to the key, so a conditional write never undoes another one, and never brings
//! back what was deleted.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::blobs::{Object, Stat, Version, When};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::draft;
use super::fail::failed;
use super::lock::Turn;
use super::place::{Place, SIDECAR};
use super::root::{Root, is_absence, sync_folder};

/// How often a folder that vanishes under a writer's feet is made again.
const TRIES: usize = 4;

impl Root {
    pub(super) fn read(&self, place: &Place, limit: u64) -> Result<Option<Object>> {
        let Some((mut file, stat)) = self.find(place)? else { return Ok(None) };
        let (path, size) = (self.at(place), stat.size);
        let too_large = || {
            Error::new(
                Kind::TooLarge,
                format!("{} has {size} bytes; at most {limit} are read", path.display()),
            )
        };
        if size > limit {
            return Err(too_large());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).map_err(|_| too_large())?);
        // Nobody changes a file in place; if somebody does, it still ends at the limit.
        let read = (&mut file).take(limit.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| failed("reading", &path, error))?;
        if bytes.len() as u64 > limit {
            return Err(too_large());
        }
        Ok(Some(Object {
            version: version(Sha256::digest(&bytes)),
            bytes: bytes.into(),
            modified: stat.modified,
        }))
    }

    /// Reads the whole object: the version is its content.
    pub(super) fn stat(&self, place: &Place) -> Result<Option<Stat>> {
        let Some((mut file, found)) = self.find(place)? else { return Ok(None) };
        let mut hash = Sha256::new();
        io::copy(&mut file, &mut hash).map_err(|error| failed("reading", &self.at(place), error))?;
        Ok(Some(Stat { size: found.size, version: version(hash.finalize()), modified: found.modified }))
    }

    /// A draft of `bytes`, on the disk, beside where they will lie. None is made for a write that cannot be.
    pub(super) fn draft(&self, place: &Place, bytes: &[u8], when: &When) -> Result<NamedTempFile> {
        if *when == When::Absent && self.look(place)?.is_some() {
            return Err(self.conflict(place, "it is there already")?);
        }
        self.draft_with(place, |draft| draft.write_all(bytes))
    }

    /// Puts `draft` in its place if `when` holds.
    pub(super) fn commit(&self, place: &Place, draft: NamedTempFile, when: &When, turn: Turn) -> Result<()> {
        let held = self.locks.hold(turn)?;
        let path = self.at(place);
        let problem = match (when, self.look(place)?) {
            (When::Absent, Some(_)) => Some("it is there already"),
            (When::Is(_), None) => Some("it is not there"),
            (When::Is(version), Some(_)) => match self.stat(place)? {
                Some(stat) if stat.version == *version => None,
                _ => Some("it was written meanwhile"),
            },
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(self.conflict(place, problem)?);
        }
        // What a Go program noted of the old content. None is fine, a wrong one is not.
        self.remove(&sidecar(&path))?;
        draft.persist(&path).map_err(|error| failed("renaming to", &path, error.error))?;
        self.sync(&path)?;
        drop(held);
        Ok(())
    }

    /// A draft with the content of `from`, for `to`. `None` if there is no such object.
    pub(super) fn draft_copy(&self, from: &Place, to: &Place) -> Result<Option<NamedTempFile>> {
        let Some((mut file, _)) = self.find(from)? else { return Ok(None) };
        self.draft_with(to, |draft| io::copy(&mut file, draft.as_file_mut()).map(drop)).map(Some)
    }

    pub(super) fn delete(&self, place: &Place, turn: Turn) -> Result<()> {
        let held = self.locks.hold(turn)?;
        let path = self.at(place);
        if self.look(place)?.is_some() {
            self.remove(&sidecar(&path))?;
            self.remove(&path)?;
            // The folder stays, even when it is empty: an application has four at the most, they are used again and
            // again, and a folder that never goes is one that no writer loses.
            self.sync(&path)?;
        }
        drop(held);
        Ok(())
    }

    /// Why a write was not made. Who is told that an object is there already takes it for written, so it must be on
    /// the disk; whoever wrote it may have died between the rename and that.
    fn conflict(&self, place: &Place, problem: &str) -> Result<Error> {
        let path = self.at(place);
        self.sync(&path)?;
        Ok(Error::new(Kind::Conflict, format!("writing {}: {problem}", path.display())))
    }

    /// The open file of an object, and what is known of it; its version is not read yet.
    fn find(&self, place: &Place) -> Result<Option<(File, Found)>> {
        if self.look(place)?.is_none() {
            return Ok(None);
        }
        let path = self.at(place);
        let file = match File::open(&path) {
            Ok(file) => file,
            // Deleted since the look.
            Err(error) if is_absence(&error) => return Ok(None),
            Err(error) => return Err(failed("opening", &path, error)),
        };
        let metadata = file.metadata().map_err(|error| failed("reading", &path, error))?;
        let modified = metadata.modified().map_err(|error| failed("reading the time of", &path, error))?;
        let modified = Timestamp::try_from(modified).unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(Some((file, Found { size: metadata.len(), modified })))
    }

    fn draft_with(
        &self,
        place: &Place,
        mut fill: impl FnMut(&mut NamedTempFile) -> io::Result<()>,
    ) -> Result<NamedTempFile> {
        let folder = self.path().join(place.folder());
        let mut draft = self.begin(place, &folder)?;
        fill(&mut draft)
            .and_then(|()| draft.as_file().sync_all())
            .map_err(|error| failed("writing", &self.at(place), error))?;
        Ok(draft)
    }

    fn begin(&self, place: &Place, folder: &Path) -> Result<NamedTempFile> {
        let mut tries = 0;
        loop {
            tries += 1;
            self.make_folder(place.folder())?;
            match draft::begin(folder) {
                Ok(draft) => return Ok(draft),
                // Somebody tidies up by hand.
                Err(error) if error.kind() == ErrorKind::NotFound && tries < TRIES => {
                    self.is_there()?;
                    self.forget_folders();
                }
                Err(error) => return Err(failed("writing to", folder, error)),
            }
        }
    }

    fn remove(&self, path: &Path) -> Result<()> {
        match fs::remove_file(path) {
            Err(error) if !is_absence(&error) => Err(failed("removing", path, error)),
            _ => Ok(()),
        }
    }

    /// Puts the name of `path`, or its absence, on the disk.
    fn sync(&self, path: &Path) -> Result<()> {
        let folder = path.parent().unwrap_or(self.path());
        match sync_folder(folder) {
            Err(error) if !is_absence(&error) => Err(failed("syncing", folder, error)),
            _ => Ok(()),
        }
    }
}

struct Found {
    size: u64,
    modified: Timestamp,
}

/// What the bytes are is what they are called: SHA-256, in hexadecimal.
pub(super) fn version(hash: impl std::fmt::LowerHex) -> Version {
    Version::new(format!("{hash:x}"))
}

fn sidecar(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(SIDECAR);
    name.into()
}
