//! Pushed messages as a subscription, so that they are worked on by the loop of every other bus: those of one
//! application that come while it is merged become its next merge, and what a stopping process cannot finish is handed
//! back. A request is answered when its message is settled.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::error::Result;
use autopgo_core::port::bus::{Delivery, Subscription};
use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

/// What becomes of a message that was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is done.
    Done,
    /// It is to be delivered again.
    HandBack,
}

/// Messages whose requests wait for an answer.
#[derive(Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Bytes, oneshot::Sender<Answer>)>,
    /// Given out and not settled, by their receipts.
    open: BTreeMap<String, oneshot::Sender<Answer>>,
    given: u64,
    closed: bool,
}

impl Inbox {
    /// Waits until a message is settled. Whoever waits no more takes it back if nobody has begun on it; what has been
    /// begun goes on, for it would only have to be done again.
    pub(crate) async fn settled(&self, body: Bytes) -> Answer {
        let (answer, settled) = oneshot::channel();
        {
            let mut state = self.state();
            if state.closed {
                return Answer::HandBack;
            }
            state.waiting.push_back((body, answer));
        }
        self.arrived.notify_one();
        // Whose other end is dropped has nobody left who would work on it.
        settled.await.unwrap_or(Answer::HandBack)
    }

    /// Hands back what was given out, for whoever had it is gone.
    pub(crate) fn hand_back(&self) {
        self.state().open.clear();
    }

    fn give(&self, max: usize) -> Vec<Delivery> {
        let mut state = self.state();
        let mut given = Vec::new();
        while given.len() < max
            && let Some((body, answer)) = state.waiting.pop_front()
        {
            if answer.is_closed() {
                continue;
            }
            state.given += 1;
            let receipt = state.given.to_string();
            state.open.insert(receipt.clone(), answer);
            given.push(Delivery { body, receipt });
        }
        given
    }

    fn settle(&self, delivery: &Delivery, answer: Answer) {
        if let Some(waits) = self.state().open.remove(&delivery.receipt) {
            // Who has given up is told by the next delivery.
            let _ = waits.send(answer);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code above panics while it holds the lock, so what it guards is always whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Subscription for Inbox {
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        loop {
            // Asked for first, so that none is missed.
            let arrived = self.arrived.notified();
            let given = self.give(max);
            if !given.is_empty() {
                return Ok(given);
            }
            arrived.await;
        }
    }

    /// The request ends when it likes, and cannot be asked for more time.
    fn hold(&self) -> Option<Duration> {
        None
    }

    async fn extend(&self, deliveries: &[Delivery]) -> Vec<Result<()>> {
        deliveries.iter().map(|_| Ok(())).collect()
    }

    async fn ack(&self, delivery: &Delivery) -> Result<()> {
        self.settle(delivery, Answer::Done);
        Ok(())
    }

    async fn nack(&self, delivery: &Delivery) -> Result<()> {
        self.settle(delivery, Answer::HandBack);
        Ok(())
    }

    async fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.waiting.clear();
        state.open.clear();
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
