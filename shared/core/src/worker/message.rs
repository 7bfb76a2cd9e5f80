//! A message in hand, and the one line and the one count of it: how it ended, or that it was dropped on the way.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::outcome::{Outcome, undone};
use crate::app::App;
use crate::clock::{Clock, since};
use crate::error::{Error, Kind, Result};
use crate::event::{Decoded, Envelope, Event};
use crate::host::Host;
use crate::key::Key;

/// A message of ours that was read and has not ended.
pub(super) struct Message {
    pub(super) envelope: Envelope,
    size: usize,
    clock: Arc<dyn Clock>,
    begun: Timestamp,
    ended: bool,
}

impl Message {
    /// What `body` says, or `None` for what is nothing of ours and needs nothing done.
    pub(super) fn read(host: &Host, body: &Bytes) -> Option<Self> {
        match Envelope::decode(body) {
            Ok(Decoded::Known(envelope)) => {
                let (size, clock) = (body.len(), Arc::clone(&host.clock));
                return Some(Self { envelope, size, begun: clock.now(), clock, ended: false });
            }
            Ok(Decoded::Unknown { id, kind }) => {
                count("unknown");
                tracing::info!(
                    event.id = id,
                    "event.type" = kind,
                    outcome = "unknown",
                    size_bytes = body.len(),
                    "a message of an unknown type was ignored"
                );
            }
            Err(error) => {
                count("dropped");
                tracing::warn!(
                    outcome = "dropped",
                    size_bytes = body.len(),
                    error = error.chain(),
                    "a message was dropped"
                );
            }
        }
        None
    }

    /// Whose it is.
    pub(super) fn app(&self) -> &App {
        self.envelope.event.app()
    }

    /// It ended in `result`.
    pub(super) fn end(mut self, result: Result<()>) -> Outcome {
        self.ended = true;
        self.tell(result.as_ref().err());
        result.map_or_else(Outcome::HandBack, |()| Outcome::Done)
    }

    fn tell(&self, error: Option<&Error>) {
        let event = &self.envelope.event;
        let key = || match event {
            Event::Uploaded { app, id } | Event::Merged { app, id } => Some(Key::staged(app, id)),
            Event::Deleted { .. } => None,
        };
        let outcome = if error.is_some() { "handed_back" } else { "done" };
        count(outcome);
        macro_rules! line {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    event.id = self.envelope.id,
                    "event.type" = event.name(),
                    app = %event.app(),
                    profile.key = key().map(tracing::field::display),
                    outcome,
                    size_bytes = self.size,
                    duration_ms = u64::try_from(since(self.begun, self.clock.now()).as_millis()).unwrap_or(u64::MAX),
                    error = error.map(Error::chain),
                    $message
                )
            };
        }
        match error.map(Error::kind) {
            None => line!(info, "message"),
            Some(Kind::Unavailable) => line!(warn, "a message is handed back"),
            Some(_) => line!(error, "a message is handed back"),
        }
    }
}

/// Dropped on the way: its host had no more time for it.
impl Drop for Message {
    fn drop(&mut self) {
        if !self.ended {
            self.tell(Some(&undone()));
        }
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("autopgo_messages_total", "outcome" => outcome).increment(1);
}
