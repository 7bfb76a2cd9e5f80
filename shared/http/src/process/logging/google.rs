//! What Google Cloud reads of a line on standard error: a JSON object, and in it the field `severity`
//! (<https://cloud.google.com/logging/docs/structured-logging#special-payload-fields>). Without it every line is of the
//! severity `DEFAULT`, errors too. A trace it could read as well, but only by the name of a project, which no request
//! bears.

use std::io;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Writes JSON objects to `W`, each with its severity as its first field.
pub(super) struct Lines<W>(pub(super) W);

/// One of them.
pub(super) struct Line<W> {
    to: W,
    severity: &'static str,
}

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for Lines<W> {
    type Writer = Line<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        Line { to: self.0.make_writer(), severity: "DEFAULT" }
    }

    fn make_writer_for(&'w self, event: &Metadata<'_>) -> Self::Writer {
        Line { to: self.0.make_writer_for(event), severity: severity(*event.level()) }
    }
}

/// <https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogSeverity>
fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        _ => "DEBUG",
    }
}

impl<W: io::Write> io::Write for Line<W> {
    /// A line comes in one piece, and goes on in one, for others write at the same time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match line.strip_prefix(b"{") {
            Some(fields) => {
                let start = format!("{{\"severity\":\"{}\",", self.severity);
                self.to.write_all(&[start.as_bytes(), fields].concat())?;
            }
            None => self.to.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use crate::process::logging::tests::Lines;
    use crate::process::logging::{Format, Level};

    #[test]
    fn a_line_has_the_severity_of_google_and_is_otherwise_the_same() {
        let (lines, _log) = Lines::of(Level::Debug, Format::Google);
        tracing::error_span!("request", request.id = "r-1").in_scope(|| {
            tracing::debug!(target: "autopgo_core", "a");
            tracing::info!(target: "autopgo_core", app = "hello", "b");
            tracing::warn!(target: "autopgo_core", "c");
            tracing::error!(target: "autopgo_core", "d");
        });
        let said: Vec<_> = lines.json();
        let field = |name: &str| said.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
        assert_eq!(field("severity"), ["DEBUG", "INFO", "WARNING", "ERROR"]);
        assert_eq!(field("level"), ["DEBUG", "INFO", "WARN", "ERROR"]);
        assert_eq!(field("message"), ["a", "b", "c", "d"]);
        assert_eq!(said[1]["app"], "hello");
        assert!(said.iter().all(|line| line["span"]["request.id"] == "r-1"), "{said:?}");
    }
}
