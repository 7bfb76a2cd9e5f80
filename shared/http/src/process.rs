//! What every long-running process has: a listener, signals, logs, metrics, and health where there is no other API.

mod connection;
pub mod health;
pub mod listen;
pub mod logging;
pub mod metrics;
mod pulse;
pub mod shutdown;
mod stream;
