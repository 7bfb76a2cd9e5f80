//! Core NATS: at most once.

use std::time::Duration;

use async_nats::{Client, Message as Received, PublishErrorKind, Subscriber};
use async_trait::async_trait;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::bus::{Delivery, Message, Subscription, Topic};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Mutex;

use super::body;
use super::link::Link;

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
    /// `None` once it is closed.
    messages: Mutex<Option<Subscriber>>,
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
            let number = self.link.connection().await;
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
            self.link.same(number)
        };
        self.link.within(published).await
    }

    async fn check(&self) -> Result<()> {
        self.link.within(self.link.ping()).await
    }
}

impl CoreSubscription {
    /// Subscribes at once: what is published before is never seen.
    pub(super) async fn open(link: Link, subject: String, queue: Option<String>, v2: bool) -> Result<Self> {
        let subscribed = match &queue {
            Some(queue) => link.client.queue_subscribe(subject.clone(), queue.clone()).await,
            None => link.client.subscribe(subject.clone()).await,
        };
        let messages =
            subscribed.map_err(|error| link.fail(Kind::Invalid, "subscribing to").because(error))?;
        // The server has the subscription then. Where there is none, the client tells it when there is.
        let _ = link.within(link.ping()).await;
        Ok(Self { link, subject, queue, v2, messages: Mutex::new(Some(messages)) })
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
        let first = messages.next().await.ok_or_else(|| self.over())?;
        // From here on nothing waits, so that nothing that was taken is dropped with this future.
        let mut batch = vec![self.delivery(first)];
        while batch.len() < max
            && let Some(Some(message)) = messages.next().now_or_never()
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

    /// Leaves the queue group. What had come and was not given out yet is published again for the others of the group:
    /// a process that ends in good order loses nothing. Without a group they have it already.
    async fn close(&self) {
        let Some(mut messages) = self.messages.lock().await.take() else { return };
        let handed_back = async {
            let drained = messages.drain().await;
            drained.map_err(|error| self.link.fail(Kind::Unavailable, "leaving").because(error))?;
            // What the server sent before it knew has come when it answers.
            self.link.ping().await?;
            while self.queue.is_some()
                && let Some(Some(message)) = messages.next().now_or_never()
            {
                self.send_on(&self.link.client, message).await?;
            }
            self.link.ping().await
        };
        if let Err(error) = self.link.within(handed_back).await {
            tracing::warn!(
                error = error.chain(),
                "what had come and was not begun could not be handed on; the sweep finds what it told of"
            );
        }
    }

    async fn check(&self) -> Result<()> {
        self.link.within(self.link.ping()).await
    }
}

impl CoreSubscription {
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
