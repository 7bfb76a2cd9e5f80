//! `mem://name`: a bus inside the process. `mem://name?ackdeadline=1m` is a subscription whose messages come back
//! after that time; a topic takes no parameters. Every subscription of one name is a consumer of the same messages,
//! where gocloud.dev's gives each subscription a copy: one process has one worker here, and a copy nobody reads would
//! fill the memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use autopgo_core::address::{Address, Params};
use autopgo_core::clock::Clock;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::memory::bus::{ACK_DEADLINE, MemoryBus};
use autopgo_core::port::bus::{Subscription, Topic};

/// The scheme of these URLs.
pub const SCHEME: &str = "mem";

/// The buses of one process, by name.
pub(crate) struct Buses {
    clock: Arc<dyn Clock>,
    named: Mutex<BTreeMap<String, Arc<MemoryBus>>>,
}

impl Buses {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, named: Mutex::default() }
    }

    fn named(&self, name: String) -> Arc<MemoryBus> {
        // Nothing panics while it holds the lock, so what it guards is always whole.
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(MemoryBus::new(Arc::clone(&self.clock), ACK_DEADLINE));
        Arc::clone(named.entry(name).or_insert_with(fresh))
    }
}

pub(crate) fn topic(address: &Address, buses: &Buses) -> Result<Arc<dyn Topic>> {
    address.params().finish()?;
    Ok(buses.named(name(address)?))
}

pub(crate) fn subscription(address: &Address, buses: &Buses) -> Result<Arc<dyn Subscription>> {
    let ack_deadline = ack_deadline(address.params())?.unwrap_or(ACK_DEADLINE);
    Ok(buses.named(name(address)?).subscription(ack_deadline))
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

#[cfg(test)]
mod tests {
    use autopgo_core::clock::System;
    use autopgo_core::port::bus::Message;

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
    async fn each_subscription_has_its_own_deadline() {
        let environment = Environment::new(Arc::new(System));
        published("mem://bus", &environment).await;
        assert!(arrives("mem://bus?ackdeadline=1ms", &environment).await);
        let patient = subscription("mem://bus?ackdeadline=1h", &environment).await.expect("a subscription");
        let back = tokio::time::timeout(Duration::from_secs(10), patient.receive(1)).await;
        assert_eq!(back.expect("it comes back to another").expect("received").len(), 1);
        assert!(!arrives("mem://bus", &environment).await, "the patient one has it");
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
