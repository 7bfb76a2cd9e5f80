//! Targets from a config file, read again when it changes and on SIGHUP. A file that broke is reported once a change;
//! the targets of the last good one stay.

mod config;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::app::App;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::health::Check;
use tokio::io::AsyncReadExt as _;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{Source, Targets};
use crate::mode::Mode;

/// How often the file is looked at. Its content is compared, not its times: those are too coarse to tell two writes
/// apart, and the file is small.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The largest config file, in bytes: over a hundred thousand targets.
const LARGEST: u64 = 16 << 20;

/// Targets from a config file: a JSON array of `{"address", "path", "app"}`, comments and trailing commas allowed.
pub struct File {
    path: PathBuf,
    app: Option<App>,
    look_every: Duration,
    state: Mutex<State>,
}

/// What was made of the file.
struct State {
    /// What the last look saw: the bytes, or why there were none.
    seen: Result<Vec<u8>, String>,
    /// Those of the last good file.
    targets: Targets,
    /// What is wrong with the file as it is now.
    problem: Option<String>,
}

impl File {
    /// Reads the config file at `path`, which must be good; `app` is for targets that name none. From here on SIGHUP
    /// does not end this process any more.
    ///
    /// # Errors
    /// `Invalid` with file, line and column for what is wrong in it; `NotFound`, `Denied`, `TooLarge` or `Unavailable`
    /// when it cannot be read.
    pub async fn open(path: &Path, app: Option<App>) -> Result<Self> {
        // Only so that a SIGHUP finds a handler from now on: `watch` listens with one of its own.
        drop(Hangups::listen()?);
        let bytes = read(path).await?;
        let targets = load(&bytes, path, app.as_ref())?;
        tracing::info!(file = %path.display(), targets = targets.len(), "scrape targets read");
        let state = Mutex::new(State { seen: Ok(bytes), targets, problem: None });
        Ok(Self { path: path.to_owned(), app, look_every: LOOK_EVERY, state })
    }

    /// The targets of a changed file if it is good. With `again` one that did not change is read again, too.
    async fn look(&self, again: bool) -> Option<Targets> {
        let bytes = read(&self.path).await;
        let seen = bytes.as_ref().map(Vec::clone).map_err(Error::chain);
        let mut state = self.state();
        if seen == state.seen && !again {
            return None;
        }
        state.seen = seen;
        let file = self.path.display();
        match bytes.and_then(|bytes| load(&bytes, &self.path, self.app.as_ref())) {
            Ok(targets) => {
                tracing::info!(%file, targets = targets.len(), "scrape targets read again");
                state.problem = None;
                state.targets = Targets::clone(&targets);
                Some(targets)
            }
            Err(error) => {
                let (error, targets) = (error.chain(), state.targets.len());
                tracing::warn!(%file, error, targets, "the config file cannot be used; the targets stay as they were");
                state.problem = Some(error);
                None
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Source for File {
    fn name(&self) -> &'static str {
        Mode::File.name()
    }

    async fn watch(&self, targets: watch::Sender<Targets>) {
        let mut hangups = Hangups::listen()
            .inspect_err(|error| tracing::warn!(error = error.chain(), "SIGHUP will not be heard"))
            .unwrap_or_default();
        targets.send_replace(Targets::clone(&self.state().targets));
        let mut looks = interval_at(Instant::now() + self.look_every, self.look_every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let again = tokio::select! {
                _ = looks.tick() => false,
                () = hangups.next() => true,
            };
            if let Some(new) = self.look(again).await {
                targets.send_replace(new);
            }
        }
    }
}

/// Healthy while the file as it is now can be used.
#[async_trait]
impl Check for File {
    async fn check(&self) -> Result<()> {
        let state = self.state();
        let Some(problem) = &state.problem else { return Ok(()) };
        let targets = state.targets.len();
        let what = format!(
            "the config file cannot be used since it changed, see the log; the {targets} targets before it stay"
        );
        Err(Error::new(Kind::Unavailable, what).because(problem.as_str()))
    }
}

/// SIGHUP, where there is such a thing.
#[derive(Default)]
struct Hangups {
    #[cfg(unix)]
    signals: Option<tokio::signal::unix::Signal>,
}

impl Hangups {
    #[cfg(unix)]
    fn listen() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        let signals = signal(SignalKind::hangup())
            .map_err(|error| Error::new(Kind::Internal, "listening for SIGHUP").because(error))?;
        Ok(Self { signals: Some(signals) })
    }

    #[cfg(not(unix))]
    fn listen() -> Result<Self> {
        Ok(Self::default())
    }

    /// Returns at the next one.
    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signals) = &mut self.signals
            && signals.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

/// The targets that `bytes` lists; what is odd but can be used is logged.
fn load(bytes: &[u8], path: &Path, app: Option<&App>) -> Result<Targets> {
    let config = config::parse(bytes, &path.display().to_string(), app)?;
    for oddity in config.oddities {
        tracing::warn!("{oddity}");
    }
    if config.targets.is_empty() {
        tracing::warn!(file = %path.display(), "the config file lists no target: nothing is profiled until it does");
    }
    Ok(config.targets.into())
}

/// The file's bytes.
async fn read(path: &Path) -> Result<Vec<u8>> {
    let failed = |error: io::Error| {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => Kind::NotFound,
            io::ErrorKind::PermissionDenied => Kind::Denied,
            _ => Kind::Unavailable,
        };
        Error::new(kind, format!("reading the config file {}", path.display())).because(error)
    };
    // A pipe could be read once only, and opening it may take for ever.
    if !tokio::fs::metadata(path).await.map_err(failed)?.is_file() {
        let what =
            format!("the config file {} is no regular file: it could not be read again", path.display());
        return Err(Error::new(Kind::Invalid, what));
    }
    let mut bytes = Vec::new();
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).await.map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        let what = format!("the config file {} is larger than {} MiB", path.display(), LARGEST >> 20);
        return Err(Error::new(Kind::TooLarge, what));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
