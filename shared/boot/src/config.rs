//! What the server side can be told, in one table: every `AUTOPGO_*` variable of it, its default and its meaning.
//!
//! It is read through a lookup, so that a command puts its flags in front of the environment and a test needs none.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use autopgo_core::duration;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::limits::Limits;

/// Where the value of a variable comes from. `None` and an empty text are the same: not set.
pub type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Which URL of the blob store.
pub const BLOB_STORE_URL: &str = "AUTOPGO_BLOB_STORE_URL";
/// Which URL events are published to.
pub const EVENT_WRITER_URL: &str = "AUTOPGO_EVENT_WRITER_URL";
/// Which URL events are received from.
pub const EVENT_READER_URL: &str = "AUTOPGO_EVENT_READER_URL";
/// Which file of prune rules.
pub const PRUNE: &str = "AUTOPGO_PRUNE";
/// Whether bases are kept compacted.
pub const COMPACT: &str = "AUTOPGO_COMPACT";
/// How often the store is swept.
pub const SWEEP_EVERY: &str = "AUTOPGO_SWEEP_EVERY";
/// How old a staged upload is before a sweep takes it.
pub const SWEEP_AFTER: &str = "AUTOPGO_SWEEP_AFTER";
/// Which file of tokens.
pub const TOKENS_FILE: &str = "AUTOPGO_TOKENS_FILE";
/// The tokens themselves.
pub const TOKENS: &str = "AUTOPGO_TOKENS";
/// How long a host that calls functions lets one run, where it does not say so itself.
pub const FUNCTION_TIMEOUT: &str = "AUTOPGO_FUNCTION_TIMEOUT";
/// Whom the token of a push has to be for.
pub const PUSH_AUDIENCE: &str = "AUTOPGO_PUSH_AUDIENCE";
/// Whose token a push has to bear.
pub const PUSH_EMAIL: &str = "AUTOPGO_PUSH_EMAIL";
/// Where the keys are that tokens of pushes are signed with.
pub const PUSH_KEYS_URL: &str = "AUTOPGO_PUSH_KEYS_URL";
/// From which level on events are logged.
pub const LOG_LEVEL: &str = "AUTOPGO_LOG_LEVEL";
/// How events are logged.
pub const LOG_FORMAT: &str = "AUTOPGO_LOG_FORMAT";
/// Which port a platform wants a service to listen at. Not ours: Cloud Run and others set it.
pub const PORT: &str = "PORT";
/// On which port the host of Azure Functions calls its handler. Not ours: the host sets it.
pub const HANDLER_PORT: &str = "FUNCTIONS_CUSTOMHANDLER_PORT";
/// What older hosts call it.
pub const HANDLER_PORT_BEFORE: &str = "FUNCTIONS_HTTPWORKER_PORT";
/// Where an emulator of Google Cloud Storage is. Not ours: Google's own clients and the Go original know it too.
pub const STORAGE_EMULATOR_HOST: &str = "STORAGE_EMULATOR_HOST";

/// Every variable of the server side but the limits (see [`Limits::VARIABLES`]): name, default, meaning.
pub const VARIABLES: &[(&str, &str, &str)] = &[
    (BLOB_STORE_URL, "", "the blob store's URL"),
    (EVENT_WRITER_URL, "", "the URL that events are published to"),
    (EVENT_READER_URL, "", "the URL that events are received from"),
    (PRUNE, "", "a file of prune rules"),
    (COMPACT, "false", "keep base profiles in compacted form"),
    (SWEEP_EVERY, "1m", "how often the store is swept for uploads that no event told of"),
    (SWEEP_AFTER, "5m", "how old a staged upload is before a sweep takes it"),
    (TOKENS_FILE, "", "a file of the tokens that let requests in"),
    (TOKENS, "", "the same list itself, for hosts without files"),
    (STORAGE_EMULATOR_HOST, "", "an emulator, as HOST:PORT, in the place of every gs:// store"),
    (
        FUNCTION_TIMEOUT,
        "10m",
        "how long a function may run; on Cloud Run, how long a schedule waits, by default 3m",
    ),
    (PUSH_AUDIENCE, "", "the audiences, with commas between, that the token of a push may be for"),
    (PUSH_EMAIL, "", "the service accounts, with commas between, whose token a push may bear"),
    (PUSH_KEYS_URL, "", "where the keys of those tokens are, if not with Google"),
    (LOG_LEVEL, "info", "from which level on a function logs"),
    (LOG_FORMAT, "", "how a function logs; as its platform reads it by default"),
    (PORT, "8080", "the port that a service listens at"),
    (HANDLER_PORT, "", "the port at which the host of Azure Functions calls its handler; the host sets it"),
    (HANDLER_PORT_BEFORE, "", "what older hosts call that port"),
];

