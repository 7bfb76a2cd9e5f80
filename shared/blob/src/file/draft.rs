//! What is being written and is no object yet: a file beside its target, under a name that no key can have. A process
//! that is killed leaves it behind; whoever comes by long after removes it.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use super::place::RESERVED;

const SUFFIX: &str = ".tmp";
/// Older than this, nobody is writing it any more: writers wait half a minute for a lock and write for seconds.
pub(super) const ABANDONED: Duration = Duration::from_secs(3600);

/// Begins a draft in `folder`. Dropped, it is removed.
pub(super) fn begin(folder: &Path) -> io::Result<NamedTempFile> {
    let prefix = format!("{RESERVED}-");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(SUFFIX).rand_bytes(16);
    // The mode of any new file, less the umask, and not the owner's alone: the server and the worker may be two users.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Whether a file of this name is a draft.
pub(super) fn is_draft(name: &str) -> bool {
    name.strip_prefix(RESERVED).is_some_and(|rest| rest.starts_with('-') && rest.ends_with(SUFFIX))
}

/// Removes the draft at `path` if its writer must be dead.
pub(super) fn tidy(path: &Path) {
    let modified = fs::symlink_metadata(path).and_then(|found: Metadata| found.modified());
    let age = modified.map(|modified| SystemTime::now().duration_since(modified).unwrap_or_default());
    if age.is_ok_and(|age| age >= ABANDONED) {
        // If it fails: it is hidden, and somebody comes by again.
        let removed = fs::remove_file(path).is_ok();
        tracing::info!(file = %path.display(), removed, "found the draft of a writer that did not finish");
    }
}

/// Removes abandoned drafts from a folder.
pub(super) fn tidy_folder(folder: &Path) {
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        if file.file_name().to_str().is_some_and(is_draft) {
            tidy(&file.path());
        }
    }
}
