//! What becomes of a message: the one place where a [`Kind`] decides about redelivery.

use crate::error::{Error, Kind, Result};

/// What becomes of a message.
#[derive(Debug)]
pub enum Outcome {
    /// It is done: acknowledge it.
    Done,
    /// It could not be handled now: hand it back for redelivery.
    HandBack(Error),
}

impl Outcome {
    /// The outcome of a message whose handling ended in `result`.
    pub(super) fn of(result: Result<()>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(error) => match error.kind() {
                // The same message will never be handled: redelivering it would go on for ever.
                Kind::Invalid | Kind::NotFound => {
                    metrics::counter!("autopgo_messages_total", "outcome" => "dropped").increment(1);
                    tracing::warn!(error = error.chain(), "a message was dropped");
                    Self::Done
                }
                // It may pass, or somebody will mend it: a broken base, a missing permission, a bug of ours.
                Kind::Conflict
                | Kind::Denied
                | Kind::Internal
                | Kind::TooLarge
                | Kind::Unavailable
                | Kind::Unusable => {
                    metrics::counter!("autopgo_messages_total", "outcome" => "handed_back").increment(1);
                    tracing::error!(error = error.chain(), "a message is handed back");
                    Self::HandBack(error)
                }
            },
        }
    }

    /// Whether it is to be acknowledged.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}