/// The first of these variables of a platform that this process does not have: it was started by somebody else.
pub fn missing<'a>(names: &[&'a str]) -> Option<&'a str> {
    names.iter().copied().find(|name| environment(name).is_none())
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The value of a variable of the process that is no `AUTOPGO_*`: those that a provider's own tools read as well, such as
/// `AZURE_STORAGE_KEY`, which the adapters ask for by their names. An empty one is not set.
pub(crate) fn of_a_provider(name: &str) -> Option<String> {
    environment(name)
}

/// A text that is not to be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden")
    }
}

/// The server side's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The blob store's URL.
    pub blob_store_url: Option<String>,
    /// The URL that events are published to.
    pub event_writer_url: Option<String>,
    /// The URL that events are received from.
    pub event_reader_url: Option<String>,
    /// A file of prune rules.
    pub prune: Option<PathBuf>,
    /// Whether base profiles are kept in compacted form.
    pub compact: bool,
    /// How often the store is swept.
    pub sweep_every: Duration,
    /// How old a staged upload is before a sweep takes it.
    pub sweep_after: Duration,
    /// A file of the tokens that let requests in.
    pub tokens_file: Option<PathBuf>,
    /// The same list itself.
    pub tokens: Option<Hidden>,
    /// An emulator in the place of every `gs://` store.
    pub storage_emulator_host: Option<String>,
    /// How long a host that calls functions lets one run.
    pub function_timeout: Duration,
    /// Whom the token of a push may be for.
    pub push_audience: Vec<String>,
    /// Whose token a push may bear.
    pub push_email: Vec<String>,
    /// Where the keys of those tokens are, if not with Google.
    pub push_keys_url: Option<String>,
    /// From which level on a function logs.
    pub log_level: Option<String>,
    /// How a function logs.
    pub log_format: Option<String>,
    /// The port that a service listens at.
    pub port: u16,
    /// The port of loopback at which the host of Azure Functions calls its handler.
    pub handler_port: Option<u16>,
    /// What is taken at the most.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            blob_store_url: None,
            event_writer_url: None,
            event_reader_url: None,
            prune: None,
            compact: false,
            sweep_every: Duration::from_secs(60),
            sweep_after: Duration::from_secs(5 * 60),
            tokens_file: None,
            tokens: None,
            storage_emulator_host: None,
            function_timeout: Duration::from_secs(10 * 60),
            push_audience: Vec::new(),
            push_email: Vec::new(),
            push_keys_url: None,
            log_level: None,
            log_format: None,
            port: 8080,
            handler_port: None,
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// Reads every variable of this process. Where it has none, one of `defaults` counts: a platform's limits are not those
    /// of a program that runs by itself.
    ///
    /// # Errors
    /// Those of [`Config::from_lookup`].
    pub fn from_environment(defaults: &[(&str, &str)]) -> Result<Self> {
        Self::from_lookup(&|name| {
            let default =
                || defaults.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            environment(name).filter(|value| !value.trim().is_empty()).or_else(default)
        })
    }

    /// Reads every variable from `lookup`.
    ///
    /// # Errors
    /// `Invalid`, naming the variable, for a value that is none.
    pub fn from_lookup(lookup: &Lookup<'_>) -> Result<Self> {
        let set = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let default = Self::default();
        Ok(Self {
            blob_store_url: set(BLOB_STORE_URL),
            event_writer_url: set(EVENT_WRITER_URL),
            event_reader_url: set(EVENT_READER_URL),
            prune: set(PRUNE).map(PathBuf::from),
            compact: set(COMPACT).map_or(Ok(default.compact), |text| switch(COMPACT, &text))?,
            sweep_every: set(SWEEP_EVERY).map_or(Ok(default.sweep_every), |text| span(SWEEP_EVERY, &text))?,
            sweep_after: set(SWEEP_AFTER).map_or(Ok(default.sweep_after), |text| span(SWEEP_AFTER, &text))?,
            tokens_file: set(TOKENS_FILE).map(PathBuf::from),
            tokens: set(TOKENS).map(Hidden),
            storage_emulator_host: set(STORAGE_EMULATOR_HOST),
            function_timeout: set(FUNCTION_TIMEOUT)
                .map_or(Ok(default.function_timeout), |text| span(FUNCTION_TIMEOUT, &text))?,
            push_audience: set(PUSH_AUDIENCE).map(|text| several(&text)).unwrap_or_default(),
            push_email: set(PUSH_EMAIL).map(|text| several(&text)).unwrap_or_default(),
            push_keys_url: set(PUSH_KEYS_URL),
            log_level: set(LOG_LEVEL),
            log_format: set(LOG_FORMAT),
            port: set(PORT).map_or(Ok(default.port), |text| port(PORT, &text))?,
            handler_port: [HANDLER_PORT, HANDLER_PORT_BEFORE]
                .into_iter()
                .find_map(|name| Some(port(name, &set(name)?)))
                .transpose()?,
            limits: Limits::from_lookup(&set)?,
        })
    }
}

