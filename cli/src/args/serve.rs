//! The commands that run until they are stopped.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use autopgo_core::app::App;
use autopgo_core::duration::GoDuration;
#[cfg(any(feature = "scrape", feature = "serve"))]
use autopgo_core::{error::Result, limits::Limits};
use clap::Args;
use clap::builder::BoolishValueParser;

use super::api::{Api, positive};

#[derive(Args, Debug)]
pub(crate) struct Scrape {
    /// The file that lists the targets: [{"address": "http://host:port", "path": "...", "app": "..."}]. `path` defaults
    /// to /debug/pprof/profile, `app` to --app; comments are allowed; a change is picked up while the scraper runs
    #[arg(value_name = "CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// The most targets that are profiled at once: each round draws that many at random
    #[arg(long, short = 's', env = "AUTOPGO_SAMPLE_SIZE", value_name = "COUNT")]
    pub(crate) sample_size: NonZeroUsize,

    /// The application that profiles are uploaded for, where a target does not name its own
    #[arg(long, short = 'a', env = "AUTOPGO_APP", value_name = "APP")]
    pub(crate) app: Option<App>,

    /// The time from the start of one round of profiling to the start of the next
    #[arg(long, short = 'f', env = "AUTOPGO_FREQUENCY", default_value = "60s", value_name = "DURATION")]
    #[arg(value_parser = positive)]
    pub(crate) frequency: GoDuration,

    /// How long a target is profiled
    #[arg(long, short = 'd', env = "AUTOPGO_DURATION", default_value = "30s", value_name = "DURATION")]
    #[arg(value_parser = positive)]
    pub(crate) duration: GoDuration,

    /// How targets are found
    #[arg(long, short = 'm', env = "AUTOPGO_MODE", default_value = "file", value_name = "MODE")]
    #[arg(value_parser = ["file", "http", "dns", "kube", "consul", "nomad"])]
    pub(crate) mode: String,

    /// The port for health checks (/api/health, /api/ready), on all interfaces
    #[arg(long, short = 'p', env = "AUTOPGO_PORT", default_value_t = 8080, value_name = "PORT")]
    pub(crate) port: u16,

    #[command(flatten)]
    pub(crate) api: Api,
}

#[derive(Args, Debug)]
pub(crate) struct Server {
    /// The blob store that holds the profiles, such as s3://bucket?region=eu-central-1 or file:///var/lib/autopgo
    #[arg(long, env = "AUTOPGO_BLOB_STORE_URL", value_name = "URL")]
    pub(crate) blob_store_url: String,

    /// The event bus to publish to, such as nats://subject
    #[arg(long, env = "AUTOPGO_EVENT_WRITER_URL", value_name = "URL")]
    pub(crate) event_writer_url: String,

    /// The port for HTTP
    #[arg(long, short = 'p', env = "AUTOPGO_PORT", default_value_t = 8080, value_name = "PORT")]
    pub(crate) port: u16,

    #[command(flatten)]
    pub(crate) access: Access,
}

#[derive(Args, Debug)]
pub(crate) struct Worker {
    /// The blob store that holds the profiles, such as s3://bucket?region=eu-central-1 or file:///var/lib/autopgo
    #[arg(long, env = "AUTOPGO_BLOB_STORE_URL", value_name = "URL")]
    pub(crate) blob_store_url: String,

    /// The event bus to publish to, such as nats://subject
    #[arg(long, env = "AUTOPGO_EVENT_WRITER_URL", value_name = "URL")]
    pub(crate) event_writer_url: String,

    /// The event bus to receive from, such as nats://subject?queue=autopgo
    #[arg(long, env = "AUTOPGO_EVENT_READER_URL", value_name = "URL")]
    pub(crate) event_reader_url: String,

    /// The port for health checks (/api/health, /api/ready)
    #[arg(long, short = 'p', env = "AUTOPGO_PORT", default_value_t = 8080, value_name = "PORT")]
    pub(crate) port: u16,

    #[command(flatten)]
    pub(crate) merging: Merging,
}

#[derive(Args, Debug)]
pub(crate) struct Local {
    /// Where profiles are kept, when no blob store is given [default: the user's data folder]
    #[arg(long, env = "AUTOPGO_DATA_DIR", value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Start a few demo targets that replay recorded profiles, and scrape them
    #[arg(long, env = "AUTOPGO_DEMO", num_args = 0..=1, require_equals = true, value_name = "BOOL")]
    #[arg(default_value = "false", default_missing_value = "true", hide_default_value = true)]
    #[arg(hide_possible_values = true, value_parser = BoolishValueParser::new())]
    pub(crate) demo: bool,

    /// Run the functions of one cloud, called with that cloud's own events and within its limits
    #[arg(long, env = "AUTOPGO_EMULATE", default_value = "none", value_name = "CLOUD")]
    #[arg(value_parser = ["none", "aws", "gcp", "azure"])]
    pub(crate) emulate: String,

