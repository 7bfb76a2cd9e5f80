//! How a function logs, by its configuration.

use autopgo_core::error::{Error, Result};
use autopgo_http::process::logging::{self, Format, Level};

use crate::config::{Config, LOG_FORMAT, LOG_LEVEL};

/// Starts the log of a process that has all its settings from the environment, in `usual` form where they wish for no
/// other. Without a configuration, because that is wrong, it logs as usual.
///
/// # Errors
/// `Invalid` for a level or a format that there is none of; it logs as usual then. `Internal` if this process logs
/// already.
pub fn log(config: Option<&Config>, usual: Format) -> Result<()> {
    let wish = |of: fn(&Config) -> &Option<String>| config.and_then(|config| of(config).as_deref());
    let level = wish(|config| &config.log_level).map_or(Ok(Level::default()), str::parse);
    let format = wish(|config| &config.log_format).map_or(Ok(usual), str::parse);
    // A wrong wish is said in the log, so there has to be one.
    logging::init(*level.as_ref().unwrap_or(&Level::default()), *format.as_ref().unwrap_or(&usual))?;
    level.map(drop).map_err(|error: Error| error.during(LOG_LEVEL))?;
    format.map(drop).map_err(|error: Error| error.during(LOG_FORMAT))
}
