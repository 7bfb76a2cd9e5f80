//! Event buses by URL, over the ports of the core: `mem://` always, the others each by its cargo feature.

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "aws")]
pub mod awssns;
#[cfg(feature = "aws")]
pub mod awssqs;
#[cfg(feature = "gcp")]
pub mod gcppubsub;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod mem;
#[cfg(feature = "nats")]
pub mod nats;
pub mod open;
#[cfg(any(feature = "azure", feature = "gcp"))]
mod patience;
#[cfg(feature = "azure")]
pub mod servicebus;
#[cfg(any(feature = "aws", feature = "gcp"))]
mod together;
