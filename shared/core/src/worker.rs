//! The worker: merges staged uploads into base profiles.
//!
//! [`Worker::handle`] takes a batch of messages and says for each what becomes of it; [`Worker::sweep`] finds what no
//! message told of. Both end in the same attempt (`worker/merge.rs`), so neither can merge an upload twice.

mod delete;
mod fold;
mod merge;
mod outcome;
mod pull;
mod settle;
mod sweep;

pub use outcome::Outcome;
pub use pull::pull;
pub use sweep::Swept;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::app::App;
use crate::error::{Error, Result};
use crate::event::{Decoded, Envelope, Event};
use crate::host::Host;
use crate::key::Id;
use crate::rules::Rules;

/// How many applications are merged side by side: each holds its base in memory.
const APPS_AT_ONCE: usize = 8;

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
    warned: merge::Warned,
}

impl Worker {
    /// A worker over `host`.
    pub fn new(host: Host, options: Options) -> Self {
        Self { host, options, known: sweep::Known::default(), warned: merge::Warned::default() }
    }

    /// What it stands on.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Handles a batch of messages, given by their bodies, and says for each whether it is done or to be handed back.
    /// The messages of one application become one merge; applications go side by side.
    pub async fn handle(&self, batch: &[Bytes]) -> Vec<Outcome> {
        let mut apps: BTreeMap<App, Vec<(usize, Envelope)>> = BTreeMap::new();
        for (index, body) in batch.iter().enumerate() {
            match Envelope::decode(body) {
                Ok(Decoded::Known(envelope)) => {
                    apps.entry(envelope.event.app().clone()).or_default().push((index, envelope));
                }
                Ok(Decoded::Unknown { kind }) => {
                    metrics::counter!("autopgo_messages_total", "outcome" => "unknown").increment(1);
                    tracing::debug!(event = kind, "a message of an unknown type was ignored");
                }
                Err(error) => {
                    metrics::counter!("autopgo_messages_total", "outcome" => "dropped").increment(1);
                    tracing::warn!(error = error.chain(), size_bytes = body.len(), "a message was dropped");
                }
            }
        }
        // What is not listed below is done: it is nothing of ours.
        let mut outcomes: Vec<Outcome> = batch.iter().map(|_| Outcome::Done).collect();
        let mut handled = stream::iter(apps)
            .map(|(app, messages)| self.handle_app(app, messages))
            .buffer_unordered(APPS_AT_ONCE);
        while let Some(results) = handled.next().await {
            for (index, result) in results {
                outcomes[index] = Outcome::of(result);
            }
        }
        outcomes
    }

    /// The messages of one application. Deletions come first: what they erase need not be merged.
    async fn handle_app(&self, app: App, messages: Vec<(usize, Envelope)>) -> Vec<(usize, Result<()>)> {
        let mut results = Vec::with_capacity(messages.len());
        let mut uploads: Vec<(usize, Id)> = Vec::new();
        for (index, Envelope { timestamp, event, .. }) in messages {
            match event {
                Event::Deleted { cleared: true, .. } => {
                    results.push((index, self.settle_decided(&app).await));
                }
                Event::Deleted { cleared: false, .. } => {
                    results.push((index, self.delete(&app, timestamp).await));
                }
                Event::Merged { id, .. } => results.push((index, self.settle(&app, &id).await)),
                Event::Uploaded { id, .. } => uploads.push((index, id)),
            }
        }
        for chunk in uploads.chunks(self.host.limits.merge_batch) {
            let ids = chunk.iter().map(|(_, id)| id.clone()).collect();
            match self.merge(&app, ids).await {
                Ok(_) => results.extend(chunk.iter().map(|(index, _)| (*index, Ok(())))),
                Err(error) => {
                    let shared = Arc::new(error);
                    results.extend(chunk.iter().map(|(index, _)| {
                        (*index, Err(Error::new(shared.kind(), shared.what()).because(Arc::clone(&shared))))
                    }));
                }
            }
        }
        results
    }
}
