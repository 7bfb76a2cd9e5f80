//! What becomes of a message.

use crate::error::{Error, Result};

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

    /// Whether it is to be acknowledged.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}
