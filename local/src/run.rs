//! The process: the worker's loops beside the HTTP API, stopped together.

use std::sync::Arc;

use autopgo_boot::{Config, Ports, Reach, Served, Work, access, rules, server, worker};
use autopgo_core::clock::System;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::server::Server;
use autopgo_core::worker::Worker;
use autopgo_http::access::{Pattern, Scope, Secret};
use autopgo_http::process::listen;
use autopgo_http::{Access, Api, Objects};
use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::emulate::Cloud;
#[cfg(feature = "emulate")]
use crate::emulate::{Emulated, Parts};

/// Server, worker and sweep over the same ports, ready to run.
pub struct Local {
    served: Served,
    worker: Worker,
    ports: Ports,
    objects: Objects,
    access: Access,
    config: Config,
    cloud: Option<Cloud>,
}

/// Who gives the worker its work.
enum Labour {
    /// The loops of a worker that runs for long.
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
    /// `Invalid`, saying what to change, for a bad URL, bad tokens, bad prune rules, or a cloud that this build does not
    /// have.
    pub async fn open(mut config: Config, cloud: Option<Cloud>) -> Result<Self> {
        if let Some(cloud) = &cloud {
            if !cloud.is_built() {
                return Err(cloud.not_built());
            }
            config.limits = cloud.limits(config.limits);
        }
        let rules = rules(&config)?;
        // Whoever runs it hands out a listener on loopback.
        let access = access(&config, Reach::Loopback)?;
        let mut ports = Ports::for_worker(&config).await?;
        // A folder or memory signs nothing, but here is everybody who would have to know the signature.
        let objects = Objects::over(ports.blobs, Arc::new(System));
        ports.blobs = Arc::new(objects.clone());
        let host = ports.host(&config);
        let worker = worker(&config, rules, host.clone());
        Ok(Self { served: server(&ports, host), worker, ports, objects, access, config, cloud })
    }

    /// Asks the store and the bus whether they answer.
    ///
    /// # Errors
    /// What the first says that does not.
    pub async fn check(&self) -> Result<()> {
        self.ports.check().await
    }

    /// A token for `part` of this process to upload profiles of `apps` with, if the API wants one.
    ///
    /// # Errors
    /// `Internal` where the system has no randomness.
    pub fn lend(&mut self, part: &str, apps: Pattern) -> Result<Option<Secret>> {
        self.access.lend(part, vec![Scope::Upload], vec![apps])
    }

    /// The server, for whoever shares the process with it.
    pub fn server(&self) -> &Server {
        &self.served.server
    }

    /// What answers requests, and who gives the worker its work.
    fn assembled(self) -> Result<(Router, Labour)> {
        let Self { served, worker, ports, objects, access, config, cloud } = self;
        match cloud {
            None => {
                let work = Work::new(&ports, worker, &config)?;
                let api = Api::new(served.server, served.checks, access).objects(objects);
                Ok((api.router(), Labour::Own(work)))
            }
            #[cfg(feature = "emulate")]
            Some(cloud) => {
                let parts = Parts { served, worker, access, config, stop: CancellationToken::new() };
                let (router, emulated) = Emulated::new(&cloud, &ports, objects, parts)?;
                Ok((router, Labour::Cloud(emulated)))
            }
            #[cfg(not(feature = "emulate"))]
            Some(cloud) => Err(cloud.not_built()),
        }
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
    let limits = local.config.limits.clone();
    let (router, labour) = local.assembled()?;
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
