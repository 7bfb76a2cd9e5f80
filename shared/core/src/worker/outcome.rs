//! What becomes of a message.

use crate::error::{Error, Kind, Result};

/// Why a message is handed back that was dropped on the way.
pub(super) const UNDONE: &str = "the time was up before the message was handled; nothing of it is lost or half done, and it is handled when it is delivered again";

/// What becomes of a message.
#[derive(Debug)]
pub enum Outcome {
    /// It is done: acknowledge it.
    Done,
    /// It could not be handled now: hand it back for redelivery. Whatever the error is, it is not the message's: what
    /// is no event of ours never comes this far.
    HandBack(Error),
}

impl Outcome {
    /// The outcome of a message whose handling ended in `result`.
    pub(super) fn of(result: Result<()>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(error) => {
                metrics::counter!("autopgo_messages_total", "outcome" => "handed_back").increment(1);
                Self::HandBack(error)
            }
        }
    }

    /// The outcome of a message that was not handled to its end before its host's deadline.
    pub(super) fn undone() -> Self {
        Self::of(Err(Error::new(Kind::Unavailable, UNDONE)))
    }

    /// Whether it is to be acknowledged.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}
