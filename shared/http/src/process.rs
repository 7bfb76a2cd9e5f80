//! What every long-running process has: a listener, signals, logs, and health where there is no other API.

mod connection;
pub mod health;
pub mod listen;
pub mod logging;
mod pulse;
pub mod shutdown;
mod stream;
