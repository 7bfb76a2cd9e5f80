//! Samples Go services for CPU profiles and uploads them: every so often a few random targets are profiled through
//! `net/http/pprof`, each profile is checked here and sent to the server under its application's name.
//!
//! [`run`] is the whole of it. Where targets come from is a [`source::Source`]; [`source::open`] has one for each
//! [`Mode`] of this build.
//!
//! ```no_run
//! use std::num::NonZeroUsize;
//! use std::path::Path;
//! use std::time::Duration;
//!
//! use autopgo_client::Client;
//! use autopgo_core::limits::Limits;
//! use autopgo_scraper::{Mode, Options, run, source};
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn scrape() -> autopgo_core::error::Result<()> {
//! let options = Options {
//!     client: Client::new("https://pgo.example.com/prod", autopgo_client::Options::default())?,
//!     listen: None,
//!     sample_size: NonZeroUsize::MIN,
//!     frequency: Duration::from_secs(60),
//!     duration: Duration::from_secs(30),
//!     limits: Limits::default(),
//! };
//! let targets = source::open(Mode::File, Some(Path::new("config.json")), None).await?;
//! run(options, targets, CancellationToken::new()).await
//! # }
//! ```

mod counts;
#[cfg(test)]
mod fake;
mod fetch;
mod mode;
mod outcome;
mod round;
mod run;
mod sample;
pub mod source;
mod target;

pub use mode::Mode;
pub use run::{Options, run};
pub use target::Target;
