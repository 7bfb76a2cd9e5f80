//! Laws are tests of other crates' code, so here is the test of the laws: stores and buses, each with one fault, and
//! the laws that must find it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_conformance::{Gap, blobs, bus};
use autopgo_core::clock::System;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::memory::blobs::MemoryBlobs;
use autopgo_core::memory::bus::MemoryBus;
use autopgo_core::port::blobs::{Blobs, Entry, Object, Signed, Stat, Version, When};
use autopgo_core::port::bus::{Delivery, Message, Subscription, Topic};
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{BoxStream, StreamExt};

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    WritesUnconditionally,
    CreatesByIs,
    ConflictIsInternal,
    LooksThenWrites,
    KeepsVersions,
    AfterIsInclusive,
    AfterIsIgnored,
    PrefixIsAFolder,
    OnePageOnly,
    FolderOrder,
    DeletesFail,
    CopiesNothing,
    CopyCreates,
    LimitIsOneMore,
    CutsTheLarge,
    EmptyIsNone,
    StatLags,
    StripsSlashes,
    DeleteIsPrefix,
    CheckLeavesAFile,
}

struct Faulty {
    fault: Fault,
    inner: Arc<MemoryBlobs>,
}

#[async_trait]
impl Blobs for Faulty {
    async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        let limit = if self.fault == Fault::LimitIsOneMore { limit + 1 } else { limit };
        let object = self.inner.read(self.key(key), limit).await?;
        Ok(object
            .filter(|object| self.fault != Fault::EmptyIsNone || !object.bytes.is_empty())
            .map(|object| Object { version: self.version(object.version), ..object }))
    }

    async fn stat(&self, key: &str) -> Result<Option<Stat>> {
        let stat = self.inner.stat(self.key(key)).await?;
        let lag = u64::from(self.fault == Fault::StatLags);
        Ok(stat.map(|stat| Stat { version: self.version(stat.version), size: stat.size + lag, ..stat }))
    }

    async fn write(&self, key: &str, mut bytes: Bytes, when: When) -> Result<Version> {
        if self.fault == Fault::CutsTheLarge {
            bytes.truncate(5 << 20);
        }
        let when = match (self.fault, when) {
            (Fault::WritesUnconditionally | Fault::KeepsVersions, _) => When::Always,
            (Fault::CreatesByIs, When::Is(_)) if self.inner.stat(key).await?.is_none() => When::Always,
            (Fault::LooksThenWrites, when) => {
                let now = self.inner.stat(key).await?.map(|stat| stat.version);
                let holds = match &when {
                    When::Always => true,
                    When::Absent => now.is_none(),
                    When::Is(version) => now.as_ref() == Some(version),
                };
                if !holds {
                    return Err(Error::new(Kind::Conflict, "written meanwhile"));
                }
                tokio::task::yield_now().await;
                When::Always
            }
            (_, when) => when,
        };
        let written = self.inner.write(self.key(key), bytes, when).await;
        match written {
            Err(error) if self.fault == Fault::ConflictIsInternal => {
                Err(Error::new(Kind::Internal, error.what()))
            }
            written => Ok(self.version(written?)),
        }
    }

    async fn copy(&self, from: &str, to: &str) -> Result<bool> {
        match self.fault {
            Fault::CopiesNothing => Ok(self.inner.stat(from).await?.is_some()),
            Fault::CopyCreates if self.inner.stat(from).await?.is_none() => {
                self.inner.write(to, Bytes::new(), When::Always).await.map(|_| true)
            }
            _ => self.inner.copy(self.key(from), self.key(to)).await,
        }
    }

    async fn delete(&self, key: &str) -> Result<()> {
        match self.fault {
            Fault::DeletesFail if self.inner.stat(key).await?.is_none() => {
                Err(Error::new(Kind::NotFound, "there is no such object"))
            }
            Fault::DeleteIsPrefix => {
                let keys: Vec<_> = self.inner.list(key, None).collect().await;
                for entry in keys {
                    self.inner.delete(&entry?.key).await?;
                }
                Ok(())
            }
            _ => self.inner.delete(self.key(key)).await,
        }
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'_, Result<Entry>> {
        let all = self.inner.list("", None);
        let (fault, prefix, after) = (self.fault, prefix.to_owned(), after.map(str::to_owned));
        let first = match fault {
            Fault::AfterIsIgnored => None,
            _ => after,
        };
        let chosen = all.filter(move |entry| {
            let key = entry.as_ref().map_or("", |entry| entry.key.as_str());
            let folder = fault == Fault::PrefixIsAFolder && !prefix.is_empty() && !prefix.ends_with('/');
            let within =
                if folder { key.starts_with(&format!("{prefix}/")) } else { key.starts_with(&prefix) };
            let behind = first
                .as_deref()
                .is_none_or(|after| key > after || (fault == Fault::AfterIsInclusive && key == after));
            std::future::ready(within && behind)
        });
        match fault {
            Fault::OnePageOnly => chosen.take(1000).boxed(),
            Fault::FolderOrder => futures_util::stream::once(async move {
                let mut entries: Vec<_> = chosen.collect().await;
                entries.sort_by_key(|entry| {
                    entry
                        .as_ref()
                        .map_or(Vec::new(), |entry| entry.key.split('/').map(str::to_owned).collect())
                });
                futures_util::stream::iter(entries)
            })
            .flatten()
            .boxed(),
            _ => chosen.boxed(),
        }
    }

    async fn sign_put(&self, _: &str, _: u64, _: Duration) -> Result<Option<Signed>> {
        Ok(None)
    }

    async fn sign_get(&self, _: &str, _: Duration) -> Result<Option<Signed>> {
        Ok(None)
    }

    async fn check(&self) -> Result<()> {
        if self.fault == Fault::CheckLeavesAFile {
            self.inner.write("probe", Bytes::new(), When::Always).await?;
        }
        Ok(())
    }
}

