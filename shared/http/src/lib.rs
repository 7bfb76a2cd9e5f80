//! The HTTP API of autopgo, and what every long-running process has.
//!
//! [`router()`] is the whole API over a [`Server`](autopgo_core::server::Server): every host, from a function to
//! `autopgo local`, is given that same router; one that is its own store adds [`Objects`]. [`process`] is what turns one into a process: a listener that hostile
//! clients cannot hold, signals, logs, and health for processes without an API.

mod fail;
mod guard;
mod log;
mod objects;
pub mod process;
mod route;
mod router;
mod tail;

pub use fail::Failure;
pub use guard::body::{Patience, whole};
pub use objects::Objects;
pub use router::{router, router_with_objects};
