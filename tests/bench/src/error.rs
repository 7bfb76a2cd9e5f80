//! Why something could not be measured.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// What went wrong, with what.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("{program} could not be started: {source}")]
    Start { program: PathBuf, source: io::Error },
    #[error("`{command}` failed ({status}): {stderr}")]
    Failed { command: String, status: ExitStatus, stderr: String },
    #[error("`{command}` answered with something else than its figures: {source}")]
    Answer { command: String, source: serde_json::Error },
    #[error("{what}: {source}")]
    Profile { what: String, source: autopgo_pprof::Error },
    #[error("/proc/self/status does not tell the peak memory (VmHWM); this needs Linux")]
    NoPeak,
    #[error("{what}: there is nothing to compare with, the reference took none")]
    Nothing { what: String },
    #[error("{row}: the results differ from the reference's ({how}): their times say nothing")]
    Differ { row: String, how: String },
    #[error("the hostile profile does not fit into its own limit of {limit} bytes: it takes {found}")]
    TooLarge { found: usize, limit: u64 },
    #[error("no row has {wanted:?} in its name; there are: {names}")]
    NoRow { wanted: String, names: String },
    #[error("{doing}: {}", source.chain())]
    Pipeline { doing: &'static str, source: autopgo_core::error::Error },
    #[error("{what}, which should not be")]
    Unexpected { what: String },
    #[error("this costs more calls than it may: {0}")]
    TooMany(String),
    #[cfg(feature = "services")]
    #[error("this does not hold: {0}")]
    Missed(String),
    #[error("starting the runtime: {0}")]
    Runtime(io::Error),
    #[error("{path}: the section between `{open}` and `{close}` is not whole; mend it by hand")]
    Section { path: PathBuf, open: String, close: String },
}

impl Error {
    /// For `map_err`: which file it was.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_path_buf(), source }
    }

    /// For `map_err`: what the pipeline was doing.
    pub(crate) fn pipeline(doing: &'static str) -> impl FnOnce(autopgo_core::error::Error) -> Self {
        move |source| Self::Pipeline { doing, source }
    }

    /// For `map_err`: what was being done to which profile.
    pub(crate) fn profile(what: impl Into<String>) -> impl FnOnce(autopgo_pprof::Error) -> Self {
        move |source| Self::Profile { what: what.into(), source }
    }
}