impl Faulty {
    fn key<'a>(&self, key: &'a str) -> &'a str {
        if self.fault == Fault::StripsSlashes { key.trim_end_matches('/') } else { key }
    }

    fn version(&self, version: Version) -> Version {
        if self.fault == Fault::KeepsVersions { Version::new("1") } else { version }
    }
}

#[async_trait]
impl blobs::Harness for Faulty {
    async fn open(&self) -> Result<Arc<dyn Blobs>> {
        Ok(Arc::new(Self { fault: self.fault, inner: Arc::clone(&self.inner) }))
    }

    async fn missing(&self) -> Result<(Arc<dyn Blobs>, String)> {
        Ok((self.open().await?, "nowhere".to_owned()))
    }

    /// What signs, and what is far away, has its own test of the laws: `teeth_remote.rs`.
    fn signs(&self) -> bool {
        false
    }

    async fn stranger(&self) -> Result<Option<Arc<dyn Blobs>>> {
        Ok(None)
    }

    fn remote(&self) -> Option<SocketAddr> {
        None
    }

    fn gaps(&self) -> &[Gap] {
        const { &[Gap::always("a_missing_store_is_named", "memory is always there")] }
    }
}

async fn store_breaks(fault: Fault, law: &str) -> bool {
    let harness = Faulty { fault, inner: Arc::new(MemoryBlobs::new(Arc::new(System))) };
    blobs::prove(law, &harness).await.is_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_a_store_is_found() {
    for (fault, found_by) in [
        (Fault::WritesUnconditionally, "absent_creates_once"),
        (Fault::CreatesByIs, "is_on_nothing_is_a_conflict"),
        (Fault::ConflictIsInternal, "a_stale_version_is_a_conflict"),
        (Fault::LooksThenWrites, "no_increment_is_lost"),
        (Fault::KeepsVersions, "every_write_of_other_bytes_is_another_version"),
        (Fault::AfterIsInclusive, "prefix_and_after_narrow_a_listing"),
        (Fault::AfterIsIgnored, "a_listing_goes_past_a_page"),
        (Fault::PrefixIsAFolder, "prefix_and_after_narrow_a_listing"),
        (Fault::OnePageOnly, "a_listing_goes_past_a_page"),
        (Fault::FolderOrder, "a_listing_is_in_the_order_of_bytes"),
        (Fault::DeletesFail, "deleting_nothing_is_fine"),
        (Fault::CopiesNothing, "a_copy_is_the_same_bytes"),
        (Fault::CopyCreates, "copying_nothing_is_false"),
        (Fault::LimitIsOneMore, "the_limit_of_a_read_is_exact"),
        (Fault::CutsTheLarge, "a_large_object_is_whole"),
        (Fault::EmptyIsNone, "an_empty_object_is_an_object"),
        (Fault::StatLags, "a_look_agrees_with_a_read"),
        (Fault::StripsSlashes, "nothing_there_is_none"),
        (Fault::DeleteIsPrefix, "a_deleted_object_is_gone"),
        (Fault::CheckLeavesAFile, "check_answers"),
    ] {
        assert!(store_breaks(fault, found_by).await, "{fault:?} passes {found_by}");
    }
    for law in blobs::LAWS {
        assert!(!store_breaks(Fault::None, law).await, "a good store breaks {law}");
    }
}

/// What is wrong with a bus.
#[derive(Clone, Copy, Debug, PartialEq)]
enum BusFault {
    None,
    LosesWhenNacked,
    LosesWhenUnsettled,
    ToEverybody,
    ToTheFirst,
    IgnoresMax,
    EmptyBatches,
    Reverses,
    Wraps,
    AcksNothing,
    LateAckFails,
    LosesEvery50th,
    TakesOnCheck,
    ExtendsNothing,
    ExtendsForEver,
    OneAnswerToAll,
    ExtendingBringsBack,
    KeepsWhatItFetched,
    ReceivesWhenClosed,
    StaysDeaf,
    HealthyForEver,
    PublishesToNobody,
    ForgetsWhenItRestarts,
}

struct FaultyBus {
    fault: BusFault,
    /// Where this end publishes, and the first of them is where it receives.
    buses: Vec<Arc<MemoryBus>>,
    published: AtomicU64,
    closed: AtomicBool,
    /// Fetched ahead.
    ahead: tokio::sync::Mutex<VecDeque<Delivery>>,
    broker: Arc<MemoryBroker>,
}

/// A broker whose bus is in memory: while it is stopped, no end of it works.
#[derive(Default)]
struct MemoryBroker {
    stopped: AtomicBool,
    starts: AtomicU64,
    /// What is forgotten, if it forgets.
    forgets: Mutex<Option<Arc<MemoryBus>>>,
}

impl MemoryBroker {
    fn reached(&self) -> Result<()> {
        match self.stopped.load(Ordering::Relaxed) {
            true => Err(Error::new(Kind::Unavailable, "the broker is stopped")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl bus::Broker for MemoryBroker {
    async fn stop(&self) -> Result<()> {
        self.stopped.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn start(&self) -> Result<()> {
        let forgets = self.forgets.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(bus) = forgets {
            while let Ok(batch) = tokio::time::timeout(Duration::from_millis(1), bus.receive(100)).await {
                for delivery in batch? {
                    bus.ack(&delivery).await?;
                }
            }
        }
        self.starts.fetch_add(1, Ordering::Relaxed);
        self.stopped.store(false, Ordering::Relaxed);
        Ok(())
    }
}

const ACK_DEADLINE: Duration = Duration::from_millis(300);

#[async_trait]
impl Topic for FaultyBus {
    async fn publish(&self, message: Message) -> Result<()> {
        match (self.broker.reached(), self.fault) {
            (Err(_), BusFault::PublishesToNobody) => return Ok(()),
            (reached, _) => reached?,
        }
        let n = self.published.fetch_add(1, Ordering::Relaxed) + 1;
        if self.fault == BusFault::LosesEvery50th && n.is_multiple_of(50) {
            return Ok(());
        }
        let body = match self.fault {
            BusFault::Wraps => format!("{{\"Message\": {:?}}}", message.body).into(),
            _ => message.body.clone(),
        };
        for bus in &self.buses {
            bus.publish(Message { body: body.clone(), ..message.clone() }).await?;
        }
        Ok(())
    }

    async fn check(&self) -> Result<()> {
        self.broker.reached()
    }
}

#[async_trait]
impl Subscription for FaultyBus {
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        self.broker.reached()?;
        if self.closed.load(Ordering::Relaxed) && self.fault != BusFault::ReceivesWhenClosed {
            return Err(Error::new(Kind::Unavailable, "closed"));
        }
        match self.fault {
            BusFault::StaysDeaf if self.broker.starts.load(Ordering::Relaxed) > 0 => {
                return std::future::pending().await;
            }
            BusFault::KeepsWhatItFetched => {
                let mut ahead = self.ahead.lock().await;
                if ahead.is_empty() {
                    ahead.extend(self.buses[0].receive(10).await?);
                }
                let count = max.min(ahead.len());
                return Ok(ahead.drain(..count).collect());
            }
            _ => {}
        }
        let max = if self.fault == BusFault::IgnoresMax { max + 10 } else { max };
        if self.fault == BusFault::EmptyBatches {
            let soon = tokio::time::timeout(Duration::from_millis(5), self.buses[0].receive(max)).await;
            return soon.unwrap_or(Ok(Vec::new()));
        }
        let mut batch = self.buses[0].receive(max).await?;
        match self.fault {
            BusFault::Reverses => batch.reverse(),
            BusFault::LosesWhenUnsettled => {
                for delivery in &batch {
                    self.buses[0].ack(delivery).await?;
                }
            }
            _ => {}
        }
        Ok(batch)
    }

    fn hold(&self) -> Option<Duration> {
        Subscription::hold(&*self.buses[0])
    }

    async fn extend(&self, deliveries: &[Delivery]) -> Vec<Result<()>> {
        match self.fault {
            BusFault::ExtendsNothing => deliveries.iter().map(|_| Ok(())).collect(),
            BusFault::OneAnswerToAll => {
                Subscription::extend(&*self.buses[0], deliveries).await.into_iter().take(1).collect()
            }
            BusFault::ExtendsForEver => {
                let (bus, deliveries) = (Arc::clone(&self.buses[0]), deliveries.to_vec());
                let extended = Subscription::extend(&*bus, &deliveries).await;
                tokio::spawn(async move {
                    for _ in 0..50 {
                        tokio::time::sleep(ACK_DEADLINE / 4).await;
                        Subscription::extend(&*bus, &deliveries).await;
                    }
                });
                extended
            }
            BusFault::ExtendingBringsBack => {
                let extended = Subscription::extend(&*self.buses[0], deliveries).await;
                for (delivery, extended) in deliveries.iter().zip(&extended) {
                    if extended.is_err() {
                        let message = Message { body: delivery.body.clone(), key: String::new() };
                        let _ = self.buses[0].publish(message).await;
                    }
                }
                extended
            }
            _ => Subscription::extend(&*self.buses[0], deliveries).await,
        }
    }

    async fn ack(&self, delivery: &Delivery) -> Result<()> {
        match self.fault {
            BusFault::AcksNothing => Ok(()),
            BusFault::LateAckFails
                if delivery.receipt == "1" && self.published.fetch_add(1, Ordering::Relaxed) > 0 =>
            {
                Err(Error::new(Kind::NotFound, "the receipt is no longer valid"))
            }
            _ => self.buses[0].ack(delivery).await,
        }
    }

    async fn nack(&self, delivery: &Delivery) -> Result<()> {
        match self.fault {
            BusFault::LosesWhenNacked => self.buses[0].ack(delivery).await,
            _ => self.buses[0].nack(delivery).await,
        }
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        Subscription::close(&*self.buses[0]).await;
    }

    async fn check(&self) -> Result<()> {
        if self.fault != BusFault::HealthyForEver {
            self.broker.reached()?;
        }
        if self.fault == BusFault::TakesOnCheck {
            let soon = tokio::time::timeout(Duration::from_millis(5), self.buses[0].receive(1)).await;
            for delivery in soon.unwrap_or(Ok(Vec::new()))? {
                self.buses[0].ack(&delivery).await?;
            }
        }
        Ok(())
    }
}

/// A bus with one fault, and the ends that were opened.
struct BusHarness {
    fault: BusFault,
    bus: Arc<MemoryBus>,
    others: Mutex<Vec<Arc<MemoryBus>>>,
    broker: Arc<MemoryBroker>,
}

fn memory() -> Arc<MemoryBus> {
    Arc::new(MemoryBus::new(Arc::new(System), ACK_DEADLINE))
}

impl BusHarness {
    fn new(fault: BusFault) -> Self {
        let (bus, broker) = (memory(), Arc::new(MemoryBroker::default()));
        if fault == BusFault::ForgetsWhenItRestarts {
            *broker.forgets.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&bus));
        }
        Self { fault, bus, others: Mutex::default(), broker }
    }

    fn end(&self, buses: Vec<Arc<MemoryBus>>) -> Arc<FaultyBus> {
        Arc::new(FaultyBus {
            fault: self.fault,
            buses,
            published: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            ahead: tokio::sync::Mutex::default(),
            broker: Arc::clone(&self.broker),
        })
    }
}

#[async_trait]
impl bus::Harness for BusHarness {
    async fn topic(&self) -> Result<Arc<dyn Topic>> {
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let everybody = self.fault == BusFault::ToEverybody;
        Ok(self.end(if everybody { others } else { vec![Arc::clone(&self.bus)] }))
    }

    async fn subscription(&self) -> Result<Arc<dyn Subscription>> {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let alone = match self.fault {
            BusFault::ToEverybody => true,
            BusFault::ToTheFirst => !others.is_empty(),
            _ => false,
        };
        others.push(if alone { memory() } else { Arc::clone(&self.bus) });
        Ok(self.end(others.last().cloned().into_iter().collect()))
    }

    async fn missing(&self) -> Result<(bus::Missing, String)> {
        Ok((bus::Missing::Topic(self.topic().await?), "nowhere".to_owned()))
    }

    fn broker(&self) -> Option<&dyn bus::Broker> {
        Some(&*self.broker)
    }

    fn facts(&self) -> bus::Facts {
        bus::Facts { ordered_by_key: true, ack_deadline: ACK_DEADLINE, many: 500 }
    }

    fn gaps(&self) -> &[Gap] {
        const { &[Gap::always("a_missing_end_is_named", "memory is always there")] }
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(4)
    }
}

async fn bus_breaks(fault: BusFault, law: &str) -> bool {
    bus::prove(law, &BusHarness::new(fault)).await.is_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_a_bus_is_found() {
    // Nearly all of it is waiting.
    let cases = [
        (BusFault::LosesWhenNacked, "a_nacked_message_comes_back"),
        (BusFault::LosesWhenUnsettled, "a_message_comes_back_after_a_lost_ack"),
        (BusFault::LosesWhenUnsettled, "a_dropped_consumer_loses_nothing"),
        (BusFault::ToEverybody, "an_acked_message_stays_away"),
        (BusFault::ToTheFirst, "consumers_share_the_work"),
        (BusFault::IgnoresMax, "at_most_as_many_as_asked_for"),
        (BusFault::EmptyBatches, "an_acked_message_stays_away"),
        (BusFault::Reverses, "messages_of_a_key_keep_their_order"),
        (BusFault::Wraps, "what_is_published_arrives"),
        (BusFault::AcksNothing, "an_acked_message_stays_away"),
        (BusFault::AcksNothing, "settling_twice_is_harmless"),
        (BusFault::LateAckFails, "settling_twice_is_harmless"),
        (BusFault::LosesEvery50th, "many_messages_all_arrive"),
        (BusFault::TakesOnCheck, "check_answers"),
        (BusFault::ExtendsNothing, "long_work_is_held"),
        (BusFault::OneAnswerToAll, "long_work_is_held"),
        (BusFault::ExtendsForEver, "what_is_held_no_more_comes_back"),
        (BusFault::ExtendingBringsBack, "holding_what_is_settled_is_harmless"),
        (BusFault::KeepsWhatItFetched, "a_closed_consumer_leaves_the_rest_to_others"),
        (BusFault::ReceivesWhenClosed, "a_closed_consumer_leaves_the_rest_to_others"),
        (BusFault::LosesWhenUnsettled, "a_killed_consumer_loses_nothing"),
        (BusFault::StaysDeaf, "a_broker_that_restarts_is_found_again"),
        (BusFault::HealthyForEver, "a_broker_that_restarts_is_found_again"),
        (BusFault::PublishesToNobody, "a_broker_that_restarts_is_found_again"),
        (BusFault::ForgetsWhenItRestarts, "what_a_broker_has_outlives_its_restart"),
    ];
    join_all(cases.map(|(fault, found_by)| async move {
        assert!(bus_breaks(fault, found_by).await, "{fault:?} passes {found_by}");
        assert!(!bus_breaks(BusFault::None, found_by).await, "a good bus fails {found_by}");
    }))
    .await;
}
