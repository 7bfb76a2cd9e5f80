//! The process: the worker's loops beside the HTTP API, stopped together.

use std::sync::Arc;

use autopgo_boot::{Config, Ports, Work, rules, server, worker};
use autopgo_core::clock::System;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::limits::Limits;
use autopgo_core::server::Server;
use autopgo_http::Objects;
use autopgo_http::process::listen;
use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::emulate::Cloud;
#[cfg(feature = "emulate")]
use crate::emulate::{Emulated, Parts};

/// Server, worker and sweep over the same ports, ready to run.
pub struct Local {
    server: Server,
    router: Router,
    labour: Labour,
    ports: Ports,
    limits: Limits,
}

/// Who gives the worker its work.
enum Labour {
    /// The loops that every worker has which runs for long.
    Own(Work),
    /// A cloud.
    #[cfg(feature = "emulate")]
    Cloud(Emulated),
}

impl Local {
    /// Opens what `config` names, every part of which must be named (see [`crate::mode::embedded`]); with a `cloud`, its
    /// functions do the work, called as that cloud calls them.
    ///
    /// # Errors
    /// `Invalid`, saying what to change, for a bad URL, bad prune rules, or a cloud that this build does not have.
    pub async fn open(mut config: Config, cloud: Option<&Cloud>) -> Result<Self> {
        if let Some(cloud) = cloud {
            if !cloud.is_built() {
                return Err(cloud.not_built());
            }
            config.limits = cloud.limits(config.limits);
        }
        let rules = rules(&config)?;
        let mut ports = Ports::for_worker(&config).await?;
        // A folder or memory signs nothing, but here is everybody who would have to know the signature.
        let objects = Objects::over(ports.blobs, Arc::new(System));
        ports.blobs = Arc::new(objects.clone());
        let host = ports.host(&config);
        let worker = worker(&config, rules, host.clone());
        let served = server(&ports, host);
        let (server, limits) = (served.server.clone(), config.limits.clone());
        #[cfg(feature = "emulate")]
        if let Some(cloud) = cloud {
            let parts = Parts { served, worker, config, stop: CancellationToken::new() };
            let (router, emulated) = Emulated::new(cloud, &ports, objects, parts)?;
            return Ok(Self { server, router, labour: Labour::Cloud(emulated), ports, limits });
        }
        let work = Work::new(&ports, worker, &config)?;
        let router = autopgo_http::router_with_objects(served.server, served.checks, objects);
        Ok(Self { server, router, labour: Labour::Own(work), ports, limits })
    }

    /// Asks the store and the bus whether they answer.
    ///
    /// # Errors
    /// What the first says that does not.
    pub async fn check(&self) -> Result<()> {
        self.ports.check().await
    }

    /// The server, for whoever shares the process with it.
    pub fn server(&self) -> &Server {
        &self.server
    }
}

impl Labour {
    async fn run(self, stop: CancellationToken) {
        match self {
            Self::Own(work) => work.run(stop).await,
            #[cfg(feature = "emulate")]
            Self::Cloud(emulated) => emulated.work(stop).await,
        }
    }
}

/// Runs `local` until `stop`: first no more requests are taken, then the worker finishes what is in hand.
///
/// # Errors
/// If the worker came to a bad end; the server stops with it.
pub async fn run(local: Local, listener: TcpListener, stop: CancellationToken) -> Result<()> {
    let Local { router, labour, limits, .. } = local;
    // The worker stops after the server: what came in last is merged before the end if there is time.
    let drained = CancellationToken::new();
    let working = tokio::spawn(labour.run(drained.clone()));
    let over = CancellationToken::new();
    let ended = over.clone();
    let watched = tokio::spawn(async move {
        let ended = working.await;
        over.cancel();
        ended
    });
    let stopped = async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = ended.cancelled() => {}
        }
    };
    listen::run(listener, router, &limits, stopped, listen::GRACE).await;
    drained.cancel();
    let bad_end = |error| Error::new(Kind::Internal, "the worker came to a bad end").because(error);
    watched.await.map_err(bad_end)?.map_err(bad_end)
}
