//! Event buses by URL, over the ports of the core: `mem://` always, the others each by its cargo feature.

pub mod mem;
#[cfg(feature = "nats")]
pub mod nats;
pub mod open;
