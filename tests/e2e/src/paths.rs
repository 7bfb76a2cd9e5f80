//! Where things are.

use std::path::PathBuf;

/// The root of the project.
pub fn root() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", ".."].iter().collect()
}

/// A file among the recorded profiles.
pub fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures/profiles").join(name)
}
