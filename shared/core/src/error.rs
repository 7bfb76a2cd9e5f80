//! The one error of the core: what kind it is decides the HTTP status, the message's outcome and the exit code;
//! what it says is for people.

use std::error::Error as StdError;
use std::fmt;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, by what the caller can do about it.
///
/// Three small matches read it and nothing else does: the HTTP status, the outcome of a message, the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Somebody else wrote first, or the key was not in the state that the write asked for. The write did not happen.
    Conflict,
    /// The credentials were refused, or do not reach this far.
    Denied,
    /// A bug of ours, or a state that should not be.
    Internal,
    /// The request, the configuration or a name is wrong; trying again changes nothing.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// Over a limit; the text names it.
    TooLarge,
    /// A fault that may pass: network, throttling, a time-out. The outcome of a write is *unknown*.
    Unavailable,
    /// The bytes are no profile that PGO can use.
    Unusable,
}

/// What was being done to what, why it failed, and the next step where there is one.
///
/// Text is lower case and has no full stop, so that it can be put behind a colon.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    what: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` that says `what`.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), source: None }
    }

    /// The same, caused by `source`: kept for the log, never shown to a client of the API with a 5xx.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Puts what was being done in front of what this error says: `context: what`.
    #[must_use]
    pub fn during(mut self, context: impl fmt::Display) -> Self {
        self.what = format!("{context}: {}", self.what);
        self
    }

    /// The same error as one of another kind.
    #[must_use]
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What failed, on what, and why, without the cause's own words.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The text with every cause behind it, for logs and for people at a terminal.
    pub fn chain(&self) -> String {
        let mut text = self.what.clone();
        let mut cause = self.source();
        while let Some(error) = cause {
            let words = error.to_string();
            // Some libraries repeat their cause in their own text.
            if !text.ends_with(&words) {
                text.push_str(": ");
                text.push_str(&words);
            }
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<autopgo_pprof::Error> for Error {
    fn from(error: autopgo_pprof::Error) -> Self {
        use autopgo_pprof::ErrorKind;
        let kind = match error.kind() {
            ErrorKind::Limit => Kind::TooLarge,
            ErrorKind::Malformed | ErrorKind::Legacy | ErrorKind::Incompatible | ErrorKind::Unusable => {
                Kind::Unusable
            }
            ErrorKind::Unreadable => Kind::Internal,
        };
        Self::new(kind, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_names_every_cause_once() {
        let inner = Error::new(Kind::Unavailable, "connection refused");
        let outer = Error::new(Kind::Unavailable, "reading app/default.pgo").because(inner);
        assert_eq!(outer.to_string(), "reading app/default.pgo");
        assert_eq!(outer.chain(), "reading app/default.pgo: connection refused");
        let twice =
            Error::new(Kind::Unavailable, "reading x: gone").because(Error::new(Kind::Unavailable, "gone"));
        assert_eq!(twice.chain(), "reading x: gone");
    }

    #[test]
    fn context_goes_in_front() {
        assert_eq!(
            Error::new(Kind::Invalid, "no name").during("reading the file").to_string(),
            "reading the file: no name"
        );
    }
}