    /// The stage of AWS's HTTP API: with it, every path begins with /STAGE, as with --emulate aws --stage prod
    #[arg(long, env = "AUTOPGO_STAGE", value_name = "STAGE")]
    pub(crate) stage: Option<String>,

    /// The port for HTTP, on the loopback interface
    #[arg(long, short = 'p', env = "AUTOPGO_PORT", default_value_t = 8080, value_name = "PORT")]
    pub(crate) port: u16,

    /// A blob store in place of the data folder, such as s3://bucket?endpoint=http://localhost:9000
    #[arg(long, env = "AUTOPGO_BLOB_STORE_URL", value_name = "URL")]
    pub(crate) blob_store_url: Option<String>,

    /// An event bus to publish to, in place of the one in memory
    #[arg(long, env = "AUTOPGO_EVENT_WRITER_URL", value_name = "URL")]
    pub(crate) event_writer_url: Option<String>,

    /// An event bus to receive from, in place of the one in memory
    #[arg(long, env = "AUTOPGO_EVENT_READER_URL", value_name = "URL")]
    pub(crate) event_reader_url: Option<String>,

    #[command(flatten)]
    pub(crate) access: Access,

    #[command(flatten)]
    pub(crate) merging: Merging,
}

/// Who may use the API.
#[derive(Args, Debug)]
pub(crate) struct Access {
    /// The tokens that let requests in: [{"name": "...", "sha256": "...", "scopes": ["download"], "apps": ["team-*"]}],
    /// comments allowed; `autopgo token` makes such entries. The variable AUTOPGO_TOKENS can hold the list itself. Without
    /// either, whoever reaches the port may do everything
    #[arg(long, env = "AUTOPGO_TOKENS_FILE", value_name = "FILE")]
    pub(crate) tokens_file: Option<PathBuf>,
}

/// How a worker merges.
#[derive(Args, Debug)]
pub(crate) struct Merging {
    /// The prune file: which frames to drop from which application's profile. Keep a copy of a profile (`autopgo
    /// download`) before a new rule is first used: what is pruned is gone
    #[arg(long, env = "AUTOPGO_PRUNE", value_name = "FILE")]
    pub(crate) prune: Option<PathBuf>,

    /// Keep base profiles in compacted form, so that they stay small for ever
    #[arg(long, env = "AUTOPGO_COMPACT", num_args = 0..=1, require_equals = true, value_name = "BOOL")]
    #[arg(default_value = "false", default_missing_value = "true", hide_default_value = true)]
    #[arg(hide_possible_values = true, value_parser = BoolishValueParser::new())]
    pub(crate) compact: bool,

    /// How often to look for uploads that no event told of
    #[arg(long, env = "AUTOPGO_SWEEP_EVERY", default_value = "1m", value_name = "DURATION", value_parser = positive)]
    pub(crate) sweep_every: GoDuration,

    /// How old an upload is before that takes it
    #[arg(long, env = "AUTOPGO_SWEEP_AFTER", default_value = "5m", value_name = "DURATION", value_parser = positive)]
    pub(crate) sweep_after: GoDuration,
}

/// What is taken at the most, by the `AUTOPGO_MAX_*` variables and their like: there is no flag for each.
///
/// # Errors
/// `Invalid`, naming the variable, for a value that is none.
#[cfg(any(feature = "scrape", feature = "serve"))]
pub(crate) fn limits() -> Result<Limits> {
    Limits::from_lookup(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// Where an emulator stands in the place of `gs://` stores, by the variable that everybody has for it.
#[cfg(feature = "serve")]
pub(crate) fn storage_emulator_host() -> Option<String> {
    std::env::var(autopgo_boot::config::STORAGE_EMULATOR_HOST).ok().filter(|host| !host.is_empty())
}

/// The list of tokens itself. There is no flag for it, as a command line can be seen by every user of a machine.
///
/// # Errors
/// `Invalid` for what is not UTF-8: that must not pass for none.
#[cfg(feature = "serve")]
pub(crate) fn tokens() -> Result<Option<autopgo_boot::config::Hidden>> {
    use autopgo_core::error::{Error, Kind};
    match std::env::var(autopgo_boot::config::TOKENS) {
        Ok(list) if !list.trim().is_empty() => Ok(Some(autopgo_boot::config::Hidden(list))),
        Ok(_) | Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            let what = format!("{} is not UTF-8", autopgo_boot::config::TOKENS);
            Err(Error::new(Kind::Invalid, what))
        }
    }
}

#[cfg(feature = "serve")]
impl From<Merging> for autopgo_boot::Config {
    fn from(merging: Merging) -> Self {
        Self {
            prune: merging.prune,
            compact: merging.compact,
            sweep_every: merging.sweep_every.0,
            sweep_after: merging.sweep_after.0,
            ..Self::default()
        }
    }
}
