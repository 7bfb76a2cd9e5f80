//! A server from its configuration: what `autopgo server`, `local` and every function give to their HTTP.

use autopgo_core::health::Checks;
use autopgo_core::host::Host;
use autopgo_core::server::Server;

use crate::ports::Ports;

/// A server with the health of what it stands on.
pub struct Served {
    /// The server.
    pub server: Server,
    /// Its dependencies.
    pub checks: Checks,
}

/// The server over `ports`.
pub fn server(ports: &Ports, host: Host) -> Served {
    Served { server: Server::new(host), checks: ports.checks() }
}
