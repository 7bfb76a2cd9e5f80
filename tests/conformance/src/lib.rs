//! The laws that every blob store and every bus keeps, whatever is behind it: the contracts in the comments of
//! `autopgo_core::port`, as functions that say what was broken.
//!
//! An adapter gives a harness ([`blobs::Harness`], [`bus::Harness`]) and [`blob_laws!`] or [`bus_laws!`] makes one
//! named test for each law of it. An adapter with gaps lists them, with reasons, in its harness and nowhere else: a
//! gap is expected to fail, and one that holds fails the suite, so that the list never outlives its reasons.
//!
//! ```text
//! autopgo_conformance::blob_laws! { mem: MemoryHarness::new() }
//! ```

pub mod blobs;
pub mod brokers;
pub mod bus;
pub mod gaps;
pub mod lax;
pub mod proxy;
mod skip;
mod verdict;
pub mod wire;

pub use skip::skip;
pub use verdict::{Broken, Gap, Verdict};
