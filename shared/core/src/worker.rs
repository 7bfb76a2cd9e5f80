//! The worker: merges staged uploads into base profiles.
//!
//! [`Worker::handle`] takes a batch of messages and says for each what becomes of it; [`Worker::sweep`] finds what no
//! message told of. Both end in the same attempt (`worker/merge.rs`), so neither can merge an upload twice.

mod delete;
mod fold;
mod gather;
mod merge;
mod message;
mod next;
mod outcome;
mod pull;
mod settle;
mod sweep;
mod turns;

pub use outcome::Outcome;
pub use pull::{Hand, Pace, Trouble, pull};
pub use sweep::Swept;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::app::App;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::host::Host;
use crate::key::Id;
use crate::rules::Rules;
use merge::By;
use message::Message;
use outcome::undone;

/// How many applications are merged side by side in one process: each holds its base in memory, and connections to the store.
/// What comes for the others meanwhile becomes one merge of each.
const APPS_AT_ONCE: usize = 4;
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
    /// A worker over `host`. Whoever keeps metrics in this process is told what it counts.
    pub fn new(host: Host, options: Options) -> Self {
        crate::counts::of_worker();
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
        self.handle_until(batch, std::future::pending()).await
    }

    /// The same, for as long as `deadline` does not resolve: by then what is finished is done, and the rest is dropped
    /// where it stands and handed back as `Unavailable`. For a host that is stopped, or not waited for any more, at a
    /// known time; it resolves early enough for the answer to get out.
    ///
    /// Nothing is half done by that. A merge is one conditional write: it landed, or it may yet land, and then the
    /// ledger in it names the uploads, so that whoever is given the messages again finds them merged; or it did not, and
    /// they are merged then. A deletion, too, is done again from its first step.
    pub async fn handle_until(&self, batch: &[Bytes], deadline: impl Future<Output = ()>) -> Vec<Outcome> {
        // What is nothing of ours is done, whenever the deadline comes.
        let mut outcomes: Vec<Option<Outcome>> = batch.iter().map(|_| Some(Outcome::Done)).collect();
        let mut apps: BTreeMap<App, Vec<(usize, Message)>> = BTreeMap::new();
        for (index, body) in batch.iter().enumerate() {
            if let Some(message) = Message::read(&self.host, body) {
                outcomes[index] = None;
                apps.entry(message.app().clone()).or_default().push((index, message));
            }
        }
        let outcomes = Mutex::new(outcomes);
        // No code panics while it holds the lock, so what it guards is always whole.
        let known = &|| outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let handled = stream::iter(apps).map(|(app, messages)| {
            let mut tell = move |index: usize, outcome| known()[index] = Some(outcome);
            async move { self.handle_app(app, messages, &mut tell).await }
        });
        let handled = handled.buffer_unordered(APPS_IN_HAND).collect::<()>();
        tokio::select! {
            biased;
            () = deadline => {}
            () = handled => {}
        }
        let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
        outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| Outcome::HandBack(undone()))).collect()
    }

    /// The messages of one application, each with a mark of the caller's by which he is told its outcome, as soon as that
    /// is known. Deletions come first: what they erase need not be merged.
    async fn handle_app<T: Send>(
        &self,
        app: App,
        messages: Vec<(T, Message)>,
        tell: &mut (dyn FnMut(T, Outcome) + Send),
    ) {
        let (mut cleared, mut uploads) = (Vec::new(), Vec::new());
        for (mark, message) in messages {
            let result = match &message.envelope.event {
                Event::Deleted { cleared: true, .. } => {
                    cleared.push((mark, message));
                    continue;
                }
                Event::Uploaded { id, .. } => {
                    uploads.push((mark, id.clone(), message));
                    continue;
                }
                Event::Deleted { .. } => self.delete(&app, message.envelope.timestamp).await,
                Event::Merged { id, .. } => self.settle(&app, id).await,
            };
            tell(mark, message.end(result));
        }
        if !cleared.is_empty() {
            let results = shared(cleared.len(), self.settle_decided(&app).await);
            cleared
                .into_iter()
                .zip(results)
                .for_each(|((mark, message), result)| tell(mark, message.end(result)));
        }
        let mut uploads = uploads.into_iter();
        while !uploads.as_slice().is_empty() {
            let batch: Vec<(T, Id, Message)> = uploads.by_ref().take(self.host.limits.merge_batch).collect();
            match self.merge(&app, batch.iter().map(|(_, id, _)| id.clone()).collect(), By::Message).await {
                Ok(merged) => {
                    let mut failed: BTreeMap<Id, Error> = merged.failed.into_iter().collect();
                    for (mark, id, message) in batch {
                        tell(mark, message.end(failed.remove(&id).map_or(Ok(()), Err)));
                    }
                }
                Err(error) => {
                    let results = shared(batch.len(), Err(error));
                    for ((mark, _, message), result) in batch.into_iter().zip(results) {
                        tell(mark, message.end(result));
                    }
                }
            }
        }
    }
}

/// The same result, so many times.
fn shared(times: usize, result: Result<()>) -> Vec<Result<()>> {
    let error = result.err().map(Arc::new);
    let again = |error: &Arc<Error>| Error::new(error.kind(), error.what()).because(Arc::clone(error));
    (0..times).map(|_| error.as_ref().map_or(Ok(()), |error| Err(again(error)))).collect()
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
