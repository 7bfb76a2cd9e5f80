//! What the operating system says, as an error of ours: what was being done to which file, and the next step.

use std::io;
use std::path::Path;

use autopgo_core::error::{Error, Kind};

/// The error of `doing` something to `path`.
pub(super) fn failed(doing: &str, path: &Path, error: io::Error) -> Error {
    let (kind, hint) = classify(error.kind());
    let hint = if hint.is_empty() { String::new() } else { format!(": {hint}") };
    Error::new(kind, format!("{doing} {}{hint}", path.display())).because(error)
}

fn classify(kind: io::ErrorKind) -> (Kind, &'static str) {
    use io::ErrorKind as Io;
    match kind {
        Io::StorageFull => (Kind::Unavailable, "the disk is full; free some space"),
        Io::QuotaExceeded => (Kind::Unavailable, "the disk quota is used up; free some space or raise it"),
        Io::FileTooLarge => {
            (Kind::TooLarge, "larger than this process or its file system may write (ulimit -f)")
        }
        Io::PermissionDenied => {
            (Kind::Denied, "this user may not; check the owner and the mode of the folder")
        }
        Io::ReadOnlyFilesystem => (Kind::Denied, "the file system is mounted read-only"),
        Io::InvalidFilename => (Kind::Invalid, "a part of the key is longer than a file name may be"),
        Io::NotADirectory => {
            (Kind::Invalid, "a part of the key that should be a folder is an object already")
        }
        Io::IsADirectory | Io::DirectoryNotEmpty => (Kind::Invalid, "there are objects below this key"),
        Io::Unsupported => (
            Kind::Invalid,
            "this file system does not support it; a store needs one that locks files, such as a local disk",
        ),
        _ => (Kind::Unavailable, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_to_do_and_keeps_the_cause() {
        let full = failed("writing", Path::new("/data/a"), io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(full.kind(), Kind::Unavailable);
        assert_eq!(full.what(), "writing /data/a: the disk is full; free some space");
        let odd = failed("reading", Path::new("/data/a"), io::Error::other("cable"));
        assert_eq!((odd.kind(), odd.chain().as_str()), (Kind::Unavailable, "reading /data/a: cable"));
    }
}
