//! JetStream: messages in a stream, kept until they are acked.

mod fetch;

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{AckKind, Context, ContextBuilder};
use async_nats::{Request, RequestErrorKind};
use async_trait::async_trait;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::bus::{Delivery, Message, Subscription, Topic};
use futures_util::future::join_all;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::link::Link;
use super::made;
use super::settings::Kept;
use fetch::Fetch;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a server may take over the book-keeping of streams and consumers.
const KEEPING: Duration = Duration::from_secs(5);

/// Where messages are published.
pub(super) struct StreamTopic {
    link: Link,
    context: Context,
    subject: String,
    kept: Kept,
}

/// Where they are received.
pub(super) struct StreamSubscription {
    link: Link,
    context: Context,
    subject: String,
    kept: Kept,
    v2: bool,
    /// `ack_wait` of the consumer that is there, in nanoseconds.
    hold: AtomicU64,
    fetch: Mutex<Fetch>,
    left: Left,
}

/// When somebody last wished for messages, and gave that up or was content. What came since lies there unseen.
struct Left(std::sync::Mutex<Instant>);

impl Left {
    fn ago(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// Somebody wishes for messages.
struct Wish<'a>(&'a Left);

impl Drop for Wish<'_> {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

fn context(link: &Link) -> Context {
    ContextBuilder::new().timeout(KEEPING).build(link.client.clone())
}

impl StreamTopic {
    /// Makes the stream if it is missing. Where there is no server yet, the first message does.
    pub(super) async fn open(link: Link, subject: String, kept: Kept) -> Self {
        let topic = Self { context: context(&link), link, subject, kept };
        let _ = topic.link.within(topic.make()).await;
        topic
    }

    async fn make(&self) -> Result<()> {
        self.link.connection().await;
        made::stream(&self.context, &self.link, &self.subject, &self.kept).await.map(drop)
    }

    /// One try, confirmed by the stream, which takes the same body once within its window of duplicates: for a try whose
    /// answer was lost.
    async fn send(&self, message: &Message, id: &str) -> Result<(), PublishError> {
        let message = PublishMessage::build()
            .payload(message.body.clone())
            .message_id(id)
            .expected_stream(&self.kept.stream);
        self.context.send_publish(self.subject.clone(), message).await?.await.map(drop)
    }

    fn classify(&self, error: PublishError) -> Error {
        let kind = match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => Kind::TooLarge,
            _ => Kind::Unavailable,
        };
        self.link.fail(kind, &format!("publishing to the stream {} by", self.kept.stream)).because(error)
    }
}

#[async_trait]
impl Topic for StreamTopic {
    async fn publish(&self, message: Message) -> Result<()> {
        let id: String = Sha256::digest(&message.body).iter().map(|byte| format!("{byte:02x}")).collect();
        let published = async {
            self.link.connection().await;
            match self.send(&message, &id).await {
                Ok(()) => Ok(()),
                Err(error) if error.kind() == PublishErrorKind::StreamNotFound => {
                    // It was removed, or there was no server to make it on.
                    self.make().await?;
                    self.send(&message, &id).await.map_err(|error| self.classify(error))
                }
                Err(error) => {
                    if error.kind() == PublishErrorKind::Other {
                        // Another stream may have the subject: that has words of its own.
                        self.make().await?;
                    }
                    Err(self.classify(error))
                }
            }
        };
        self.link.within(published).await
    }

    async fn check(&self) -> Result<()> {
        self.link.within(self.make()).await
    }
}

impl StreamSubscription {
    /// Makes the stream and the consumer if they are missing. Where there is no server yet, the first wish to receive
    /// does.
    pub(super) async fn open(link: Link, subject: String, kept: Kept, v2: bool) -> Self {
        let hold = AtomicU64::new(nanos(kept.ack_wait()));
        let context = context(&link);
        let (fetch, left) = (Mutex::default(), Left(std::sync::Mutex::new(Instant::now())));
        let subscription = Self { link, context, subject, kept, v2, hold, fetch, left };
        let _ = subscription.link.within(subscription.make()).await;
        subscription
    }

