//! SIGTERM and SIGINT: the first asks the process to end, the second does not ask.

use autopgo_core::error::{Error, Kind, Result};
use tokio_util::sync::CancellationToken;

/// A token that the first SIGTERM or SIGINT cancels. A second one ends the process at once, with the exit code that a
/// shell gives to a process which that signal killed.
///
/// To be called inside a Tokio runtime.
///
/// # Errors
/// `Internal` if the system does not let signals be caught.
pub fn on_signal() -> Result<CancellationToken> {
    let mut signals = Signals::catch().map_err(uncaught)?;
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        let (name, _) = signals.next().await;
        tracing::info!(signal = name, "stopping; a second signal stops at once");
        stop.cancel();
        let (name, code) = signals.next().await;
        tracing::warn!(signal = name, "stopped at once");
        std::process::exit(code);
    });
    Ok(token)
}

/// Waits for the first SIGTERM or SIGINT and gives the exit code that a shell gives to a process which that signal
/// killed. For what has something to clear away, and no more to finish.
///
/// # Errors
/// `Internal` if the system does not let signals be caught.
pub async fn signal() -> Result<u8> {
    let mut signals = Signals::catch().map_err(uncaught)?;
    let (_, code) = signals.next().await;
    Ok(u8::try_from(code).unwrap_or(1))
}

fn uncaught(error: std::io::Error) -> Error {
    Error::new(Kind::Internal, "catching SIGTERM and SIGINT").because(error)
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn catch() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Its name and its exit code: 128 and its number.
    async fn next(&mut self) -> (&'static str, i32) {
        tokio::select! {
            _ = self.terminate.recv() => ("SIGTERM", 143),
            _ = self.interrupt.recv() => ("SIGINT", 130),
        }
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn catch() -> std::io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) -> (&'static str, i32) {
        self.0.recv().await;
        ("SIGINT", 130)
    }
}
