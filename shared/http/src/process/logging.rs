//! Logs: on standard error, as text for people and as JSON lines for machines.
//!
//! A JSON line is flat: `timestamp` (RFC 3339, UTC), `level`, `target`, `message`, and the event's own fields, whose
//! names may have dots. What is logged about a request is inside `span`, which has its `request.id`. Clouds that read a
//! field of their own have it in front (`logging/google.rs`).

mod google;

use std::fmt;
use std::io::{self, IsTerminal};
use std::str::FromStr;

use autopgo_core::error::{Error, Kind, Result};
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{DefaultFields, Format as Plain, Full, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

/// From which level on events are logged (`--log-level`, `AUTOPGO_LOG_LEVEL`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Everything that helps to find out why.
    Debug,
    /// What happens: a line a request, a merge, a round of scraping.
    #[default]
    Info,
    /// What somebody should look at some day.
    Warn,
    /// What somebody should look at now.
    Error,
}

/// How events are written (`--log-format`, `AUTOPGO_LOG_FORMAT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A line for people, with colours on a terminal unless `NO_COLOR` is set.
    Text,
    /// A JSON object a line.
    Json,
    /// The same with the `severity` that Google Cloud reads.
    Google,
}

/// Text if standard error is a terminal, JSON otherwise.
impl Default for Format {
    fn default() -> Self {
        if io::stderr().is_terminal() { Self::Text } else { Self::Json }
    }
}

/// Sends every event of this process from `level` on to standard error, and panics too, as events.
///
/// # Errors
/// `Internal` if this process logs already.
pub fn init(level: Level, format: Format) -> Result<()> {
    subscriber(level, format, io::stderr().is_terminal(), io::stderr)
        .try_init()
        .map_err(|error| Error::new(Kind::Internal, "starting the log").because(error))?;
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        let what = panic.payload_as_str().unwrap_or("no text");
        let backtrace = std::backtrace::Backtrace::capture();
        let backtrace =
            (backtrace.status() == std::backtrace::BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(at, backtrace, "a panic, which is a bug: {what}");
    }));
    Ok(())
}

pub(crate) fn subscriber<W>(
    level: Level,
    format: Format,
    terminal: bool,
    writer: W,
) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let level = level.filter();
    // What libraries say at `debug` drowns what this program says, and some print headers there.
    // The client of NATS tells of each message that it drops; ours counts them and tells once in a while.
    let filter = Targets::new()
        .with_target("autopgo", level)
        .with_target("async_nats", level.min(LevelFilter::WARN))
        .with_default(level.min(LevelFilter::INFO));
    let lines = match format {
        Format::Json => json(writer),
        Format::Google => json(google::Lines(writer)),
        // The default asks `NO_COLOR`.
        Format::Text if terminal => text(writer).boxed(),
        Format::Text => text(writer).with_ansi(false).boxed(),
    };
    Registry::default().with(lines.with_filter(filter))
}

fn json<W>(writer: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).json();
    lines.flatten_event(true).with_current_span(true).with_span_list(false).boxed()
}

fn text<W>(writer: W) -> Text<W>
where
    W: for<'w> MakeWriter<'w> + 'static,
{
    tracing_subscriber::fmt::layer().with_writer(writer).with_target(false).with_timer(TimeOfDay)
}

/// Lines for people.
type Text<W> = tracing_subscriber::fmt::Layer<Registry, DefaultFields, Plain<Full, TimeOfDay>, W>;

/// The time of day in UTC, to the millisecond: who reads text as it comes knows which day it is.
struct TimeOfDay;

impl FormatTime for TimeOfDay {
    fn format_time(&self, to: &mut Writer<'_>) -> fmt::Result {
        write!(to, "{}", jiff::Timestamp::now().strftime("%H:%M:%S%.3f"))
    }
}

