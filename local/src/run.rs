//! The process: the worker's loops beside the HTTP API, stopped together.

use std::sync::Arc;

use autopgo_boot::config::Lookup;
use autopgo_boot::{Config, Ports, Served, Work, server, worker};
use autopgo_core::error::{Error, Kind, Result};
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
    /// Opens what `config` names; every part of it must be named (see [`crate::mode::embedded`]).
    ///
    /// # Errors
    /// `Invalid`, saying what to change, for a bad URL or bad prune rules.
    pub fn open(config: Config, lookup: &Lookup<'_>) -> Result<Self> {
        let ports = Ports::for_worker(&config, lookup)?;
        let subscription = ports
            .subscription
            .clone()
            .ok_or_else(|| Error::new(Kind::Internal, "the ports of a worker came without a subscription"))?;
        let host = ports.host(&config);
        let work = Work {
            worker: worker(&config, host.clone())?,
            subscription,
            sweep_every: config.sweep_every,
            sweep_after: config.sweep_after,
        };
        Ok(Self { served: server(&ports, host), work, config })
    }

    /// Asks the store and the bus whether they answer, so that a start with a wrong URL fails at once.
    ///
    /// # Errors
    /// What the one says that does not answer.
    pub async fn check(&self) -> Result<()> {
        self.served.server.host().store.blobs().check().await?;
        self.served.server.host().topic.check().await?;
        self.work.subscription.check().await
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
