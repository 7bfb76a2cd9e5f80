//! Event buses by URL: `mem://`, over the ports of the core.

pub mod mem;
pub mod open;
