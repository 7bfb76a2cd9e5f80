//! Messages are asked for in two ways: what is there now, up to a number, and, where nothing is, the next one to come.
//! So nobody has messages that nobody looks at, and whoever waits has the first at once.
//!
//! A request outlives the wish it was made for: what it brings to nobody, the next wish finds, if that comes soon.

use std::collections::VecDeque;
use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::Batch;
use autopgo_core::error::{Kind, Result};
use autopgo_core::port::bus::Delivery;
use futures_util::{FutureExt, StreamExt};

use super::StreamSubscription;
use crate::nats::body;

/// How long a request for the next message stands, if the consumer lets it. Then another is made.
const STANDS: Duration = Duration::from_secs(30);
/// How long a server may take to say that there is no more.
const ANSWERS: Duration = Duration::from_secs(5);

/// What is asked for, and what came of it.
#[derive(Default)]
pub(super) struct Fetch {
    consumer: Option<PullConsumer>,
    /// The request, and the connection it was made by: another knows nothing of it.
    request: Option<(Batch, u64)>,
    came: VecDeque<Delivery>,
    closed: bool,
}

impl Fetch {
    /// At least one message and at most `max`. Whatever is dropped amid it, what came stays in `self`.
    pub(super) async fn receive(&mut self, of: &StreamSubscription, max: usize) -> Result<Vec<Delivery>> {
        loop {
            if self.closed {
                return Err(of.link.fail(Kind::Unavailable, "nothing is received any more from"));
            }
            self.what_is_there(of, max).await?;
            if !self.came.is_empty() {
                let count = max.min(self.came.len());
                return Ok(self.came.drain(..count).collect());
            }
            self.the_next(of).await?;
        }
    }

    /// What lies here comes back by itself, to whoever asks then.
    pub(super) fn forget(&mut self) {
        self.request = None;
        self.came.clear();
    }

    /// What had come, for somebody else. Nothing comes after it.
    pub(super) fn close(&mut self) -> Vec<Delivery> {
        self.closed = true;
        while let Some((batch, _)) = &mut self.request {
            match batch.next().now_or_never() {
                Some(Some(Ok(message))) => self.came.extend(delivery(message, true)),
                _ => self.request = None,
            }
        }
        self.came.drain(..).collect()
    }

    /// Takes what a request brought that still stands, and then what the consumer has now.
    async fn what_is_there(&mut self, of: &StreamSubscription, max: usize) -> Result<()> {
        if self.request.is_none() && self.came.len() < max {
            let (wanted, number) = (max - self.came.len(), of.link.connection().await);
            let consumer = self.consumer(of).await?;
            let asked = consumer.fetch().max_messages(at_most(&consumer, wanted)).messages().await;
            self.asked(of, asked, number)?;
            return self.finish(of, Some(ANSWERS)).await;
        }
        self.finish(of, None).await
    }

    async fn the_next(&mut self, of: &StreamSubscription) -> Result<()> {
        let number = of.link.connection().await;
        let consumer = self.consumer(of).await?;
        let asked = consumer.batch().max_messages(1).expires(stands(&consumer)).messages().await;
        self.asked(of, asked, number)?;
        self.finish(of, None).await
    }

    fn asked<E: std::error::Error + Send + Sync + 'static>(
        &mut self,
        of: &StreamSubscription,
        asked: std::result::Result<Batch, E>,
        number: u64,
    ) -> Result<()> {
        let batch = asked
            .map_err(|error| of.link.fail(Kind::Unavailable, "asking for messages of").because(error))?;
        self.request = Some((batch, number));
        Ok(())
    }

    /// Takes what the request brings until it is over: it has brought all, its time is over, or its connection is.
    async fn finish(&mut self, of: &StreamSubscription, most: Option<Duration>) -> Result<()> {
        let late = async {
            match most {
                Some(most) => tokio::time::sleep(most).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(late);
        while let Some((batch, number)) = &mut self.request {
            let number = *number;
            let came = tokio::select! {
                biased;
                came = batch.next() => came,
                () = of.link.another(number) => None,
                () = &mut late => None,
            };
            match came {
                Some(Ok(message)) => self.came.extend(delivery(message, of.v2)),
                None => self.request = None,
                Some(Err(error)) => {
                    self.request = None;
                    // The consumer may be gone: the next wish makes it again.
                    self.consumer = None;
                    if self.came.is_empty() {
                        return Err(of
                            .link
                            .fail(Kind::Unavailable, "waiting for messages of")
                            .because(error));
                    }
                }
            }
        }
        Ok(())
    }

    async fn consumer(&mut self, of: &StreamSubscription) -> Result<PullConsumer> {
        if let Some(consumer) = &self.consumer {
            return Ok(consumer.clone());
        }
        let made = of.make().await?;
        self.consumer = Some(made.clone());
        Ok(made)
    }
}

/// As many as a request to this consumer may ask for: with more the server refuses it.
fn at_most(consumer: &PullConsumer, wanted: usize) -> usize {
    match usize::try_from(consumer.cached_info().config.max_batch) {
        Ok(most @ 1..) => wanted.min(most),
        _ => wanted,
    }
}

/// As long as a request to this consumer may stand.
fn stands(consumer: &PullConsumer) -> Duration {
    match consumer.cached_info().config.max_expires {
        Duration::ZERO => STANDS,
        longest => STANDS.min(longest),
    }
}

/// `None` for what has no address to ack it at: no message of a stream.
fn delivery(message: async_nats::jetstream::Message, v2: bool) -> Option<Delivery> {
    let async_nats::Message { reply, payload, .. } = message.message;
    Some(Delivery { body: body::of(payload, v2), receipt: reply?.to_string() })
}
