//! Core NATS: at most once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_nats::{Client, Message as Received, PublishErrorKind, Subscriber};
use async_trait::async_trait;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::bus::{Delivery, Message, Subscription, Topic};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Mutex;

use super::body;
use super::link::Link;

/// How long leaving a group may take. What came until then is handed on.
const LEAVING: Duration = Duration::from_secs(1);
/// How long the last of a stream of messages is waited for.
const LAST: Duration = Duration::from_millis(500);
/// How many may come in one burst.
const BURST: u64 = 128;

/// Where messages are published.
pub(super) struct CoreTopic {
    link: Link,
    subject: String,
}

/// Where they are received.
pub(super) struct CoreSubscription {
    link: Link,
    subject: String,
    queue: Option<String>,
    v2: bool,
    /// How often the server had refused us when we subscribed last. Oftener: it does not have the subscription.
    refusals: AtomicU64,
    /// `None` once it is closed.
    messages: Mutex<Option<Messages>>,
}

/// A subscription of the client's.
struct Messages {
    subscriber: Subscriber,
    /// The connection it was made on.
    number: u64,
    /// How many have come.
    count: u64,
}

impl CoreTopic {
    pub(super) fn new(link: Link, subject: String) -> Self {
        Self { link, subject }
    }
}

#[async_trait]
impl Topic for CoreTopic {
    async fn publish(&self, message: Message) -> Result<()> {
        let published = async {
            let (number, doubted) = (self.link.connection().await, self.link.is_doubted());
            let sent = self.link.client.publish(self.subject.clone(), message.body).await;
            sent.map_err(|error| {
                let kind = match error.kind() {
                    PublishErrorKind::MaxPayloadExceeded => Kind::TooLarge,
                    PublishErrorKind::InvalidSubject => Kind::Invalid,
                    PublishErrorKind::Send => Kind::Unavailable,
                };
                self.link.fail(kind, "publishing to").because(error)
            })?;
            self.link.ping().await?;
            if doubted {
                self.link.second_thoughts().await;
            }
            self.link.same(number)
        };
        self.link.within(published).await
    }

    async fn check(&self) -> Result<()> {
        self.link.within(self.link.ping()).await?;
        // Only a message could tell whether it is allowed by now.
        self.link.no_refusal()
    }
}

impl CoreSubscription {
    /// Subscribes at once: what is published before is never seen.
    pub(super) async fn open(link: Link, subject: String, queue: Option<String>, v2: bool) -> Result<Self> {
        let (refusals, messages) = (AtomicU64::new(0), Mutex::default());
        let subscription = Self { link, subject, queue, v2, refusals, messages };
        *subscription.messages.lock().await = Some(subscription.subscribe().await?);
        // The server has the subscription then. Where there is none, the client tells it when there is.
        let _ = subscription.link.within(subscription.link.ping()).await;
        Ok(subscription)
    }

    async fn subscribe(&self) -> Result<Messages> {
        let (client, subject) = (&self.link.client, self.subject.clone());
        // Where there is none yet it is made on the first.
        let number = self.link.number().max(1);
        self.refusals.store(self.link.refusals(), Ordering::Relaxed);
        let subscribed = match &self.queue {
            Some(queue) => client.queue_subscribe(subject, queue.clone()).await,
            None => client.subscribe(subject).await,
        };
        let subscriber =
            subscribed.map_err(|error| self.link.fail(Kind::Invalid, "subscribing to").because(error))?;
        Ok(Messages { subscriber, number, count: 0 })
    }

    fn is_refused(&self) -> bool {
        self.link.refusals() != self.refusals.load(Ordering::Relaxed)
    }

    fn delivery(&self, message: Received) -> Delivery {
        // There is nothing to settle it by.
        Delivery { body: body::of(message.payload, self.v2), receipt: String::new() }
    }

    fn over(&self) -> Error {
        self.link.fail(Kind::Unavailable, "nothing is received any more from")
    }
}