    async fn make(&self) -> Result<async_nats::jetstream::consumer::PullConsumer> {
        self.link.connection().await;
        let consumer = made::consumer(&self.context, &self.link, &self.subject, &self.kept).await?;
        let there = &consumer.cached_info().config;
        // With pauses of its own it waits for a sign of life no longer than the shortest of them.
        let hold = there.backoff.iter().copied().fold(there.ack_wait, Duration::min);
        self.hold.store(nanos(hold), Ordering::Relaxed);
        Ok(consumer)
    }

    /// Tells the consumer what became of a message, and waits until it has heard.
    async fn tell(&self, receipt: &str, what: AckKind, doing: &str) -> Result<()> {
        let told = async {
            let request = Request::new().payload(what.into()).timeout(Some(KEEPING));
            match self.link.client.send_request(receipt.to_owned(), request).await {
                Ok(_) => Ok(()),
                Err(error) => {
                    let kind = match error.kind() {
                        RequestErrorKind::InvalidSubject => Kind::Invalid,
                        _ => Kind::Unavailable,
                    };
                    Err(self.link.fail(kind, &format!("{doing} a message of")).because(error))
                }
            }
        };
        self.link.allowed(told).await
    }
}

#[async_trait]
impl Subscription for StreamSubscription {
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        let mut fetch = self.fetch.lock().await;
        let _wish = Wish(&self.left);
        // What came to nobody may be somebody else's by now.
        if self.left.ago() > Duration::from_nanos(self.hold.load(Ordering::Relaxed)) / 2 {
            fetch.forget();
        }
        let received = self.link.allowed(fetch.receive(self, max)).await;
        if received.as_ref().is_err_and(|error| error.kind() == Kind::Denied) {
            // The server does not answer what it refuses.
            fetch.forget();
        }
        received
    }

    fn hold(&self) -> Option<Duration> {
        Some(Duration::from_nanos(self.hold.load(Ordering::Relaxed)))
    }

    /// A consumer takes the sign of life of whoever has a message, and does not say whether that is still us.
    async fn extend(&self, deliveries: &[Delivery]) -> Vec<Result<()>> {
        let told =
            deliveries.iter().map(|delivery| self.tell(&delivery.receipt, AckKind::Progress, "holding"));
        join_all(told).await
    }

    async fn ack(&self, delivery: &Delivery) -> Result<()> {
        self.tell(&delivery.receipt, AckKind::Ack, "acking").await
    }

    async fn nack(&self, delivery: &Delivery) -> Result<()> {
        let pause = pause(deliveries(&delivery.receipt));
        self.tell(&delivery.receipt, AckKind::Nak(Some(pause)), "handing back").await
    }

    async fn close(&self) {
        let waiting = self.fetch.lock().await.close();
        let handed_back =
            waiting.iter().map(|delivery| self.tell(&delivery.receipt, AckKind::Nak(None), "handing back"));
        for error in join_all(handed_back).await.into_iter().filter_map(Result::err) {
            tracing::warn!(
                error = error.chain(),
                "a message that was not begun could not be handed back; it comes back when its time is over"
            );
        }
    }

    async fn check(&self) -> Result<()> {
        self.link.within(self.make()).await.map(drop)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// How long a message that could not be handled rests after so many deliveries.
fn pause(deliveries: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << deliveries.min(16)).min(LONGEST_PAUSE)
}

/// How often the message with this receipt was delivered. A receipt is the subject of its ack: `$JS.ACK`, perhaps a
/// domain and an account, the stream, the consumer, and then this (NATS ADR-15).
fn deliveries(receipt: &str) -> u32 {
    let tokens: Vec<&str> = receipt.split('.').collect();
    let at = if tokens.len() > 9 { 6 } else { 4 };
    tokens.get(at).and_then(|count| count.parse().ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_rests_longer_each_time() {
        for (receipt, millis) in [
            ("$JS.ACK.EVENTS.autopgo.1.7.7.1700000000000000000.0", 200),
            ("$JS.ACK.EVENTS.autopgo.3.7.9.1700000000000000000.12", 800),
            ("$JS.ACK.hub.ABCDEF.EVENTS.autopgo.2.7.9.1700000000000000000.12.x", 400),
            ("$JS.ACK._.ABCDEF.EVENTS.autopgo.30.7.9.1700000000000000000.12", 30_000),
            ("nothing of the kind", 200),
        ] {
            assert_eq!(pause(deliveries(receipt)), Duration::from_millis(millis), "{receipt}");
        }
    }
}
