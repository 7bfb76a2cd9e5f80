//! Profiles in files, written: a file is replaced as a whole or not at all.

use std::fs::{self, File, Metadata};
use std::io::{self, IsTerminal, Seek, Write};
use std::path::{Path, PathBuf};

use autopgo_core::error::{Error, Kind};
use tempfile::NamedTempFile;

use super::Failure;
use super::file::is_standard;

/// Writes `bytes` to `path`, or to standard output if that is `-`.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if is_standard(path) {
        if io::stdout().is_terminal() {
            let what =
                "a profile is binary and standard output is a terminal; give a file with -o, or pipe it on";
            return Err(Error::new(Kind::Invalid, what).into());
        }
        return super::bytes(bytes);
    }
    if is_stream(path) {
        let written = File::options().write(true).open(path).and_then(|mut to| to.write_all(bytes));
        return written.map_err(|error| unwritten(path, error).into());
    }
    let mut new = Replacement::of(path)?;
    new.new.write_all(bytes).map_err(|error| unwritten(path, error))?;
    new.finish()
}

/// Whether `path` is written to as it is: standard output, a device, a pipe. There is nothing to replace.
pub(crate) fn is_stream(path: &Path) -> bool {
    is_standard(path) || fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir())
}

/// What is to take a file's place: written beside it, made durable, and renamed, so that whatever happens there is the
/// old file or the new one. It keeps the old one's permissions; a link stays a link. Dropped, it leaves nothing behind.
pub(crate) struct Replacement {
    path: PathBuf,
    target: PathBuf,
    old: Option<Metadata>,
    new: NamedTempFile,
}

impl Replacement {
    /// For the file that is at `path`, or is to be.
    pub(crate) fn of(path: &Path) -> Result<Self, Error> {
        Self::at(path).map_err(|error| unwritten(path, error))
    }

    fn at(path: &Path) -> io::Result<Self> {
        let target = end_of_links(path)?;
        let old = match fs::metadata(&target) {
            Ok(old) if old.is_dir() => {
                return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
            }
            Ok(old) => Some(old),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if old.as_ref().is_some_and(|old| old.permissions().readonly()) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only"));
        }
        let new = beside(folder(&target), old.as_ref())?;
        Ok(Self { path: path.to_owned(), target, old, new })
    }

    /// Another handle of the new file, at its beginning.
    pub(crate) fn file(&self) -> Result<File, Error> {
        let handle = || {
            let mut file = self.new.as_file().try_clone()?;
            file.rewind()?;
            Ok(file)
        };
        handle().map_err(|error| unwritten(&self.path, error))
    }

    /// Puts it in place.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let Self { path, target, old, new } = self;
        let finish = || {
            if let Some(old) = old {
                new.as_file().set_permissions(old.permissions())?;
            }
            new.as_file().sync_all()?;
            new.persist(&target)?;
            durable(folder(&target))
        };
        finish().map_err(|error: io::Error| unwritten(&path, error).into())
    }
}

fn unwritten(path: &Path, error: io::Error) -> Error {
    Error::new(Kind::Internal, format!("writing {}", path.display())).because(error)
}

fn folder(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The file that `path` leads to, also when that is not there yet.
fn end_of_links(path: &Path) -> io::Result<PathBuf> {
    const LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            Ok(next) => path = path.parent().map_or_else(|| next.clone(), |folder| folder.join(&next)),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("it is a link that leads nowhere"))
}

/// A temporary file in `folder`, with the permissions of the one that it is to replace, or else of any new file: tempfile's
/// own are for its owner alone.
fn beside(folder: &Path, old: Option<&Metadata>) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".autopgo-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = old.map_or(0o666, |old| old.permissions().mode() & 0o777 | 0o600);
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = old;
    builder.tempfile_in(folder)
}

/// Makes the rename itself durable.
#[cfg(unix)]
fn durable(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some file systems have no such thing, and some folders may be written but not read.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::PermissionDenied) =>
        {
            Ok(())
        }
        done => done,
    }
}

/// Only Unix opens a folder as a file; elsewhere the rename is as durable as the system makes it.
#[cfg(not(unix))]
fn durable(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_file_is_replaced_and_keeps_its_permissions() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("default.pgo");
        write(&path, b"one").expect("written");
        let usual =
            File::create(folder.path().join("usual")).and_then(|file| file.metadata()).expect("a file");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&path), usual.permissions().mode() & 0o777, "a new file is like any other");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("set");
        write(&path, b"two").expect("written");
        assert_eq!((fs::read(&path).expect("read"), mode(&path)), (b"two".to_vec(), 0o640));
        fs::set_permissions(&path, Permissions::from_mode(0o444)).expect("set");
        write(&path, b"three").expect_err("it is read-only");
        assert_eq!(fs::read(&path).expect("read"), b"two");
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 2, "nothing else is left behind");
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().expect("a folder");
        let (real, link) = (folder.path().join("real.pgo"), folder.path().join("link.pgo"));
        symlink("real.pgo", &link).expect("linked");
        for content in [b"one", b"two"] {
            write(&link, content).expect("written");
            assert_eq!(fs::read(&real).expect("read"), content);
            assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        }
        let around = folder.path().join("around");
        symlink("around", &around).expect("linked");
        write(&around, b"x").expect_err("it leads nowhere");
    }

    #[test]
    fn what_is_no_file_is_not_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), b"x").expect_err("a folder");
        write(&folder.path().join("missing/default.pgo"), b"x").expect_err("no such folder");
        write(Path::new("/dev/null"), b"x").expect("a device takes it");
        assert!(!fs::metadata("/dev/null").expect("there").is_file());
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0);
    }
}
