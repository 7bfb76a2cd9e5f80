//! Profiles in files, read.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, Write};
use std::path::Path;

use autopgo_core::error::{Error, Kind};
use autopgo_pprof::{Limits, Profile};

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
    /// A large one: the file that was given, or a nameless copy of what came by a pipe.
    OnDisk(File),
}

/// `path`, or standard input, read only if it has no more than `most` bytes, or if there is no room on disk for a copy.
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
        let mut file = File::open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        if found.is_file() {
            not_too_large(found.len(), &name)?;
            file.rewind().map_err(failed)?;
            return Ok(Input::OnDisk(file));
        }
    }
    let mut input = input.take(MOST);
    let Ok(mut copy) = tempfile::tempfile() else {
        input.read_to_end(&mut bytes).map_err(failed)?;
        not_too_large(bytes.len() as u64, &name)?;
        return Ok(Input::Held(bytes));
    };
    let copied = copy.write_all(&bytes).and_then(|()| io::copy(&mut input, &mut copy));
    let copied =
        copied.and_then(|more| copy.rewind().map(|()| bytes.len() as u64 + more)).map_err(|error| {
            let what = format!("keeping what comes from {name} in a temporary file; TMPDIR says where");
            Error::new(Kind::Internal, what).because(error)
        })?;
    not_too_large(copied, &name)?;
    Ok(Input::OnDisk(copy))
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
    use std::fs;

    #[test]
    fn only_a_small_input_is_held() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cpu.pprof");
        fs::write(&path, [7; 100]).expect("written");
        assert!(matches!(input(&path, 100).expect("read"), Input::Held(bytes) if bytes == [7; 100]));
        assert_eq!(on_disk(&path, 99), [7; 100]);
        input(folder.path(), 100).err().expect("a folder");
    }

    #[cfg(unix)]
    #[test]
    fn what_comes_by_a_pipe_is_copied_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
        assert!(made.success());
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|at| (at >> 3) as u8).collect();
        let writing = {
            let (path, bytes) = (path.clone(), bytes.clone());
            std::thread::spawn(move || fs::write(path, bytes).expect("written"))
        };
        assert!(on_disk(&path, 1000) == bytes);
        writing.join().expect("written");
    }

    fn on_disk(path: &Path, most: u64) -> Vec<u8> {
        let Input::OnDisk(mut file) = input(path, most).expect("read") else { panic!("it is held") };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("read");
        bytes
    }
}
