//! The thread that speaks to Kafka. The client's calls wait, and it wants to be asked all the time: by that it knows that this
//! consumer lives, however long a merge takes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use autopgo_core::error::{Error, Kind, Result};
use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{ClientConfig, Message};
use tokio::sync::{oneshot, watch};

use super::fail;
use super::inbox::Inbox;
use super::link::{self, Link};
use super::rebalance::Hands;
use super::settings::{Brokers, Reader};

/// How long the thread waits for records before it looks whether to end.
const LOOK: Duration = Duration::from_millis(100);

/// A consumer of a group. It leaves the group when this is dropped, or the runtime that it was made in ends.
pub(super) struct GroupConsumer {
    /// The thread has it, so that it ends there: that waits as well.
    client: Weak<BaseConsumer<Hands>>,
    end: Arc<AtomicBool>,
    ended: watch::Receiver<bool>,
}

fn config(brokers: &Brokers, reader: &Reader) -> ClientConfig {
    let mut config = link::config(brokers);
    config
        .set("group.id", &reader.group)
        // What the Go original says: members of a group must agree on it.
        .set("partition.assignment.strategy", "range")
        .set("session.timeout.ms", "10000")
        .set("max.poll.interval.ms", "60000")
        // A third of the Go original's: by it a member hears that another came or went.
        .set("heartbeat.interval.ms", "1000")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // Where a group begins is said at each assignment. This is for an offset whose record is gone: nothing is skipped.
        .set("auto.offset.reset", "earliest")
        // What is fetched ahead, beside what is in the inbox.
        .set("queued.min.messages", "1000")
        .set("queued.max.messages.kbytes", "4096")
        .set("fetch.max.bytes", "4194304")
        .set("fetch.queue.backoff.ms", "50")
        .set("fetch.error.backoff.ms", "100");
    config
}

impl GroupConsumer {
    /// # Errors
    /// Only what no broker could change.
    pub(super) fn open(
        brokers: &Brokers,
        reader: &Arc<Reader>,
        link: &Arc<Link>,
        inbox: &Arc<Inbox>,
    ) -> Result<Self> {
        let (link, inbox, reader) = (Arc::clone(link), Arc::clone(inbox), Arc::clone(reader));
        let hands = Hands {
            link: Arc::clone(&link),
            inbox,
            reader: Arc::clone(&reader),
            paused: AtomicBool::new(false),
        };
        let client: BaseConsumer<Hands> = config(brokers, &reader)
            .create_with_context(hands)
            .map_err(|error| link.failed("setting up a client for", error))?;
        let client = Arc::new(client);
        let topics: Vec<&str> = reader.topics.iter().map(String::as_str).collect();
        client.subscribe(&topics).map_err(|error| link.failed("subscribing to", error))?;

        let (end, (tell, ended)) = (Arc::new(AtomicBool::new(false)), watch::channel(false));
        // A task that does nothing, and goes with its runtime: then nobody is left to receive, and others should have
        // what is fetched here.
        let (mut alive, life) = oneshot::channel::<()>();
        tokio::spawn(async move { alive.closed().await });
        let consumer = Self { client: Arc::downgrade(&client), end: Arc::clone(&end), ended };
        let run = move || {
            poll(&client, &end, life);
            last(client);
            tell.send_replace(true);
        };
        std::thread::Builder::new()
            .name("autopgo-kafka".to_owned())
            .spawn(run)
            .map_err(|error| link.fail(Kind::Unavailable, "starting a thread for").because(error))?;
        Ok(consumer)
    }

    /// The client, unless it ends.
    pub(super) fn client(&self) -> Option<Arc<BaseConsumer<Hands>>> {
        self.client.upgrade().filter(|_| !self.end.load(Ordering::Relaxed))
    }

    /// Leaves the group, and waits until that is done.
    pub(super) async fn leave(&self) {
        self.end.store(true, Ordering::Relaxed);
        // It ends with the thread at the latest.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }
}

impl Drop for GroupConsumer {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
    }
}

/// Hands on what comes until the end.
fn poll(client: &Arc<BaseConsumer<Hands>>, end: &AtomicBool, mut life: oneshot::Receiver<()>) {
    let hands = client.context();
    while !end.load(Ordering::Relaxed) && life.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
        // A partition that is given to us is not paused, whatever others were.
        let paused = hands.paused.load(Ordering::Relaxed);
        if hands.inbox.is_full(paused) != paused {
            let turned = client.assignment().and_then(|all| match paused {
                true => client.resume(&all),
                false => client.pause(&all),
            });
            match turned {
                Ok(()) => hands.paused.store(!paused, Ordering::Relaxed),
                Err(error) => tracing::debug!(bus = hands.link.name(), %error, "fetching goes on as it did"),
            }
        }
        match client.poll(LOOK) {
            None => {}
            Some(Ok(message)) => {
                if let Some(place) = hands.place(message.topic(), message.partition()) {
                    let body = message.payload().map(Bytes::copy_from_slice).unwrap_or_default();
                    hands.inbox.put(place, message.offset(), body);
                }
            }
            Some(Err(error)) => {
                if let Some(trouble) = trouble(&hands.link, error) {
                    hands.inbox.tell(trouble);
                }
            }
        }
    }
    hands.inbox.close();
}

/// Leaves the group, when nobody else uses the client any more.
fn last(client: Arc<BaseConsumer<Hands>>) {
    while Arc::strong_count(&client) > 1 {
        // What comes is not given out, and so it stays.
        client.poll(LOOK / 10);
    }
    drop(client);
}

/// What somebody should do something about. The rest passes: the client goes on by itself, and has logged it.
fn trouble(link: &Link, error: KafkaError) -> Option<Error> {
    let passes = match &error {
        KafkaError::MessageConsumptionFatal(_) => false,
        KafkaError::MessageConsumption(code) => fail::of(*code) == Kind::Unavailable,
        _ => true,
    };
    if passes {
        tracing::debug!(bus = link.name(), %error, "the Kafka client goes on after an error");
        return None;
    }
    let doing = match error.rdkafka_error_code() {
        Some(Code::InconsistentGroupProtocol) => {
            "others share the partitions by another rule than range, so that nobody of ours gets one of"
        }
        _ => "receiving from",
    };
    Some(link.failed(doing, error))
}
