//! Acks, and changes of what is left of a hold: those that are asked for at the same time go out in few calls, and each is
//! told when the service has confirmed it.

use std::sync::Arc;
use std::time::Duration;

use autopgo_core::error::{Kind, Result};
use futures_util::future::join_all;
use tokio::time::Instant;

use super::client::Client;
use super::fail::{Failure, Fate};
use super::wire::{Acknowledge, ModifyAckDeadline};
use crate::patience::{self, ATTEMPT, ATTEMPTS, OPERATION};
use crate::together::{Asked, Together, all_fail};

/// How many messages a call settles, as with the original: ids have some 200 bytes, and a request 512 KiB
/// (<https://cloud.google.com/pubsub/quotas#resource_limits>).
const A_CALL: usize = 1000;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is done.
    Acked,
    /// It is kept for so many seconds from now; 0 hands it back.
    Kept(u32),
}

/// Settles the messages of a subscription.
#[derive(Clone)]
pub(super) struct Settler(Arc<Inner>);

struct Inner {
    client: Arc<Client>,
    waiting: Together<Change>,
}

impl Settler {
    pub(super) fn new(client: Arc<Client>) -> Self {
        Self(Arc::new(Inner { client, waiting: Together::default() }))
    }

    /// Changes a message, and returns once the service has confirmed it. `false`: the message is settled or somebody
    /// else's by now. On a subscription without exactly-once delivery, the service does not tell.
    pub(super) async fn settle(&self, receipt: &str, change: Change) -> Result<bool> {
        let ended = || Err(self.0.client.wrong(Kind::Unavailable, "nobody was left to settle a message"));
        // On its own, so that whoever asked first may be dropped without the others.
        let send = || drop(tokio::spawn(self.clone().flush()));
        self.0.waiting.ask(receipt, change, send).await.unwrap_or_else(ended)
    }

    async fn flush(self) {
        let mut waiting = self.0.waiting.gathered().await;
        let mut calls = Vec::new();
        while let Some(change) = waiting.first().map(|entry| entry.change) {
            let (mut same, others): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|entry| entry.change == change);
            waiting = others;
            while !same.is_empty() {
                let call = same.drain(..same.len().min(A_CALL)).collect();
                calls.push(self.change(change, call));
            }
        }
        join_all(calls).await;
    }

    /// Settles these, of which there are as many as a call takes, and tells who asked.
    async fn change(&self, change: Change, entries: Vec<Asked<Change>>) {
        let all = match change {
            // One that is not through by the next time is late anyway.
            Change::Kept(seconds @ 1..) => (Duration::from_secs(seconds.into()) / 3).min(OPERATION),
            Change::Kept(0) | Change::Acked => OPERATION,
        };
        let end = Instant::now() + all;
        let mut work = vec![(entries, 1)];
        while let Some((mut entries, tries)) = work.pop() {
            let ids = entries.iter().map(|entry| entry.receipt.clone()).collect();
            let left = end.saturating_duration_since(Instant::now());
            let failure = match self.call(change, ids, left.min(ATTEMPT)).await {
                Ok(()) => {
                    entries.into_iter().for_each(|entry| entry.confirmed(Ok(true)));
                    continue;
                }
                Err(failure) => failure,
            };
            if failure.is_invalid() {
                // One that is long past is not known any more, and takes the others of its call with it.
                let others = entries.split_off(entries.len().div_ceil(2));
                match others.is_empty() {
                    true => entries.into_iter().for_each(|entry| entry.confirmed(Ok(false))),
                    false => work.extend([(entries, tries), (others, tries)]),
                }
                continue;
            }
            let mut again = Vec::new();
            for entry in entries {
                match failure.fate(&entry.receipt) {
                    Fate::Settled => entry.confirmed(Ok(true)),
                    Fate::Lost => entry.confirmed(Ok(false)),
                    Fate::Unknown => again.push(entry),
                }
            }
            if again.is_empty() {
                continue;
            }
            let wait = patience::wait(tries);
            if tries == ATTEMPTS || !failure.may_pass() || Instant::now() + wait >= end {
                all_fail(again, self.0.client.error(failure));
                continue;
            }
            tokio::time::sleep(wait).await;
            work.push((again, tries + 1));
        }
    }

    async fn call(&self, change: Change, ack_ids: Vec<String>, limit: Duration) -> Result<(), Failure> {
        let client = &self.0.client;
        let subscription = client.name().to_owned();
        match change {
            Change::Acked => client.call(&Acknowledge { subscription, ack_ids }, limit).await.map(drop),
            Change::Kept(seconds) => {
                let ack_deadline_seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
                let call = ModifyAckDeadline { subscription, ack_deadline_seconds, ack_ids };
                client.call(&call, limit).await.map(drop)
            }
        }
    }
}
