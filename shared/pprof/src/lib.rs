#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod ahead;
pub mod check;
mod compact;
mod cores;
mod decode;
mod edges;
mod encode;
mod error;
#[cfg(test)]
mod example;
pub mod gzip;
mod index;
pub mod legacy;
mod limits;
mod merge;
mod outline;
mod profile;
#[cfg(feature = "prost")]
pub mod proto;
pub mod prune;
mod sample;
mod scan;
mod shares;
mod sound;
mod strings;
mod wire;

pub use ahead::read_ahead;
pub use compact::{compact, compact_all};
pub use cores::on_cores;
pub use edges::{Edge, Edges, Identity};
pub use error::{Error, ErrorKind};
pub use limits::Limits;
pub use merge::{Accumulator, compatible, merge};
pub use outline::Outline;
pub use profile::{Profile, ValueType};
pub use sample::{Frame, Label, LabelValue, Sample};
pub use scan::has_samples;
pub use sound::Sound;
