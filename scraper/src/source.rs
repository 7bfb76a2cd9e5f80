//! Where targets come from. A mode of discovery is one file here and an arm in [`open`]; nothing else of the scraper
//! knows which one it is.

mod file;
mod fixed;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use autopgo_core::app::App;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::health::Check;
use tokio::sync::watch;

use crate::mode::Mode;
use crate::target::Target;

pub use file::File;
pub use fixed::Fixed;

/// A set of targets. Two of them may share a URL: they are then never profiled at the same time.
pub type Targets = Arc<[Arc<Target>]>;

/// Finds targets and keeps the set up to date. As a [`Check`] it says whether it can.
///
/// A source that fails keeps the set it sent last, says so in the log once for each change, and tries again.
#[async_trait]
pub trait Source: Check {
    /// Its name in the health report.
    fn name(&self) -> &'static str;

    /// Sends the set of targets as soon as it is known and then whenever it changes. It does not return by itself;
    /// to drop the future is to stop it.
    async fn watch(&self, targets: watch::Sender<Targets>);
}

/// The source for `mode`. `argument` is the command's: in mode `file` the config file, which must be good now.
/// `app` is the application of those targets that name none.
///
/// # Errors
/// `Invalid`: a mode that this build does not have, no config file, or one that cannot be used; `NotFound`, `Denied` or
/// `Unavailable` when it cannot be read.
pub async fn open(mode: Mode, argument: Option<&Path>, app: Option<App>) -> Result<Arc<dyn Source>> {
    match mode {
        Mode::File => {
            let path = argument.ok_or_else(|| {
                Error::new(Kind::Invalid, "mode file needs a config file: autopgo scrape config.json")
            })?;
            Ok(Arc::new(File::open(path, app).await?))
        }
        Mode::Http | Mode::Dns | Mode::Kube | Mode::Consul | Mode::Nomad => Err(Error::new(
            Kind::Invalid,
            format!("this build does not have mode {mode} yet; list the targets in a file and use mode file"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn modes_that_are_not_there_say_so() {
        for mode in Mode::ALL.into_iter().filter(|mode| *mode != Mode::File) {
            let Err(error) = open(mode, None, None).await else { panic!("{mode} opened") };
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(
                error.what().starts_with(&format!("this build does not have mode {mode} yet")),
                "{error}"
            );
        }
        let Err(error) = open(Mode::File, None, None).await else { panic!("opened without a file") };
        assert_eq!(error.what(), "mode file needs a config file: autopgo scrape config.json");
    }
}
