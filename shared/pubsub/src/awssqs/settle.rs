//! Deleting messages and changing how long they are hidden: what is asked for at the same time goes out in few calls,
//! and each is told when the queue has confirmed it.
//!
//! A call that succeeds may have entries that did not, for a reason that passes. They are sent again here, for the SDK
//! sends again what fails as a whole alone: an ack that is lost brings its message back, and of a FIFO queue nothing
//! behind it comes until then.

use std::sync::Arc;
use std::time::Duration;

use autopgo_core::clock::{System, backoff};
use autopgo_core::error::{Error, Kind, Result};
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
};
use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::queue::{Queue, whole_seconds};
use crate::aws::{client, fail};
use crate::together::{Asked, Together, all_fail};

/// How many entries a call takes (SQS API reference, `DeleteMessageBatch`).
const A_CALL: usize = 10;
/// How often an entry is sent at the most.
const TRIES: u32 = 3;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is done.
    Deleted,
    /// It is hidden for this time from now.
    Hidden(Duration),
}

/// Settles the messages of a queue.
#[derive(Clone)]
pub(super) struct Settler(Arc<Inner>);

struct Inner {
    queue: Arc<Queue>,
    waiting: Together<Change>,
}

impl Settler {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        Self(Arc::new(Inner { queue, waiting: Together::default() }))
    }

    /// Changes a message, and returns once the queue has confirmed it. `false`: the receipt is stale, its message is
    /// settled or somebody else's by now.
    pub(super) async fn settle(&self, receipt: &str, change: Change) -> Result<bool> {
        let ended = || Err(self.0.queue.name.error(Kind::Unavailable, "nobody was left to settle a message"));
        // On its own, so that whoever asked first may be dropped without the others.
        let send = || drop(tokio::spawn(self.clone().flush()));
        self.0.waiting.ask(receipt, change, send).await.unwrap_or_else(ended)
    }

    async fn flush(self) {
        let waiting = self.0.waiting.gathered().await;
        let (deleted, hidden) = waiting.into_iter().partition(|entry| entry.change == Change::Deleted);
        let calls = [deleted, hidden].into_iter().flat_map(calls);
        join_all(calls.map(|entries| self.call(entries))).await;
    }

    /// One call, of entries that are all deleted or all hidden, and those for what of them may pass.
    async fn call(&self, mut entries: Vec<Asked<Change>>) {
        let end = Instant::now() + client::SETTLE.1;
        for tries in 1_u32.. {
            let answers = match self.ask_until(end, &entries).await {
                Ok(answers) => answers,
                Err(error) => return all_fail(entries, error),
            };
            let wait = client::FIRST_WAIT / 2
                + backoff(&System, tries - 1, client::FIRST_WAIT, client::LONGEST_WAIT);
            let again = tries < TRIES && Instant::now() + wait < end;
            let mut left = Vec::new();
            for (index, entry) in entries.into_iter().enumerate() {
                match self.confirmed(&answers, index) {
                    Err(error) if again && error.kind() == Kind::Unavailable => left.push(entry),
                    confirmed => entry.confirmed(confirmed),
                }
            }
            if left.is_empty() {
                return;
            }
            tokio::time::sleep(wait).await;
            entries = left;
        }
    }

    async fn ask_until(&self, end: Instant, entries: &[Asked<Change>]) -> Result<Answers> {
        let late = |_| self.0.queue.name.error(Kind::Unavailable, "it did not answer in time");
        timeout_at(end, self.ask(entries)).await.map_err(late)?
    }

    async fn ask(&self, entries: &[Asked<Change>]) -> Result<Answers> {
        match entries.first().map(|entry| entry.change) {
            Some(Change::Hidden(_)) => self.hide(entries).await,
            Some(Change::Deleted) | None => self.delete(entries).await,
        }
    }

    async fn delete(&self, entries: &[Asked<Change>]) -> Result<Answers> {
        let queue = &self.0.queue;
        let mut request = queue.client.delete_message_batch().queue_url(&queue.url);
        for (index, entry) in entries.iter().enumerate() {
            let one = DeleteMessageBatchRequestEntry::builder().id(id(index)).receipt_handle(&entry.receipt);
            request = request.entries(one.build().map_err(|error| self.unbuilt(error))?);
        }
        let answer = request.send().await.map_err(|error| queue.name.fail(error))?;
        let done = answer.successful.into_iter().map(|entry| entry.id).collect();
        Ok(Answers { done, refused: answer.failed })
    }

    async fn hide(&self, entries: &[Asked<Change>]) -> Result<Answers> {
        let queue = &self.0.queue;
        let mut request = queue.client.change_message_visibility_batch().queue_url(&queue.url);
        for (index, entry) in entries.iter().enumerate() {
            let Change::Hidden(time) = entry.change else { continue };
            let one = ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(id(index))
                .receipt_handle(&entry.receipt)
                .visibility_timeout(whole_seconds(time));
            request = request.entries(one.build().map_err(|error| self.unbuilt(error))?);
        }
        let answer = request.send().await.map_err(|error| queue.name.fail(error))?;
        let done = answer.successful.into_iter().map(|entry| entry.id).collect();
        Ok(Answers { done, refused: answer.failed })
    }

    fn unbuilt(&self, error: BuildError) -> Error {
        self.0.queue.name.error(Kind::Internal, "an entry of a batch lacks something").because(error)
    }

    fn confirmed(&self, answers: &Answers, index: usize) -> Result<bool> {
        let (id, name) = (id(index), &self.0.queue.name);
        if answers.done.contains(&id) {
            return Ok(true);
        }
        match answers.refused.iter().find(|refused| refused.id() == id) {
            Some(refused) if fail::is_stale(refused.code(), refused.message()) => Ok(false),
            Some(refused) => Err(name.fail_entry(refused.code(), refused.message(), refused.sender_fault())),
            None => Err(name.error(
                Kind::Internal,
                "its answer does not say what came of a message; it does not speak SQS as it should",
            )),
        }
    }
}

/// What a call was answered with.
struct Answers {
    done: Vec<String>,
    refused: Vec<BatchResultErrorEntry>,
}

/// The name of an entry in its call.
fn id(index: usize) -> String {
    index.to_string()
}

fn calls(mut entries: Vec<Asked<Change>>) -> Vec<Vec<Asked<Change>>> {
    let mut calls = Vec::with_capacity(entries.len().div_ceil(A_CALL));
    while !entries.is_empty() {
        calls.push(entries.drain(..entries.len().min(A_CALL)).collect());
    }
    calls
}