impl Level {
    /// What `--log-level` takes.
    pub const NAMES: [&'static str; 4] = ["debug", "info", "warn", "error"];

    fn filter(self) -> LevelFilter {
        match self {
            Self::Debug => LevelFilter::DEBUG,
            Self::Info => LevelFilter::INFO,
            Self::Warn => LevelFilter::WARN,
            Self::Error => LevelFilter::ERROR,
        }
    }
}

impl Format {
    /// What `--log-format` takes.
    pub const NAMES: [&'static str; 3] = ["text", "json", "google"];
}

impl FromStr for Level {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "debug" => Ok(Self::Debug),
            "info" => Ok(Self::Info),
            "warn" => Ok(Self::Warn),
            "error" => Ok(Self::Error),
            _ => Err(unknown("level", name, &Self::NAMES)),
        }
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            "google" => Ok(Self::Google),
            _ => Err(unknown("format", name, &Self::NAMES)),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize])
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize])
    }
}

fn unknown(what: &str, name: &str, names: &[&str]) -> Error {
    Error::new(Kind::Invalid, format!("{name:?} is no log {what}; use {}", names.join(", ")))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::{Arc, Mutex, OnceLock};

    use tracing::Dispatch;

    /// Keeps what is logged.
    #[derive(Clone, Default)]
    pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        /// A log of this thread from `level` on, for as long as the guard lives.
        pub(crate) fn of(level: Level, format: Format) -> (Self, tracing::subscriber::DefaultGuard) {
            // While there is one subscriber, a line that another thread comes to first is nobody's for good: that thread is
            // asked, and has none. So there is another one, always.
            static SECOND: OnceLock<Dispatch> = OnceLock::new();
            SECOND.get_or_init(|| Dispatch::new(subscriber(Level::Debug, Format::Text, false, io::sink)));
            let lines = Self::default();
            let writer = lines.clone();
            let subscriber = subscriber(level, format, false, move || writer.clone());
            (lines, tracing::subscriber::set_default(subscriber))
        }

        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("no panic").clone()).expect("text")
        }

        pub(crate) fn json(&self) -> Vec<serde_json::Value> {
            self.text().lines().map(|line| serde_json::from_str(line).expect(line)).collect()
        }
    }

    #[test]
    fn a_json_line_is_flat_and_has_its_time_and_its_request() {
        let (lines, _log) = Lines::of(Level::Info, Format::Json);
        tracing::error_span!("request", request.id = "r-1").in_scope(|| {
            tracing::warn!(target: "autopgo_core", app = "hello", size_bytes = 7, profile.key = "a\nb", "staged");
        });
        let line = &lines.json()[0];
        for (field, value) in
            [("level", "WARN"), ("message", "staged"), ("app", "hello"), ("profile.key", "a\nb")]
        {
            assert_eq!(line[field], value, "{line}");
        }
        assert_eq!(line["size_bytes"], 7);
        assert_eq!(line["span"]["request.id"], "r-1");
        let time = line["timestamp"].as_str().expect("text");
        assert!(time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    }

    #[test]
    fn a_level_is_ours_and_libraries_stay_quiet() {
        for (level, ours, theirs) in
            [(Level::Debug, 4, 3), (Level::Info, 3, 3), (Level::Warn, 2, 2), (Level::Error, 1, 1)]
        {
            let (lines, log) = Lines::of(level, Format::Text);
            macro_rules! all {
                ($target:literal) => {
                    tracing::debug!(target: $target, "d");
                    tracing::info!(target: $target, "i");
                    tracing::warn!(target: $target, "w");
                    tracing::error!(target: $target, "e");
                };
            }
            all!("autopgo_scraper::round");
            assert_eq!(lines.text().lines().count(), ours, "{level}: {}", lines.text());
            all!("hyper::proto");
            assert_eq!(lines.text().lines().count(), ours + theirs, "{level}: {}", lines.text());
            assert!(!lines.text().contains('\u{1b}'), "no colours where there is no terminal");
            drop(log);
        }
    }

    #[test]
    fn names_are_read_and_written_alike() {
        for name in Level::NAMES {
            assert_eq!(name.parse::<Level>().expect(name).to_string(), name);
        }
        for name in Format::NAMES {
            assert_eq!(name.parse::<Format>().expect(name).to_string(), name);
        }
        let error = "loud".parse::<Level>().expect_err("no level");
        assert_eq!(error.what(), "\"loud\" is no log level; use debug, info, warn, error");
    }
}