/// A switch, in the words of Go's `strconv.ParseBool` and those that people write.
fn switch(name: &str, text: &str) -> Result<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "t" | "true" | "y" | "yes" | "on" => Ok(true),
        "0" | "f" | "false" | "n" | "no" | "off" => Ok(false),
        _ => Err(Error::new(Kind::Invalid, format!("{name}={text:?}: expected true or false"))),
    }
}

fn span(name: &str, text: &str) -> Result<Duration> {
    let span = duration::parse(text.trim()).map_err(|error| error.during(format_args!("{name}={text:?}")))?;
    if span.is_zero() {
        return Err(Error::new(
            Kind::Invalid,
            format!("{name}={text:?}: expected a duration above 0 such as 1m"),
        ));
    }
    Ok(span)
}

/// Texts with commas between.
fn several(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn port(name: &str, text: &str) -> Result<u16> {
    let port = text.trim().parse().ok().filter(|port| *port != 0);
    port.ok_or_else(|| Error::new(Kind::Invalid, format!("{name}={text:?}: expected a port from 1 to 65535")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_set_is_the_default() {
        assert_eq!(Config::from_lookup(&|_| None).expect("defaults"), Config::default());
        assert_eq!(
            Config::from_lookup(&|_| Some(String::new())).expect("empty is not set"),
            Config::default()
        );
    }

    #[test]
    fn every_variable_is_read() {
        let values = [
            (BLOB_STORE_URL, "mem://x"),
            (EVENT_WRITER_URL, "mem://y"),
            (EVENT_READER_URL, "mem://z"),
            (PRUNE, "prune.json"),
            (COMPACT, "true"),
            (SWEEP_EVERY, "2s"),
            (SWEEP_AFTER, "1m30s"),
            (TOKENS_FILE, "tokens.json"),
            (TOKENS, "[]"),
            (STORAGE_EMULATOR_HOST, "localhost:4443"),
            (FUNCTION_TIMEOUT, "4m"),
            (PUSH_AUDIENCE, "https://a.run.app, https://b.run.app/sweep,"),
            (PUSH_EMAIL, "push@acme.iam.gserviceaccount.com"),
            (PUSH_KEYS_URL, "http://localhost:1/certs"),
            (LOG_LEVEL, "debug"),
            (LOG_FORMAT, "json"),
            (PORT, "9000"),
            (HANDLER_PORT, "7071"),
            (HANDLER_PORT_BEFORE, "7072"),
            ("AUTOPGO_MAX_MERGE_BATCH", "7"),
        ];
        let lookup =
            |name: &str| values.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let config = Config::from_lookup(&lookup).expect("good values");
        assert_eq!(
            config,
            Config {
                blob_store_url: Some("mem://x".to_owned()),
                event_writer_url: Some("mem://y".to_owned()),
                event_reader_url: Some("mem://z".to_owned()),
                prune: Some(PathBuf::from("prune.json")),
                compact: true,
                sweep_every: Duration::from_secs(2),
                sweep_after: Duration::from_secs(90),
                tokens_file: Some(PathBuf::from("tokens.json")),
                tokens: Some(Hidden("[]".to_owned())),
                storage_emulator_host: Some("localhost:4443".to_owned()),
                function_timeout: Duration::from_secs(240),
                push_audience: vec!["https://a.run.app".to_owned(), "https://b.run.app/sweep".to_owned()],
                push_email: vec!["push@acme.iam.gserviceaccount.com".to_owned()],
                push_keys_url: Some("http://localhost:1/certs".to_owned()),
                log_level: Some("debug".to_owned()),
                log_format: Some("json".to_owned()),
                port: 9000,
                handler_port: Some(7071),
                limits: Limits { merge_batch: 7, ..Limits::default() },
            }
        );
        assert!(VARIABLES.iter().all(|(name, ..)| values.iter().any(|(key, _)| key == name)));
    }

    #[test]
    fn a_platform_has_defaults_of_its_own() {
        let config =
            Config::from_environment(&[("AUTOPGO_DOWNLOAD_CAP_BYTES", "4613734")]).expect("a number");
        assert_eq!(config.limits.download_bytes, 4_613_734);
        let error = Config::from_environment(&[(COMPACT, "maybe")]).expect_err("no switch");
        assert!(error.what().starts_with(COMPACT), "{error}");
    }

    #[test]
    fn a_host_has_defaults_of_its_own() {
        let config = Config::from_environment(&[("AUTOPGO_DRAIN_TIMEOUT", "5s")]).expect("good values");
        assert_eq!(config.limits.drain, Duration::from_secs(5));
        let error = Config::from_environment(&[("AUTOPGO_DRAIN_TIMEOUT", "soon")]).expect_err("no duration");
        assert!(error.what().starts_with("AUTOPGO_DRAIN_TIMEOUT"), "{error}");
        assert_eq!(missing(&["PATH", "AUTOPGO_IS_NO_VARIABLE"]), Some("AUTOPGO_IS_NO_VARIABLE"));
    }

    #[test]
    fn the_port_of_an_older_host_is_one_too() {
        let lookup = |name: &str| (name == HANDLER_PORT_BEFORE).then(|| "7072".to_owned());
        assert_eq!(Config::from_lookup(&lookup).expect("a port").handler_port, Some(7072));
    }

    #[test]
    fn a_bad_value_names_its_variable() {
        for (variable, value) in [
            (COMPACT, "maybe"),
            (SWEEP_EVERY, "0"),
            (SWEEP_AFTER, "5"),
            (PORT, "http"),
            (HANDLER_PORT, "0"),
            (HANDLER_PORT_BEFORE, "65536"),
            ("AUTOPGO_MAX_SAMPLES", "-1"),
        ] {
            let lookup = |name: &str| (name == variable).then(|| value.to_owned());
            let error = Config::from_lookup(&lookup).expect_err(value);
            assert!(error.kind() == Kind::Invalid && error.what().starts_with(variable), "{error}");
        }
    }
}
