//! The loop of hosts that poll a bus: so many messages in hand, each settled when its work is durable, and an end that
//! leaves nothing half done.

mod hand;
mod pace;
mod queues;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::message::Message;
use super::{APPS_IN_HAND, Outcome, Worker};
use crate::app::App;
use crate::port::bus::Subscription;
pub use hand::Hand;
pub use pace::{Pace, Trouble};
use queues::Queues;

/// Receives, handles and settles until `stop`. As many messages are in hand as a few batches have, and no more is received
/// while they are: what lies in the bus another worker can take. Those of one application are handled together, one lot
/// after the other. An application waits for others only where four merge already, or where the backlog of one fills the
/// hand. A bus that does not answer is asked again, with growing pauses.
///
/// After `stop` nothing new is taken. What is in hand is finished if that takes no longer than the limit `drain`, the
/// rest is handed back, and the subscription is closed.
pub async fn pull(worker: &Worker, subscription: &dyn Subscription, stop: CancellationToken) {
    let clock = &*worker.host().clock;
    let hand = Hand::default();
    work(worker, subscription, &hand, stop).await;
    hand.leave(clock, subscription).await;
}

/// The work until `stop`, and what of it is finished in time after. The rest stays in `hand`.
async fn work(worker: &Worker, subscription: &dyn Subscription, hand: &Hand, stop: CancellationToken) {
    let (clock, limits) = (&*worker.host().clock, &*worker.host().limits);
    let room = limits.worker_batches.saturating_sub(1).saturating_mul(limits.merge_batch);
    let mut queues = Queues::default();
    let mut works = FuturesUnordered::new();
    let mut ignored = FuturesUnordered::new();
    let mut pace = Pace::default();
    // Kept from turn to turn: a wish to receive that is dropped may take messages with it, which then are late.
    let mut receiving = None;
    let mut pausing = None;
    let mut keeping = None;
    let mut stopped = false;
    let mut drained = None;
    loop {
        while works.len() < APPS_IN_HAND
            && let Some((app, messages)) = queues.next(limits.merge_batch)
        {
            works.push(handle(worker, subscription, hand, app, messages));
        }
        if hand.is_empty() {
            keeping = None;
            if stopped && works.is_empty() && ignored.is_empty() {
                return;
            }
        } else if keeping.is_none() {
            keeping = Some(Box::pin(hand.keep(clock, subscription)));
        }
        // Room for a whole lot: few receipts of many cost less than many of few.
        if !stopped && receiving.is_none() && pausing.is_none() && hand.len() <= room {
            receiving = Some(subscription.receive(limits.merge_batch));
        }
        tokio::select! {
            biased;
            () = stop.cancelled(), if !stopped => {
                stopped = true;
                (receiving, pausing) = (None, None);
                drained = Some(clock.sleep(limits.drain));
            }
            Some((app, through)) = works.next() => {
                queues.done(app);
                if through {
                    pace.over(Trouble::Fruitless);
                    pausing.take_if(|(trouble, _)| *trouble == Trouble::Fruitless);
                } else if !stopped && pausing.is_none() {
                    // Whatever is in the way needs time, and going on without a pause would not help it.
                    let pause = pace.pause(clock, Trouble::Fruitless);
                    pausing = Some((Trouble::Fruitless, clock.sleep(pause)));
                }
            }
            Some(()) = ignored.next() => pace.over(Trouble::Fruitless),
            received = wait(receiving.as_mut()) => {
                receiving = None;
                match received {
                    Ok(deliveries) => {
                        pace.over(Trouble::Deaf);
                        for delivery in deliveries {
                            let message = Message::read(worker.host(), &delivery.body);
                            let number = hand.take(delivery);
                            match message {
                                Some(message) => queues.push(message.app().clone(), (number, message)),
                                None => ignored.push(hand.settle(subscription, number, &Outcome::Done)),
                            }
                        }
                    }
                    Err(error) => {
                        tracing::error!(error = error.chain(), "no messages could be received; trying again");
                        pausing = Some((Trouble::Deaf, clock.sleep(pace.pause(clock, Trouble::Deaf))));
                    }
                }
            }
            () = wait(pausing.as_mut().map(|(_, pause)| pause)) => pausing = None,
            () = wait(keeping.as_mut()) => keeping = None,
            () = wait(drained.as_mut()) => return,
        }
    }
}

/// Handles messages of one application together and settles each. Whether any got through.
async fn handle(
    worker: &Worker,
    subscription: &dyn Subscription,
    hand: &Hand,
    app: App,
    messages: Vec<(u64, Message)>,
) -> (App, bool) {
    let mut outcomes = Vec::with_capacity(messages.len());
    worker.handle_app(app.clone(), messages, &mut |number, outcome| outcomes.push((number, outcome))).await;
    let settled = outcomes.into_iter().map(|(number, outcome)| async move {
        hand.settle(subscription, number, &outcome).await;
        outcome.is_done()
    });
    let through = join_all(settled).await.contains(&true);
    (app, through)
}

/// Waits for what there is, or for ever if there is nothing.
async fn wait<F: Future + Unpin>(future: Option<&mut F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
