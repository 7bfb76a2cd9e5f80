//! Brokers of a test's own, that it can stop and start again. `tests/services` installs what they run.

pub mod cable;
pub mod kafka;
pub mod ministack;
pub mod nats;

pub use cable::Cable;
pub use kafka::Kafka;
pub use ministack::Ministack;
pub use nats::Nats;
