//! The API over memory, as a router to be put behind a guard. It is its own store, so large uploads have a ticket.

use std::sync::Arc;

use autopgo_core::clock::{Clock, System};
use autopgo_core::health::Checks;
use autopgo_core::host::Host;
use autopgo_core::limits::Limits;
use autopgo_core::memory::blobs::MemoryBlobs;
use autopgo_core::memory::bus::{ACK_DEADLINE, MemoryBus};
use autopgo_core::port::cpu::Threads;
use autopgo_core::server::Server;
use autopgo_http::{Access, Api, Objects};
use axum::Router;

pub(crate) fn api() -> Router {
    let clock: Arc<dyn Clock> = Arc::new(System);
    let bus = Arc::new(MemoryBus::new(Arc::clone(&clock), ACK_DEADLINE));
    let objects = Objects::over(Arc::new(MemoryBlobs::new(Arc::clone(&clock))), Arc::clone(&clock));
    let store = Arc::new(objects.clone());
    let host = Host::new(store, bus, clock, Arc::new(Threads::new(2)), Limits::default());
    Api::new(Server::new(host), Checks::default(), Access::open()).objects(objects).router()
}

/// A recorded profile.
pub(crate) fn profile() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/profiles/hello-app/a-3.pprof");
    std::fs::read(path).expect("a profile")
}
