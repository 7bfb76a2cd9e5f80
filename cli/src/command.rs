//! One verb a file: each takes its arguments and does what the manual says.

pub(crate) mod clean;
pub(crate) mod compact;
pub(crate) mod completions;
pub(crate) mod delete;
pub(crate) mod download;
pub(crate) mod inspect;
pub(crate) mod list;
#[cfg(feature = "serve")]
pub(crate) mod local;
pub(crate) mod merge;
pub(crate) mod prune;
#[cfg(feature = "scrape")]
pub(crate) mod scrape;
#[cfg(feature = "serve")]
pub(crate) mod server;
mod show;
pub(crate) mod token;
pub(crate) mod upload;
#[cfg(feature = "serve")]
pub(crate) mod worker;

#[cfg(any(feature = "scrape", feature = "serve"))]
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use autopgo_core::error::{Error, Kind};
#[cfg(any(feature = "scrape", feature = "serve"))]
use autopgo_http::process::metrics;
use autopgo_http::process::shutdown;
use tokio::runtime::Builder;

use crate::output::Failure;

/// Runs a command that mostly waits for a server, on this thread. A signal ends it as an error does: what it has begun to
/// write goes.
fn wait<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    on(tokio::runtime::Builder::new_current_thread(), async {
        tokio::select! {
            biased;
            signal = shutdown::signal() => Err(Failure::Stopped(signal?)),
            done = work => done.map_err(Failure::Error),
        }
    })
}

/// Runs a command that goes on until it is stopped, on every core. It keeps metrics.
#[cfg(any(feature = "scrape", feature = "serve"))]
fn run<T, E: Into<Failure>>(work: impl Future<Output = Result<T, E>>) -> Result<T, Failure> {
    // Before anything is made that counts.
    metrics::install().map_err(Failure::Error)?;
    on(tokio::runtime::Builder::new_multi_thread(), work)
}

fn on<T, E: Into<Failure>>(
    mut threads: Builder,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    let runtime = threads
        .enable_all()
        .build()
        .map_err(|error| Error::new(Kind::Internal, "starting the runtime").because(error))?;
    let done = runtime.block_on(work);
    // A name that is still being looked up must not hold up the end.
    runtime.shutdown_background();
    done.map_err(Into::into)
}

/// `port` on all interfaces, IPv6 included where the machine has it.
#[cfg(any(feature = "scrape", feature = "serve"))]
fn everywhere(port: u16) -> SocketAddr {
    let six = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok();
    if six { (Ipv6Addr::UNSPECIFIED, port).into() } else { (Ipv4Addr::UNSPECIFIED, port).into() }
}
