//! Buses with one fault each.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_conformance::{Gap, bus};
use autopgo_core::clock::System;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::memory::bus::MemoryBus;
use autopgo_core::port::bus::{Delivery, Message, Subscription, Topic};
use futures_util::future::join_all;

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
