//! A consumer: calls for messages, and those that were fetched and not given out yet.
//!
//! A call is a task of its own. Whoever waits for it may be dropped at any time, and the next takes it over; if there is
//! no next by the time it is answered, what it got is handed back at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::error::{Kind, Result};
use autopgo_core::port::bus::{self, Delivery};
use futures_util::future::join_all;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::fail::Failure;
use super::settings::Reader;
use super::settle::{Change, Settler};
use super::wire::{GetSubscription, ModifyAckDeadline, Pull, Pulled, ReceivedMessage, SubscriptionInfo};
use crate::patience::{self, ATTEMPTS, OPERATION, patiently};
use crate::together::Waits;

/// How long a call for messages is waited for, as by Google's own clients.
const WAIT: Duration = Duration::from_secs(60);
/// An answer without messages that came sooner is followed by a pause, as with the original.
const PAUSE: Duration = Duration::from_millis(250);
/// A call that fails later than this had been waiting: it is no repetition of the failure before.
const QUIET: Duration = Duration::from_secs(5);
/// How long closing waits for what is being handed back.
const CLOSING: Duration = Duration::from_secs(2);
/// The shortest ack deadline that a subscription can have, in seconds
/// (<https://cloud.google.com/pubsub/docs/subscription-properties#ack_deadline>).
const LEAST_HOLD: u32 = 10;
/// An ack id that no message has.
const NOTHING: &str = "autopgo";
/// What a subscription has for its topic once that is deleted.
const DELETED: &str = "_deleted-topic_";

/// A consumer of a subscription.
pub(super) struct Subscription {
    reading: Arc<Reading>,
    batch: usize,
    nack_lazily: bool,
    state: Mutex<State>,
}

/// What calls under way share with it.
struct Reading {
    client: Arc<Client>,
    settler: Settler,
    /// In seconds; 0 as long as it is not known.
    hold: AtomicU32,
    /// How many wait for messages.
    waiting: AtomicUsize,
    closed: CancellationToken,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Fetched>,
    call: Option<JoinHandle<Result<Vec<Fetched>, Failure>>>,
}

struct Fetched {
    delivery: Delivery,
    at: Instant,
}

impl Subscription {
    pub(super) fn new(client: Client, reader: &Reader) -> Self {
        let client = Arc::new(client);
        let reading = Reading {
            settler: Settler::new(Arc::clone(&client)),
            client,
            hold: AtomicU32::new(0),
            waiting: AtomicUsize::new(0),
            closed: CancellationToken::new(),
        };
        Self {
            reading: Arc::new(reading),
            batch: reader.batch,
            nack_lazily: reader.nack_lazily,
            state: Mutex::default(),
        }
    }

    /// Waits until there are messages, and gives some.
    async fn fetched(&self, wanted: usize) -> Result<Vec<Delivery>> {
        let _waits = Waits::with(&self.reading.waiting);
        let mut state = self.state.lock().await;
        loop {
            // Of the time that they are ours, too little is left.
            self.reading.hand_back(state.take_old(self.reading.hold() / 2)).await;
            if !state.ready.is_empty() {
                break;
            }
            let call = state.call.get_or_insert_with(|| tokio::spawn(Arc::clone(&self.reading).pull(wanted)));
            // Dropped here, the call stays where it is.
            let ended = call.await;
            state.call = None;
            let ended_badly =
                |error| self.reading.client.wrong(Kind::Internal, "a call ended badly").because(error);
            let fetched =
                ended.map_err(ended_badly)?.map_err(|failure| self.reading.client.error(failure))?;
            state.ready.extend(fetched);
        }
        let count = wanted.min(state.ready.len());
        Ok(state.ready.drain(..count).map(|fetched| fetched.delivery).collect())
    }
}

