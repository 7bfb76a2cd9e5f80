//! What the core needs from the world, as traits. The comments are the contract: the conformance laws test them.

pub mod blobs;
pub mod bus;
pub mod cpu;