#[async_trait]
impl Subscription for CoreSubscription {
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        let mut messages = self.messages.lock().await;
        let messages = messages.as_mut().ok_or_else(|| self.over())?;
        let first = match messages.waiting() {
            Some(first) => first,
            None => {
                if self.is_refused() {
                    // The server forgets what it refuses. It may be allowed by now.
                    *messages = self.subscribe().await?;
                }
                tokio::select! {
                    biased;
                    first = messages.next() => first,
                    error = self.link.refused(self.refusals.load(Ordering::Relaxed)) => return Err(error),
                }
            }
        };
        let first = first.ok_or_else(|| self.over())?;
        // From here on nothing waits, so that nothing that was taken is dropped with this future.
        let mut batch = vec![self.delivery(first)];
        while batch.len() < max
            && let Some(Some(message)) = messages.waiting()
        {
            batch.push(self.delivery(message));
        }
        Ok(batch)
    }

    /// It was ours for good when it came.
    fn hold(&self) -> Option<Duration> {
        None
    }

    async fn extend(&self, deliveries: &[Delivery]) -> Vec<Result<()>> {
        deliveries.iter().map(|_| Ok(())).collect()
    }

    /// As with the Go original, nothing: the server has forgotten it.
    async fn ack(&self, _: &Delivery) -> Result<()> {
        Ok(())
    }

    /// Nor can it be handed back. What it told of, the sweep finds.
    async fn nack(&self, _: &Delivery) -> Result<()> {
        Ok(())
    }

    /// Leaves the queue group. What had come and was not given out yet is published again for the others of the group;
    /// without a group they have it already.
    async fn close(&self) {
        let Some(mut messages) = self.messages.lock().await.take() else { return };
        if self.queue.is_none() {
            return;
        }
        let mut left = Vec::new();
        let left_it = tokio::time::timeout(LEAVING, self.leave(&mut messages, &mut left)).await;
        // Where it does not end, what came is handed on without the rest.
        let left_it = left_it.unwrap_or_else(|_| Err(self.link.fail(Kind::Unavailable, "no end came of")));
        messages.take_waiting(&mut left);
        let handed_on = async {
            for message in left {
                self.send_on(&self.link.client, message).await?;
            }
            self.link.ping().await
        };
        if let Err(error) = self.link.within(handed_on).await.and(left_it) {
            tracing::warn!(
                error = error.chain(),
                "what had come and was not begun could not all be handed on; the sweep finds what it told of"
            );
        }
    }

    async fn check(&self) -> Result<()> {
        self.link.within(self.link.ping()).await?;
        match self.is_refused() {
            true => Err(self.link.refused(self.refusals.load(Ordering::Relaxed)).await),
            false => Ok(()),
        }
    }
}

impl CoreSubscription {
    /// Takes what has come and what is still on its way, and ends the subscription.
    ///
    /// The client ends one on the spot: what it has not read when it reads next it drops, for it does not wait until the
    /// server has heard (async-nats 0.51, `ConnectionHandler::process`). So where messages come, their number is agreed
    /// upon with the server, after which both end it. Where none come, or too few in the time there is, it is ended on
    /// the spot, and what is on its way just then may be lost; the sweep finds it.
    async fn leave(&self, messages: &mut Messages, left: &mut Vec<Received>) -> Result<()> {
        messages.take_waiting(left);
        let (before, asked) = (messages.count, Instant::now());
        // What was on its way has come when the server answers, and tells how fast they come.
        self.link.ping().await?;
        messages.take_waiting(left);
        let (came, took) = (messages.count - before, asked.elapsed());
        let failed = |error| self.link.fail(Kind::Unavailable, "leaving").because(error);
        // On another connection the server counts anew, and the client does not.
        if !left.is_empty() && self.link.number() == messages.number {
            // And as many as come in half of the time that they have: more than are on their way.
            let more = u128::from(came) * LAST.as_micros() / 2 / took.as_micros().max(1);
            let more = u64::try_from(more).unwrap_or(u64::MAX).saturating_add(BURST);
            let most = messages.count.saturating_add(more);
            messages.subscriber.unsubscribe_after(most).await.map_err(failed)?;
            if tokio::time::timeout(LAST, messages.take_all(left)).await.is_ok() {
                return Ok(());
            }
        }
        messages.subscriber.drain().await.map_err(failed)?;
        // Whatever else was asked now, the client would read the sooner for it.
        messages.take_all(left).await;
        Ok(())
    }

    async fn send_on(&self, client: &Client, message: Received) -> Result<()> {
        // A subscription with wildcards has messages of many subjects.
        let Received { subject, payload, headers, .. } = message;
        let sent = match headers {
            Some(headers) => client.publish_with_headers(subject, headers, payload).await,
            None => client.publish(subject, payload).await,
        };
        sent.map_err(|error| {
            let doing = format!("handing on a message of {} to", self.subject);
            self.link.fail(Kind::Unavailable, &doing).because(error)
        })
    }
}

impl Messages {
    async fn next(&mut self) -> Option<Received> {
        let next = self.subscriber.next().await;
        self.count += u64::from(next.is_some());
        next
    }

    /// The next if it is there, or `Some(None)` when none can come.
    fn waiting(&mut self) -> Option<Option<Received>> {
        self.next().now_or_never()
    }

    fn take_waiting(&mut self, into: &mut Vec<Received>) {
        while let Some(Some(message)) = self.waiting() {
            into.push(message);
        }
    }

    async fn take_all(&mut self, into: &mut Vec<Received>) {
        while let Some(message) = self.next().await {
            into.push(message);
        }
    }
}
