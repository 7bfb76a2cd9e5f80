//! Profiles in files: read whole, and replaced as a whole or not at all.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use autopgo_core::error::{Error, Kind};
use autopgo_pprof::{Limits, Profile};
use tempfile::NamedTempFile;

use super::Failure;

/// The most that is read of a file, in bytes. No profile is near it.
const MOST: u64 = 1 << 30;

/// Ceilings for the user's own files: far above a server's, and still a wall in front of a gzip bomb.
pub(crate) fn limits() -> Limits {
    Limits {
        raw_bytes: MOST,
        samples: 50_000_000,
        locations: 20_000_000,
        functions: 20_000_000,
        mappings: 1_000_000,
        strings: 50_000_000,
        labels_per_sample: 4096,
        comments: 10_000_000,
        frames: 500_000_000,
        labels: 100_000_000,
        lines: 100_000_000,
        lines_per_location: 4096,
        ..Limits::default()
    }
}

/// Whether `path` stands for standard input or output.
pub(crate) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The name of an input, for people.
pub(crate) fn name(path: &Path) -> String {
    if is_standard(path) { "standard input".to_owned() } else { path.display().to_string() }
}

/// Reads all of `path`; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let name = name(path);
    let failed = |error: io::Error| Error::new(Kind::Invalid, format!("reading {name}")).because(error);
    let mut bytes = Vec::new();
    if is_standard(path) {
        if io::stdin().is_terminal() {
            let what = "standard input is a terminal; give a file, or pipe a profile in";
            return Err(Error::new(Kind::Invalid, what));
        }
        io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(Error::new(Kind::Invalid, format!("reading {name}: it is a folder, not a profile")));
        }
        file.take(MOST + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 > MOST {
        return Err(Error::new(
            Kind::TooLarge,
            format!("{name} has more than {MOST} bytes: it is no profile"),
        ));
    }
    Ok(bytes)
}

/// Reads the profile in `path`; `-` is standard input.
pub(crate) fn profile(path: &Path) -> Result<Profile, Error> {
    parse(&read(path)?, &name(path))
}

/// Reads the profile that `bytes` of `name` are.
pub(crate) fn parse(bytes: &[u8], name: &str) -> Result<Profile, Error> {
    Profile::parse(bytes, &limits()).map_err(|error| Error::from(error).during(name))
}

/// Writes `bytes` to `path`, or to standard output if that is `-`.
///
/// A regular file is replaced as a whole: written beside the target, made durable, and renamed, so that whatever
/// happens there is the old file or the new one. It keeps the old one's permissions; a link stays a link.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if is_standard(path) {
        if io::stdout().is_terminal() {
            let what =
                "a profile is binary and standard output is a terminal; give a file with -o, or pipe it on";
            return Err(Error::new(Kind::Invalid, what).into());
        }
        return super::bytes(bytes);
    }
    replace(path, bytes).map_err(|error| {
        Error::new(Kind::Internal, format!("writing {}", path.display())).because(error).into()
    })
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = end_of_links(path)?;
    let old = match fs::metadata(&target) {
        Ok(old) if old.is_dir() => return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")),
        // A device or a pipe is written to: there is nothing to replace.
        Ok(old) if !old.is_file() => return File::options().write(true).open(&target)?.write_all(bytes),
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if old.as_ref().is_some_and(|old| old.permissions().readonly()) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only"));
    }
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut new = beside(folder)?;
    new.write_all(bytes)?;
    if let Some(old) = old {
        new.as_file().set_permissions(old.permissions())?;
    }
    new.as_file().sync_all()?;
    new.persist(&target)?;
    durable(folder)
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

/// A temporary file in `folder`, with the permissions of any new file: tempfile's own are for its owner alone.
fn beside(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".autopgo-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
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