#[async_trait]
impl bus::Subscription for Subscription {
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        let wanted = max.clamp(1, self.batch);
        tokio::select! {
            biased;
            () = self.reading.closed.cancelled() => {
                Err(self.reading.client.wrong(Kind::Unavailable, "it is closed, and nothing more is received"))
            }
            received = self.fetched(wanted) => received,
        }
    }

    fn hold(&self) -> Option<Duration> {
        Some(self.reading.hold())
    }

    async fn extend(&self, deliveries: &[Delivery]) -> Vec<Result<()>> {
        let change = Change::Kept(self.reading.hold_in_seconds());
        join_all(deliveries.iter().map(|delivery| async {
            match self.reading.settler.settle(&delivery.receipt, change).await? {
                true => Ok(()),
                false => Err(self.reading.client.wrong(Kind::NotFound, "the message is not ours any more")),
            }
        }))
        .await
    }

    async fn ack(&self, delivery: &Delivery) -> Result<()> {
        if !self.reading.settler.settle(&delivery.receipt, Change::Acked).await? {
            tracing::debug!(bus = self.reading.client.name(), "an ack came too late");
        }
        Ok(())
    }

    async fn nack(&self, delivery: &Delivery) -> Result<()> {
        if self.nack_lazily {
            return Ok(());
        }
        self.reading.settler.settle(&delivery.receipt, Change::Kept(0)).await.map(drop)
    }

    async fn close(&self) {
        self.reading.closed.cancel();
        let mut state = self.state.lock().await;
        if let Some(call) = state.call.take() {
            // It does not wait for messages any more.
            match timeout(CLOSING, call).await {
                Ok(Ok(Ok(fetched))) => state.ready.extend(fetched),
                Ok(Ok(Err(failure))) => tracing::debug!(error = %failure, "the last receive failed"),
                Ok(Err(error)) => tracing::warn!(error = error.to_string(), "the last receive ended badly"),
                Err(_) => tracing::debug!("what the last receive got is still being handed back"),
            }
        }
        let ready = state.ready.drain(..).collect();
        self.reading.hand_back(ready).await;
    }

    /// Looking at a subscription takes the right to (`pubsub.subscriptions.get`), which a subscriber need not have. Then it
    /// extends a message that there is not, which takes the right to receive.
    async fn check(&self) -> Result<()> {
        let client = &self.reading.client;
        match self.reading.look().await {
            Ok(info) => amiss(&info).map_or(Ok(()), |(kind, why)| Err(client.wrong(kind, why))),
            Err(failure) if failure.is_denied() => {
                let knock = ModifyAckDeadline {
                    subscription: client.name().to_owned(),
                    ack_deadline_seconds: 0,
                    ack_ids: vec![NOTHING.to_owned()],
                };
                match patiently(OPERATION, |limit| client.call(&knock, limit)).await {
                    Err(failure) if failure.is_invalid() => Ok(()),
                    outcome => outcome.map(drop).map_err(|failure| client.error(failure)),
                }
            }
            Err(failure) => Err(client.error(failure)),
        }
    }
}

/// A call that is waiting is given up; what it has got by then is handed back.
impl Drop for Subscription {
    fn drop(&mut self) {
        self.reading.closed.cancel();
    }
}

impl Reading {
    fn hold_in_seconds(&self) -> u32 {
        match self.hold.load(Ordering::Relaxed) {
            0 => LEAST_HOLD,
            known => known,
        }
    }

    fn hold(&self) -> Duration {
        Duration::from_secs(self.hold_in_seconds().into())
    }

    /// Looks at the subscription, and learns how long it holds.
    async fn look(&self) -> Result<SubscriptionInfo, Failure> {
        let call = GetSubscription { subscription: self.client.name().to_owned() };
        let info = patiently(OPERATION, |limit| self.client.call(&call, limit)).await?;
        let hold = u32::try_from(info.ack_deadline_seconds).ok().filter(|seconds| *seconds > 0);
        self.hold.store(hold.unwrap_or(LEAST_HOLD), Ordering::Relaxed);
        Ok(info)
    }

