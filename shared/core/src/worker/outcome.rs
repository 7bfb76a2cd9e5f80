//! What becomes of a message.

use crate::error::{Error, Kind};

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
    /// Whether it is to be acknowledged.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}

/// Why a message is handed back that was dropped on the way.
pub(super) fn undone() -> Error {
    Error::new(
        Kind::Unavailable,
        "the time was up before the message was handled; nothing of it is lost or half done, and it is handled when it is delivered again",
    )
}
