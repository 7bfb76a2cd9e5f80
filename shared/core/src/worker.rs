//! The worker: merges staged uploads into base profiles.
//!
//! [`Worker::handle`] takes a batch of messages and says for each what becomes of it; [`Worker::sweep`] finds what no
//! message told of. Both end in the same attempt (`worker/merge.rs`), so neither can merge an upload twice.

mod delete;
mod fold;
mod gather;
mod merge;
mod outcome;
mod pull;
mod settle;
mod sweep;
mod turns;

pub use outcome::Outcome;
pub use pull::{Hand, Pace, Trouble, pull};
pub use sweep::Swept;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::app::App;
use crate::error::{Error, Result};
use crate::event::{Decoded, Envelope, Event};
use crate::host::Host;
use crate::key::Id;
use crate::rules::Rules;
use merge::By;

/// How many applications are merged side by side in one process: each holds its base in memory.
const APPS_AT_ONCE: usize = 8;
/// How many have their messages handled at once. Most of that is waiting: for the store, or for a turn to merge.
const APPS_IN_HAND: usize = 64;

/// How the worker writes base profiles.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What is pruned, by application, each time a base is written.
    pub rules: Arc<Rules>,
    /// Whether bases are kept in compacted form.
    pub compact: bool,
}

/// Merges staged uploads. Every host with a queue or a schedule is a mouth for it.
#[derive(Clone)]
pub struct Worker {
    host: Host,
    options: Options,
    known: sweep::Known,
    squeezed: Seen,
    turns: turns::Turns,
}

impl Worker {
    /// A worker over `host`.
    pub fn new(host: Host, options: Options) -> Self {
        let (known, squeezed, turns) = Default::default();
        Self { host, options, known, squeezed, turns }
    }

    /// What it stands on.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Handles a batch of messages, given by their bodies, and says for each whether it is done or to be handed back.
    /// The messages of one application become one merge; applications go side by side.
    pub async fn handle(&self, batch: &[Bytes]) -> Vec<Outcome> {
        // What is nothing of ours stays so, and the rest is handled.
        let mut outcomes: Vec<Outcome> = batch.iter().map(|_| Outcome::Done).collect();
        let mut apps: BTreeMap<App, Vec<(usize, Envelope)>> = BTreeMap::new();
        for (index, body) in batch.iter().enumerate() {
            if let Some(envelope) = Self::read(body) {
                apps.entry(envelope.event.app().clone()).or_default().push((index, envelope));
            }
        }
        let handled = stream::iter(apps).map(|(app, messages)| self.handle_app(app, messages));
        let mut handled = pin!(handled.buffer_unordered(APPS_IN_HAND));
        while let Some(results) = handled.next().await {
            for (index, result) in results {
                outcomes[index] = Outcome::of(result);
            }
        }
        outcomes
    }

    /// What a message says, or `None` for one that is nothing of ours and needs nothing done.
    fn read(body: &Bytes) -> Option<Envelope> {
        match Envelope::decode(body) {
            Ok(Decoded::Known(envelope)) => return Some(envelope),
            Ok(Decoded::Unknown { kind }) => {
                metrics::counter!("autopgo_messages_total", "outcome" => "unknown").increment(1);
                tracing::debug!(event = kind, "a message of an unknown type was ignored");
            }
            Err(error) => {
                metrics::counter!("autopgo_messages_total", "outcome" => "dropped").increment(1);
                tracing::warn!(error = error.chain(), size_bytes = body.len(), "a message was dropped");
            }
        }
        None
    }

    /// The messages of one application. Deletions come first: what they erase need not be merged.
    async fn handle_app(&self, app: App, messages: Vec<(usize, Envelope)>) -> Vec<(usize, Result<()>)> {
        let mut results = Vec::with_capacity(messages.len());
        let (mut cleared, mut uploads) = (Vec::new(), Vec::new());
        for (index, Envelope { timestamp, event, .. }) in messages {
            match event {
                Event::Deleted { cleared: true, .. } => cleared.push(index),
                Event::Deleted { cleared: false, .. } => {
                    results.push((index, self.delete(&app, timestamp).await));
                }
                Event::Merged { id, .. } => results.push((index, self.settle(&app, &id).await)),
                Event::Uploaded { id, .. } => uploads.push((index, id)),
            }
        }
        if !cleared.is_empty() {
            results.extend(shared(cleared, self.settle_decided(&app).await));
        }
        for chunk in uploads.chunks(self.host.limits.merge_batch) {
            let indices = chunk.iter().map(|(index, _)| *index);
            match self.merge(&app, chunk.iter().map(|(_, id)| id.clone()).collect(), By::Message).await {
                Ok(merged) => {
                    let mut failed: BTreeMap<Id, Error> = merged.failed.into_iter().collect();
                    results.extend(
                        chunk.iter().map(|(index, id)| (*index, failed.remove(id).map_or(Ok(()), Err))),
                    );
                }
                Err(error) => results.extend(shared(indices, Err(error))),
            }
        }
        let failed = results.iter().filter(|(_, result)| result.is_err()).count();
        if let Some((_, Err(error))) = results.iter().find(|(_, result)| result.is_err()) {
            tracing::error!(app = %app, messages = failed, error = error.chain(), "messages are handed back");
        }
        results
    }
}

/// The same result for every one of these messages.
fn shared(indices: impl IntoIterator<Item = usize>, result: Result<()>) -> Vec<(usize, Result<()>)> {
    let error = result.err().map(Arc::new);
    let again = |error: &Arc<Error>| Error::new(error.kind(), error.what()).because(Arc::clone(error));
    indices
        .into_iter()
        .map(|index| (index, error.as_ref().map_or(Ok(()), |error| Err(again(error)))))
        .collect()
}

/// Applications of which something was logged already.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeSet<App>>>);

impl Seen {
    /// Whether this is the first time for `app`.
    fn first(&self, app: &App) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(app.clone())
    }
}