    /// Learns how long it holds, unless that is known.
    async fn learn(&self) -> Result<(), Failure> {
        if self.hold.load(Ordering::Relaxed) > 0 {
            return Ok(());
        }
        match self.look().await {
            Ok(_) => Ok(()),
            Err(failure) if failure.is_denied() => {
                tracing::info!(
                    bus = self.client.name(),
                    error = %failure,
                    "how long messages are held is not to be seen, so that they are held for {LEAST_HOLD} s at a time; \
                     grant pubsub.subscriptions.get (roles/pubsub.viewer) to have it seen"
                );
                self.hold.store(LEAST_HOLD, Ordering::Relaxed);
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    /// Calls for messages until there are some, or nobody waits for them any more.
    async fn pull(self: Arc<Self>, wanted: usize) -> Result<Vec<Fetched>, Failure> {
        let pulled = tokio::select! {
            biased;
            pulled = self.pulled(wanted) => pulled?,
            () = self.closed.cancelled() => Vec::new(),
        };
        if self.waiting.load(Ordering::SeqCst) > 0 && !self.closed.is_cancelled() {
            return Ok(pulled);
        }
        self.hand_back(pulled).await;
        Ok(Vec::new())
    }

    async fn pulled(&self, wanted: usize) -> Result<Vec<Fetched>, Failure> {
        self.learn().await?;
        let max_messages = i32::try_from(wanted).unwrap_or(i32::MAX);
        let call = Pull { subscription: self.client.name().to_owned(), max_messages };
        let mut tries = 1;
        loop {
            let begun = Instant::now();
            let failure = match self.client.wait_for(&call, WAIT).await {
                Ok(Pulled { received_messages }) if !received_messages.is_empty() => {
                    return Ok(received_messages.into_iter().map(Fetched::new).collect());
                }
                Ok(_) => None,
                Err(failure) if failure.is_late() && begun.elapsed() > QUIET => None,
                Err(failure) => Some(failure),
            };
            if failure.is_none() || begun.elapsed() > QUIET {
                tries = 1;
            }
            match failure {
                None if self.waiting.load(Ordering::SeqCst) == 0 => return Ok(Vec::new()),
                None => sleep_until(begun + PAUSE).await,
                Some(failure) if tries == ATTEMPTS || !failure.may_pass() => return Err(failure),
                Some(_) => {
                    sleep(patience::wait(tries)).await;
                    tries += 1;
                }
            }
        }
    }

    /// At once, whatever a nack does: nobody has tried.
    async fn hand_back(&self, fetched: Vec<Fetched>) {
        let all =
            fetched.iter().map(|fetched| self.settler.settle(&fetched.delivery.receipt, Change::Kept(0)));
        for error in join_all(all).await.into_iter().filter_map(Result::err) {
            tracing::warn!(error = error.chain(), "a message could not be handed back; it comes again later");
        }
    }
}

impl Fetched {
    fn new(received: ReceivedMessage) -> Self {
        // One without anything in it is what it is: no envelope.
        let body = received.message.unwrap_or_default().data;
        Self { delivery: Delivery { body, receipt: received.ack_id }, at: Instant::now() }
    }
}

/// Why nothing can ever be received from it, if so.
fn amiss(info: &SubscriptionInfo) -> Option<(Kind, &'static str)> {
    let pushes = info.push_config.as_ref().is_some_and(|push| !push.push_endpoint.is_empty());
    match () {
        () if info.topic == DELETED || info.detached => {
            Some((Kind::NotFound, "its topic is gone, or it was detached from it; make another one"))
        }
        () if pushes => Some((Kind::Invalid, "it pushes its messages; make one that is pulled from")),
        () => None,
    }
}

impl State {
    /// Takes out what has been here for longer than `age`.
    fn take_old(&mut self, age: Duration) -> Vec<Fetched> {
        let (old, ready) = self.ready.drain(..).partition(|fetched| fetched.at.elapsed() > age);
        self.ready = ready;
        old.into()
    }
}
