//! The core of autopgo: a [`server::Server`] that takes and gives profiles, a [`worker::Worker`] that merges them,
//! and the two ports that both stand on: a blob store ([`port::blobs`]) and a bus ([`port::bus`]).
//!
//! It knows no cloud, no HTTP, no environment and no file system. Hosts translate to and from it. A file uses only
//! what is named above it here.

pub mod error;

pub mod clock;

pub mod address;
pub mod app;
pub mod duration;
pub mod health;
pub mod jsonc;
pub mod limits;
pub mod port;

pub mod api;
pub mod event;
pub mod key;
pub mod ledger;
pub mod rules;
pub mod upload;

pub mod memory;

pub mod base;
mod counts;
pub mod erase;
pub mod host;
pub mod store;

pub mod server;
pub mod worker;
