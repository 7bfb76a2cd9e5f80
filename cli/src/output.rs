//! What leaves the process: data on standard output, notes and errors on standard error, and the exit code.

pub(crate) mod file;
pub(crate) mod human;
pub(crate) mod progress;
pub(crate) mod replace;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use autopgo_core::error::{Error, Kind};
use serde::Serialize;

/// Why a command did not do what it should.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was called wrongly.
    Usage(Error),
    /// It could not do it.
    Error(Error),
    /// Whoever read our output has heard enough.
    Closed,
    /// A signal asked for its end; the exit code that stands for it.
    Stopped(u8),
}

impl Failure {
    /// A command that this build does not have.
    pub(crate) fn not_built(command: &str, feature: &str) -> Self {
        Self::Usage(Error::new(
            Kind::Invalid,
            format!(
                "this build has no `{command}`: build it with `cargo build -p autopgo --features {feature}`"
            ),
        ))
    }

    /// Options that are wrong, unless it is the machine that cannot do what they ask for.
    pub(crate) fn of_options(error: Error) -> Self {
        if error.kind() == Kind::Internal { Self::Error(error) } else { Self::Usage(error) }
    }

    /// The exit code.
    fn code(&self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::Stopped(code) => *code,
            Self::Usage(_) => 2,
            Self::Error(error) => match error.kind() {
                Kind::NotFound => 3,
                Kind::Denied => 4,
                Kind::Unavailable => 5,
                Kind::Conflict | Kind::Internal | Kind::Invalid | Kind::TooLarge | Kind::Unusable => 1,
            },
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Says what went wrong, if anything did, and gives the exit code.
pub(crate) fn exit(result: Result<(), Failure>) -> ExitCode {
    let Err(failure) = result else { return ExitCode::SUCCESS };
    if let Failure::Usage(error) | Failure::Error(error) = &failure {
        complain("error", error.chain());
    }
    ExitCode::from(failure.code())
}

/// Writes `text` to standard output.
pub(crate) fn write(text: impl fmt::Display) -> Result<(), Failure> {
    bytes(format!("{text}\n").as_bytes())
}

/// Writes `value` to standard output as JSON, for people to read as well.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::new(Kind::Internal, "writing JSON").because(error))?;
    write(text)
}

/// Writes `bytes` to standard output as they are.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Closed,
        _ => Error::new(Kind::Internal, "writing to standard output").because(error).into(),
    })
}

/// Says something to the person, beside the data.
pub(crate) fn note(text: impl fmt::Display) {
    // Nobody listens there: nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Says that something is wrong, though not so wrong that it ends here.
pub(crate) fn warn(text: impl fmt::Display) {
    complain("warning", text);
}

fn complain(how: &str, text: impl fmt::Display) {
    note(format_args!("{how}: {text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_exit_code() {
        for (kind, code) in [
            (Kind::Conflict, 1),
            (Kind::Denied, 4),
            (Kind::Internal, 1),
            (Kind::Invalid, 1),
            (Kind::NotFound, 3),
            (Kind::TooLarge, 1),
            (Kind::Unavailable, 5),
            (Kind::Unusable, 1),
        ] {
            assert_eq!(Failure::from(Error::new(kind, "x")).code(), code, "{kind:?}");
        }
        assert_eq!(Failure::Usage(Error::new(Kind::NotFound, "x")).code(), 2);
        assert_eq!(Failure::Closed.code(), 0);
    }
}
