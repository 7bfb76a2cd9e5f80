//! The messages in hand: kept from running out while they wait and while they are handled, and settled one by one.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Mutex as AsyncMutex;

use crate::clock::Clock;
use crate::error::{Kind, Result};
use crate::port::bus::{Delivery, Subscription};
use crate::worker::Outcome;

/// How long the end may take once the work in hand is done or given up: handing back, and leaving the bus.
const LEAVING: Duration = Duration::from_secs(3);

/// Messages that were received and are not settled, each by a number of its own. Hosts whose handlers are not in
/// [`pull`](super::pull)'s hands, but somebody else's, keep theirs with it too.
#[derive(Default)]
pub struct Hand {
    held: Mutex<Held>,
    /// Held while more time is asked for.
    extending: AsyncMutex<()>,
}

#[derive(Default)]
struct Held {
    messages: BTreeMap<u64, Message>,
    next: u64,
}

struct Message {
    delivery: Delivery,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It waits or is handled.
    Open,
    /// The same, but it is ours no more.
    Lost,
    /// Somebody has begun to settle it.
    Settling,
}

impl Hand {
    /// Takes a message; its number.
    pub fn take(&self, delivery: Delivery) -> u64 {
        let mut held = self.held();
        let number = held.next;
        held.next += 1;
        held.messages.insert(number, Message { delivery, state: State::Open });
        number
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.held().messages.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Settles a message by its outcome.
    pub async fn settle(&self, subscription: &dyn Subscription, number: u64, outcome: &Outcome) {
        // Marked first, so that nobody extends what is gone.
        let Some(delivery) = self.settling(number) else { return };
        told(match outcome {
            Outcome::Done => subscription.ack(&delivery).await,
            Outcome::HandBack(_) => {
                // More time that was asked for before must not come after it.
                let _extended = self.extending.lock().await;
                subscription.nack(&delivery).await
            }
        });
        self.held().messages.remove(&number);
    }

    /// The end: hands back what is still here and leaves the bus, unless that does not answer.
    pub async fn leave(&self, clock: &dyn Clock, subscription: &dyn Subscription) {
        let leave = async {
            let undone = self.hand_back(subscription).await;
            if undone > 0 {
                tracing::warn!(messages = undone, "work was left undone and was handed back");
            }
            subscription.close().await;
        };
        tokio::select! {
            biased;
            () = leave => {}
            () = clock.sleep(LEAVING) => {
                tracing::warn!("the bus did not answer in the end; what was in hand comes again, or the sweep finds what it told of");
            }
        }
    }

    /// Hands back what nobody has begun to settle; how much that was.
    async fn hand_back(&self, subscription: &dyn Subscription) -> usize {
        let open: Vec<u64> = self.ours(|state| state != State::Settling).0;
        join_all(open.iter().map(|number| async move {
            let Some(delivery) = self.settling(*number) else { return };
            told(subscription.nack(&delivery).await);
        }))
        .await;
        open.len()
    }

    /// Asks for more time for what is still open, at every third of the time there is: one request may be lost, and the
    /// next still comes in time. It never ends; it is dropped when nothing is in hand.
    pub async fn keep(&self, clock: &dyn Clock, subscription: &dyn Subscription) {
        // Asked for each time: whoever runs the bus may change it.
        let Some(hold) = subscription.hold() else { return std::future::pending().await };
        clock.sleep(hold / 3).await;
        loop {
            let Some(hold) = subscription.hold() else { return std::future::pending().await };
            let mut next = clock.sleep(hold / 3);
            let extending = self.extending.lock().await;
            let (numbers, deliveries) = self.ours(|state| state == State::Open);
            if !deliveries.is_empty() {
                tokio::select! {
                    biased;
                    extended = subscription.extend(&deliveries) => self.note(&numbers, extended),
                    () = &mut next => {
                        tracing::warn!(messages = deliveries.len(), "the bus does not answer whether messages in hand stay here; asking again");
                        continue;
                    }
                }
            }
            drop(extending);
            next.await;
        }
    }

    fn note(&self, numbers: &[u64], extended: Vec<Result<()>>) {
        let mut held = self.held();
        for (number, result) in numbers.iter().zip(extended) {
            // What was settled while the bus was asked is gone for a good reason.
            let message = held.messages.get_mut(number).filter(|message| message.state == State::Open);
            let (Some(message), Err(error)) = (message, result) else { continue };
            if error.kind() == Kind::NotFound {
                metrics::counter!("autopgo_messages_total", "outcome" => "lost").increment(1);
                tracing::warn!(
                    error = error.chain(),
                    "a message in hand is held no more and will be delivered again, which is harmless"
                );
                message.state = State::Lost;
            } else {
                tracing::warn!(
                    error = error.chain(),
                    "a message in hand could not be held for longer; asking again"
                );
            }
        }
    }

    fn ours(&self, is: impl Fn(State) -> bool) -> (Vec<u64>, Vec<Delivery>) {
        let held = self.held();
        let ours = held.messages.iter().filter(|(_, message)| is(message.state));
        ours.map(|(number, message)| (*number, message.delivery.clone())).unzip()
    }

    /// Marks it; `None` if somebody else has.
    fn settling(&self, number: u64) -> Option<Delivery> {
        let mut held = self.held();
        let message = held.messages.get_mut(&number).filter(|message| message.state != State::Settling)?;
        message.state = State::Settling;
        Some(message.delivery.clone())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // No code above panics while it holds the lock, so what it guards is always whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says what could not be settled. It comes back by itself, on a bus that keeps messages.
fn told(settled: Result<()>) {
    if let Err(error) = settled {
        tracing::warn!(
            error = error.chain(),
            "a message could not be settled; it comes again, or the sweep finds what it told of"
        );
    }
}
