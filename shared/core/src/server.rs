//! The server: takes uploads, gives base profiles. One verb a file.

mod delete;
mod download;
mod list;
mod ticket;
mod upload;

pub use download::{Download, Downloaded};

use crate::host::Host;

/// Receives, checks and stores profiles, and serves the merged ones. Every HTTP host is a mouth for it.
#[derive(Clone)]
pub struct Server {
    host: Host,
    compacted: download::Cache,
}

impl Server {
    /// A server over `host`. Whoever keeps metrics in this process is told what it counts.
    pub fn new(host: Host) -> Self {
        crate::counts::of_server();
        Self { host, compacted: download::Cache::default() }
    }

    /// What it stands on.
    pub fn host(&self) -> &Host {
        &self.host
    }
}
