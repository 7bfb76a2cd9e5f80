//! The laws of a bus, and what only NATS has to show, on a real server: `tests/services install nats-server` provides it, and
//! `tests/run services` does it all.
//!
//! Each test starts a server of its own from the installed binary, for some stop it in the middle.

#![expect(clippy::expect_used, reason = "all of it is a test")]

mod access;
mod gate;
mod leaving;
mod messages;
mod rig;
mod streams;
mod trouble;

use autopgo_conformance::bus_laws;

use rig::Nats;

bus_laws! { core: Nats::core() }
bus_laws! { jetstream: Nats::jetstream() }
