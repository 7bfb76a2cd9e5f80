//! The laws of a bus, on the one that is always built in.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autopgo_conformance::bus::{Broker, Facts, Harness, Missing};
use autopgo_conformance::{Gap, bus_laws};
use autopgo_core::clock::System;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::bus::{Subscription, Topic};
use autopgo_pubsub::open::{Environment, subscription, topic};

bus_laws! { mem: Memory::new() }

const GAPS: &[Gap] =
    const { &[Gap::always("a_missing_end_is_named", "a bus in memory is made by asking for it")] };

struct Memory(Environment);

impl Memory {
    fn new() -> Self {
        Self(Environment::new(Arc::new(System)))
    }
}

#[async_trait]
impl Harness for Memory {
    async fn topic(&self) -> Result<Arc<dyn Topic>> {
        topic("mem://laws", &self.0).await
    }

    async fn subscription(&self) -> Result<Arc<dyn Subscription>> {
        subscription("mem://laws?ackdeadline=1s", &self.0).await
    }

    async fn missing(&self) -> Result<(Missing, String)> {
        Err(Error::new(Kind::Invalid, "a bus in memory is made by asking for it"))
    }

    fn broker(&self) -> Option<&dyn Broker> {
        None
    }

    fn facts(&self) -> Facts {
        // It is one queue, and only what is handed back or comes back late goes to its end.
        Facts { ordered_by_key: true, ack_deadline: Duration::from_secs(1), many: 10_000 }
    }

    fn gaps(&self) -> &[Gap] {
        GAPS
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }
}
