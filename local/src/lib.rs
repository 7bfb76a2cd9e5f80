//! Everything in one process: the HTTP API, the worker and the sweep over one blob store and one bus. Without URLs
//! the store is a folder and the bus is in memory, so that it needs nothing else. One cloud's functions can do the work,
//! called as that cloud calls them.

pub mod demo;
pub mod emulate;
pub mod mode;
mod run;

pub use run::{Local, run};
