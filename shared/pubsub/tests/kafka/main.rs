//! `kafka://` on real brokers, which `tests/services` provides; `tests/run services` does it all.
//!
//! Most share one, with topics and groups of their own. Whoever stops a broker, or wants one set up in another way, starts
//! one.

#![expect(clippy::expect_used, reason = "all of it is a test")]

mod groups;
mod outage;
mod publishing;
mod rig;

use autopgo_conformance::bus_laws;

use rig::Kafka;

bus_laws! { kafka: Kafka::new() }
