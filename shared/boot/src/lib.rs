//! From configuration to a server, those whom it serves, and a worker: the one place where a URL becomes a port. Every host starts here, and
//! every provider's feature passes through.

mod access;
pub mod config;
mod log;
mod ports;
mod server;
mod worker;

pub use access::{Reach, access};
/// What a function of Amazon shares with the adapters of its store and its bus.
#[cfg(feature = "aws")]
pub use autopgo_aws as aws;
pub use config::Config;
pub use log::log;
pub use ports::Ports;
pub use server::{Served, server};
pub use worker::{Work, rules, worker};
