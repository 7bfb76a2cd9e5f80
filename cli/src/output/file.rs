//! Profiles in files, read.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use autopgo_core::error::{Error, Kind};
use autopgo_pprof::{Limits, Profile};
use tempfile::{NamedTempFile, TempPath};

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
    let mut bytes = Vec::new();
    let failed = |error| unreadable(&name, error);
    opened(path)?.take(MOST + 1).read_to_end(&mut bytes).map_err(failed)?;
    not_too_large(bytes.len() as u64, &name)?;
    Ok(bytes)
}

/// An input that need not fit into memory.
pub(crate) enum Input {
    /// A small one, read.
    Held(Vec<u8>),
    /// A large one.
    OnDisk(OnDisk),
}

/// A file with a large input: the one that was given, or a copy of what came by a pipe, which goes when this is dropped.
pub(crate) struct OnDisk {
    path: PathBuf,
    _copy: Option<TempPath>,
}

impl OnDisk {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A file for something that takes the place of an input.
    pub(crate) fn made(write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Self> {
        let mut copy = NamedTempFile::new()?;
        write(copy.as_file_mut())?;
        let copy = copy.into_temp_path();
        Ok(Self { path: copy.to_path_buf(), _copy: Some(copy) })
    }
}

/// `path`, or standard input, read only if it has no more than `most` bytes.
pub(crate) fn input(path: &Path, most: u64) -> Result<Input, Error> {
    let name = name(path);
    let failed = |error| unreadable(&name, error);
    let mut input = opened(path)?;
    let mut bytes = Vec::new();
    (&mut input).take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 <= most {
        return Ok(Input::Held(bytes));
    }
    if !is_standard(path) {
        let found = fs::metadata(path).map_err(failed)?;
        if found.is_file() {
            not_too_large(found.len(), &name)?;
            return Ok(Input::OnDisk(OnDisk { path: path.to_owned(), _copy: None }));
        }
    }
    let mut size = 0;
    let copied = OnDisk::made(|copy| {
        copy.write_all(&bytes)?;
        size = bytes.len() as u64 + io::copy(&mut input.take(MOST), copy)?;
        Ok(())
    });
    let copied = copied.map_err(|error| {
        Error::new(Kind::Internal, format!("keeping what comes from {name} in a temporary file"))
            .because(error)
    })?;
    not_too_large(size, &name)?;
    Ok(Input::OnDisk(copied))
}

fn opened(path: &Path) -> Result<Box<dyn Read>, Error> {
    if is_standard(path) {
        if io::stdin().is_terminal() {
            let what = "standard input is a terminal; give a file, or pipe a profile in";
            return Err(Error::new(Kind::Invalid, what));
        }
        return Ok(Box::new(io::stdin().lock()));
    }
    let name = name(path);
    let failed = |error| unreadable(&name, error);
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(Error::new(Kind::Invalid, format!("reading {name}: it is a folder, not a profile")));
    }
    Ok(Box::new(file))
}

fn unreadable(name: &str, error: io::Error) -> Error {
    Error::new(Kind::Invalid, format!("reading {name}")).because(error)
}

fn not_too_large(size: u64, name: &str) -> Result<(), Error> {
    if size > MOST {
        return Err(Error::new(
            Kind::TooLarge,
            format!("{name} has more than {MOST} bytes: it is no profile"),
        ));
    }
    Ok(())
}

/// Reads the profile in `path`; `-` is standard input.
pub(crate) fn profile(path: &Path) -> Result<Profile, Error> {
    parse(&read(path)?, &name(path))
}

/// Reads the profile that `bytes` of `name` are.
pub(crate) fn parse(bytes: &[u8], name: &str) -> Result<Profile, Error> {
    Profile::parse(bytes, &limits()).map_err(|error| Error::from(error).during(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_small_input_is_held() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cpu.pprof");
        fs::write(&path, [7; 100]).expect("written");
        assert!(matches!(input(&path, 100).expect("read"), Input::Held(bytes) if bytes == [7; 100]));
        let Input::OnDisk(large) = input(&path, 99).expect("read") else {
            panic!("it is too large to be held")
        };
        assert_eq!(large.path(), path);
        input(folder.path(), 100).err().expect("a folder");
    }

    #[test]
    fn what_was_made_goes_with_its_last_user() {
        let made = OnDisk::made(|file| file.write_all(b"abc")).expect("made");
        let path = made.path().to_owned();
        assert_eq!(fs::read(&path).expect("there"), b"abc");
        drop(made);
        assert!(!path.exists());
    }
}
