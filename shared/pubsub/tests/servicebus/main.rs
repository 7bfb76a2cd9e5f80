//! The laws of a bus on the peer of Service Bus, and what belongs to this bus alone.

#![expect(clippy::expect_used, reason = "all of it is a test")]

mod access;
mod holding;
mod messages;
mod rig;
mod trouble;

use std::time::Duration;

use autopgo_conformance::bus_laws;

use rig::Peer;

bus_laws! { servicebus: Peer::new(Duration::from_secs(2)) }
