//! `mem://name`: a bus inside the process. `mem://name?ackdeadline=1m` is a subscription whose messages come back
//! after that time; a topic takes no parameters. Every subscription of one name is a consumer of the same messages,
//! where gocloud.dev's gives each subscription a copy: one process has one worker here, and a copy nobody reads would
//! fill the memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::address::{Address, Params};
use autopgo_core::clock::Clock;
use autopgo_core::duration::GoDuration;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::memory::bus::{ACK_DEADLINE, MemoryBus};
use autopgo_core::port::bus::{Delivery, Message, Subscription, Topic};

/// The scheme of these URLs.
pub const SCHEME: &str = "mem";

/// The buses of one process, by name.
pub(crate) struct Buses {
    clock: Arc<dyn Clock>,
    named: Mutex<BTreeMap<String, Arc<Bus>>>,
}

impl Buses {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, named: Mutex::default() }
    }

    fn named(&self, name: String) -> Arc<Bus> {
        // Nothing panics while it holds the lock, so what it guards is always whole.
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(Bus { clock: Arc::clone(&self.clock), inner: OnceLock::new() });
        Arc::clone(named.entry(name).or_insert_with(fresh))
    }
}

/// A bus that is made when it is first used. The topic is often opened first, and only the subscription says after
/// which time messages come back.
struct Bus {
    clock: Arc<dyn Clock>,
    inner: OnceLock<(Duration, MemoryBus)>,
}

impl Bus {
    fn inner(&self) -> &MemoryBus {
        &self.with_deadline(ACK_DEADLINE).1
    }

    /// The bus, made with this deadline if it is not there yet, and the deadline that it has.
    fn with_deadline(&self, ack_deadline: Duration) -> &(Duration, MemoryBus) {
        let made = || (ack_deadline, MemoryBus::new(Arc::clone(&self.clock), ack_deadline));
        self.inner.get_or_init(made)
    }
}

pub(crate) fn topic(address: &Address, buses: &Buses) -> Result<Arc<dyn Topic>> {
    address.params().finish()?;
    Ok(buses.named(name(address)?))
}

pub(crate) fn subscription(address: &Address, buses: &Buses) -> Result<Arc<dyn Subscription>> {
    let ack_deadline = ack_deadline(address.params())?;
    let bus = buses.named(name(address)?);
    if let Some(wanted) = ack_deadline {
        let made = bus.with_deadline(wanted).0;
        if made != wanted {
            return Err(Error::new(
                Kind::Invalid,
                format!(
                    "{address} is in use with an ack deadline of {}, and is now to have {}; give every subscription of \
                     one name the same ackdeadline",
                    GoDuration(made),
                    GoDuration(wanted)
                ),
            ));
        }
    }
    Ok(bus)
}

fn name(address: &Address) -> Result<String> {
    let name = address.name();
    if name.is_empty() {
        return Err(Error::new(
            Kind::Invalid,
            "mem:// names no bus; write mem://name, the same for both ends",
        ));
    }
    Ok(name)
}

fn ack_deadline(mut params: Params) -> Result<Option<Duration>> {
    let ack_deadline = params.duration("ackdeadline")?;
    params.finish()?;
    if ack_deadline.is_some_and(|deadline| deadline.is_zero()) {
        return Err(Error::new(
            Kind::Invalid,
            "mem://: parameter ackdeadline is 0; write a time as 30s or 1m",
        ));
    }
    Ok(ack_deadline)
}

#[async_trait]
impl Topic for Bus {
    async fn publish(&self, message: Message) -> Result<()> {
        self.inner().publish(message).await
    }

    async fn check(&self) -> Result<()> {
        // Asking after its health does not use a bus, and would settle its deadline.
        Ok(())
    }
}

#[async_trait]
impl Subscription for Bus {
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        self.inner().receive(max).await
    }

    async fn ack(&self, delivery: &Delivery) -> Result<()> {
        self.inner().ack(delivery).await
    }

    async fn nack(&self, delivery: &Delivery) -> Result<()> {
        self.inner().nack(delivery).await
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use autopgo_core::clock::System;

    use super::*;
    use crate::open::{Environment, subscription, topic};

    async fn published(url: &str, environment: &Environment) {
        let message = Message { body: "{}".into(), key: "app".to_owned() };
        topic(url, environment).await.expect(url).publish(message).await.expect("published");
    }

    async fn arrives(url: &str, environment: &Environment) -> bool {
        let subscription = subscription(url, environment).await.expect(url);
        let received = subscription.receive(1);
        tokio::pin!(received);
        futures_util::poll!(received).is_ready()
    }

    #[tokio::test]
    async fn both_ends_of_a_name_are_one_bus() {
        let (here, there) = (Environment::new(Arc::new(System)), Environment::new(Arc::new(System)));
        published("mem://profile", &here).await;
        assert!(!arrives("mem://other", &here).await);
        assert!(!arrives("mem://profile", &there).await);
        assert!(arrives("pubsub+subscription+mem://profile/", &here).await);
        assert!(!arrives("mem://profile", &here).await, "it was given out");
    }

    #[tokio::test]
    async fn the_deadline_is_the_subscriptions_whoever_comes_first() {
        let environment = Environment::new(Arc::new(System));
        let first = topic("mem://bus", &environment).await.expect("topic");
        first.check().await.expect("answers");
        subscription("mem://bus?ackdeadline=5s", &environment).await.map(drop).expect("its deadline");
        subscription("mem://bus?ackdeadline=5s", &environment).await.map(drop).expect("the same");
        subscription("mem://bus", &environment).await.map(drop).expect("no wish");
        let other = subscription("mem://bus?ackdeadline=1m", &environment).await.err().expect("another");
        assert_eq!(
            other.what(),
            "mem://bus is in use with an ack deadline of 5s, and is now to have 1m0s; give every subscription of one \
             name the same ackdeadline"
        );
    }

    #[tokio::test]
    async fn parameters_are_known_or_refused() {
        let environment = Environment::new(Arc::new(System));
        for (url, says) in [
            ("mem://", "names no bus"),
            ("mem://bus?ackdeadline=0s", "ackdeadline is 0"),
            ("mem://bus?ackdeadline=20", "missing unit"),
            ("mem://bus?ackdeadline=-1s", "below zero"),
            ("mem://bus?ackdedline=1m", "unknown parameter \"ackdedline\""),
        ] {
            let error = subscription(url, &environment).await.err().expect(url);
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{url}: {error}");
        }
        let error = topic("mem://bus?ackdeadline=1m", &environment).await.err().expect("for subscriptions");
        assert!(error.what().contains("unknown parameter"), "{error}");
    }
}
