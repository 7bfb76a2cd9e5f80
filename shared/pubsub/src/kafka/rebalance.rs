//! How partitions change hands.
//!
//! By `range`, the rule of the Go original: members of one group share them by one rule or not at all. By it everybody gives
//! up everything first and then gets a share, mostly with the same partitions in it. So what is given up is remembered:
//! where the group's offset is still what it was, nobody has done anything meanwhile, and what is in hand stays there. Where
//! it is not, or a partition does not come back, its records are delivered again, and what becomes of those in hand
//! counts for nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::util::Timeout;
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::inbox::{Head, Inbox, Place};
use super::link::{Link, PATIENCE};
use super::settings::{Reader, Start};

/// What a consumer's client calls, on the thread that polls it.
pub(super) struct Hands {
    pub(super) link: Arc<Link>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) reader: Arc<Reader>,
    /// Whether nothing is fetched just now.
    pub(super) paused: AtomicBool,
}

impl ClientContext for Hands {
    fn log(&self, level: RDKafkaLogLevel, what: &str, text: &str) {
        self.link.log(level, what, text);
    }

    /// It is in the log already, in more words.
    fn error(&self, _: KafkaError, _: &str) {}
}

impl ConsumerContext for Hands {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let done = match Code::from(what) {
            Code::AssignPartitions => self.take(consumer, list),
            _ => self.give_up(consumer),
        };
        if let Err(error) = done {
            self.inbox.tell(self.link.failed("sharing the partitions of", error));
        }
    }

    /// The queue is polled all the time.
    fn main_queue_min_poll_interval(&self) -> Timeout {
        Timeout::Never
    }
}

impl Hands {
    /// The place of a topic and a partition.
    pub(super) fn place(&self, topic: &str, partition: i32) -> Option<Place> {
        let topic = self.reader.topics.iter().position(|other| other == topic)?;
        Some(Place { topic, partition })
    }

    /// These heads, as the client wants them: the group's offset is that of the first record that is not done.
    pub(super) fn list(&self, heads: &[Head]) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(heads.len());
        for head in heads {
            let topic = &self.reader.topics[head.place.topic];
            list.add_partition_offset(topic, head.place.partition, Offset::Offset(head.offset))?;
        }
        Ok(list)
    }

    fn give_up(&self, consumer: &BaseConsumer<Self>) -> KafkaResult<()> {
        self.inbox.park();
        if consumer.assignment_lost() {
            tracing::warn!(
                bus = self.link.name(),
                "the group went on without this consumer; joining it again"
            );
            self.inbox.forget();
        } else if let Err(error) = self.commit(consumer, &self.inbox.heads()) {
            let error = self.link.failed("leaving what is done to", error);
            tracing::warn!(
                error = error.chain(),
                "some of what was done will be delivered again, which is harmless"
            );
            self.inbox.forget();
        }
        consumer.unassign()
    }

    fn take(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList) -> KafkaResult<()> {
        match consumer.committed_offsets(list.clone(), PATIENCE) {
            Ok(offsets) => {
                for mut part in list.elements() {
                    if let Some(known) = offsets.find_partition(part.topic(), part.partition()) {
                        part.set_offset(self.begin(consumer, &known))?;
                    }
                }
            }
            Err(error) => {
                // The client finds them out by itself, and what was in hand comes again.
                tracing::debug!(bus = self.link.name(), %error, "the group's offsets are not known yet");
                self.inbox.forget();
                for part in list.elements() {
                    self.place(part.topic(), part.partition()).map(|place| self.inbox.own(place, None));
                }
            }
        }
        consumer.assign(list)?;
        // What one assignment paused is not for the next.
        consumer.resume(list)?;
        self.paused.store(false, Ordering::Relaxed);
        self.inbox.settle();
        tracing::debug!(bus = self.link.name(), partitions = list.count(), "has its share of the partitions");
        Ok(())
    }

    /// Where to begin in a partition of which this is the group's offset.
    fn begin(&self, consumer: &BaseConsumer<Self>, part: &TopicPartitionListElem<'_>) -> Offset {
        let Some(place) = self.place(part.topic(), part.partition()) else { return Offset::Invalid };
        let offset = match part.offset() {
            Offset::Offset(offset) => Some(offset),
            Offset::Invalid if part.error().is_ok() && self.reader.start == Start::Newest => {
                match self.pin(consumer, part) {
                    Ok(end) => Some(end),
                    Err(error) => {
                        let error = self.link.failed("keeping the beginning for", error);
                        tracing::warn!(error = error.chain(), "what comes until the first ack may be missed");
                        self.inbox.own(place, None);
                        return Offset::End;
                    }
                }
            }
            _ => None,
        };
        self.inbox.own(place, offset).map_or(Offset::Invalid, Offset::Offset)
    }

    /// The end of a partition, which from now on is the group's offset: or else whoever is next would begin at an end that is
    /// further on.
    fn pin(&self, consumer: &BaseConsumer<Self>, part: &TopicPartitionListElem<'_>) -> KafkaResult<i64> {
        let (_, end) = consumer.fetch_watermarks(part.topic(), part.partition(), PATIENCE)?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(part.topic(), part.partition(), Offset::Offset(end))?;
        consumer.commit(&list, CommitMode::Sync)?;
        Ok(end)
    }

    fn commit(&self, consumer: &BaseConsumer<Self>, heads: &[Head]) -> KafkaResult<()> {
        if heads.is_empty() {
            return Ok(());
        }
        consumer.commit(&self.list(heads)?, CommitMode::Sync)?;
        self.inbox.committed(heads);
        Ok(())
    }
}
