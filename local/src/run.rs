//! The process: the worker's loops beside the HTTP API, stopped together.

use autopgo_boot::{Config, Ports, Served, Work, server, worker};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::server::Server;
use autopgo_http::process::listen;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Server, worker and sweep over the same ports, ready to run.
pub struct Local {
    served: Served,
    work: Work,
    config: Config,
}

impl Local {
    /// Opens what `config` names, every part of which must be named (see [`crate::mode::embedded`]), and asks each part
    /// whether it answers.
    ///
    /// # Errors
    /// `Invalid`, saying what to change, for a bad URL or bad prune rules; what the store or the bus says if it does
    /// not answer.
    pub async fn open(config: Config) -> Result<Self> {
        let ports = Ports::for_worker(&config).await?;
        ports.check().await?;
        let host = ports.host(&config);
        let work = Work::new(&ports, worker(&config, host.clone())?, &config)?;
        Ok(Self { served: server(&ports, host), work, config })
    }

    /// The server, for whoever shares the process with it.
    pub fn server(&self) -> &Server {
        &self.served.server
    }
}

/// Runs `local` until `stop`: first no more requests are taken, then the worker finishes what is in hand.
///
/// # Errors
/// If the worker came to a bad end.
pub async fn run(local: Local, listener: TcpListener, stop: CancellationToken) -> Result<()> {
    let Local { served, work, config } = local;
    let router = autopgo_http::router(served.server, served.checks);
    // The worker stops after the server: what came in last is merged before the end if there is time.
    let drained = CancellationToken::new();
    let working = tokio::spawn(work.run(drained.clone()));
    listen::run(listener, router, &config.limits, stop.cancelled_owned(), listen::GRACE).await;
    drained.cancel();
    working.await.map_err(|error| Error::new(Kind::Internal, "the worker ended early").because(error))
}
