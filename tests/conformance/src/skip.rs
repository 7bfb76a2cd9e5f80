//! What a machine lacks is skipped aloud: `tests/run` counts it, and fails where it is required.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// The list of skips, which `tests/run` names.
const LIST: &str = "AUTOPGO_TEST_SKIPS";

/// Says, once a process, that what needs `name` is skipped and why.
///
/// # Panics
/// When the list of skips cannot be written: a skip that nobody counts would pass.
#[expect(clippy::expect_used, reason = "only tests skip")]
pub fn skip(name: &str, why: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if !said.insert(name.to_owned()) {
        return;
    }
    // Past libtest's capture.
    let _ = writeln!(std::io::stderr(), "SKIP {name}: {why}");
    if let Some(path) = std::env::var_os(LIST) {
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("the list of skips");
        writeln!(file, "{name}: {why}").expect("the list of skips");
    }
}
