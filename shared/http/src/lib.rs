//! The HTTP API of autopgo, and what every long-running process has.
//!
//! [`Api`] is the whole API over a [`Server`](autopgo_core::server::Server), for those whom [`Access`] lets in: every
//! host, from a function to `autopgo local`, is given that same router; one that is its own store adds [`Objects`]. [`process`] is what turns one into a process: a listener that hostile
//! clients cannot hold, signals, logs, and health for processes without an API.

pub mod access;
mod fail;
mod guard;
mod hex;
mod log;
mod objects;
pub mod process;
mod route;
mod router;
mod tail;

pub use access::Access;
pub use fail::Failure;
pub use guard::body::{Patience, whole};
pub use objects::Objects;
pub use router::Api;
