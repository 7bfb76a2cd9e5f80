//! One verb a file: each takes its arguments and does what the manual says.

pub mod clean;
pub mod compact;
pub mod completions;
pub mod delete;
pub mod download;
pub mod inspect;
pub mod list;
pub mod merge;
pub mod prune;
#[cfg(feature = "scrape")]
pub mod scrape;
pub mod upload;

use std::future::Future;

use autopgo_core::error::{Error, Kind};

use crate::output::Failure;

/// Runs a command that mostly waits for a server, on this thread.
fn wait<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(Kind::Internal, "starting the runtime").because(error))?;
    Ok(runtime.block_on(work)?)
}
