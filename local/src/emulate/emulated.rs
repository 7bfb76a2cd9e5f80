//! A cloud's functions and what calls them, put together.

use std::sync::Arc;
use std::time::Duration;

use autopgo_boot::Ports;
use autopgo_core::clock::Clock;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::bus::Subscription;
use autopgo_http::{Api, Objects};
use axum::Router;
use tokio_util::sync::CancellationToken;

use super::platform::{Parts, Platform};
use super::{Cloud, feed, front, schedule};

/// A cloud at work: what calls its worker.
pub(crate) struct Emulated {
    platform: Arc<dyn Platform>,
    subscription: Arc<dyn Subscription>,
    clock: Arc<dyn Clock>,
    sweep_every: Duration,
    drain: Duration,
    /// Tells the functions that their process is to end.
    ending: CancellationToken,
}

impl Emulated {
    /// The functions of `cloud`, made of `parts`, and what stands before them. What `objects` signed goes around them, as
    /// it goes to a store in the cloud.
    ///
    /// # Errors
    /// `Invalid` if there is nothing to receive messages from, or if this build does not have the cloud.
    pub(crate) fn new(
        cloud: &Cloud,
        ports: &Ports,
        objects: Objects,
        parts: Parts,
    ) -> Result<(Router, Self)> {
        let subscription = ports.subscription.clone().ok_or_else(|| {
            Error::new(
                Kind::Invalid,
                "a worker needs a subscription: open its ports with a URL to receive from",
            )
        })?;
        let host = parts.worker.host();
        let (clock, drain) = (Arc::clone(&host.clock), host.limits.drain);
        let (sweep_every, ending) = (parts.config.sweep_every, parts.stop.clone());
        let (server, checks) = (parts.served.server.clone(), parts.served.checks.clone());
        // Of all that it serves, only the objects are asked for.
        let around = Api::new(server, checks, parts.access.clone()).objects(objects).router();
        let platform = platform(cloud, parts)?;
        let router = front::router(Arc::clone(&platform), cloud.prefix(), around);
        Ok((router, Self { platform, subscription, clock, sweep_every, drain, ending }))
    }

    /// Calls the worker with messages and by its schedule until `stop`; then what is under way may end in as long as
    /// the limit `drain` allows.
    pub(crate) async fn work(self, stop: CancellationToken) {
        let (platform, clock) = (&*self.platform, &*self.clock);
        let ending = async {
            stop.cancelled().await;
            self.ending.cancel();
        };
        tokio::join!(
            ending,
            feed::feed(platform, &*self.subscription, clock, self.drain, stop.clone()),
            schedule::run(platform, self.sweep_every, clock, self.drain, stop.clone()),
        );
    }
}

fn platform(cloud: &Cloud, parts: Parts) -> Result<Arc<dyn Platform>> {
    #[cfg(feature = "aws")]
    if let Cloud::Aws { stage } = cloud {
        return Ok(Arc::new(super::aws::Aws::new(stage.as_deref(), parts)));
    }
    #[cfg(feature = "azure")]
    if *cloud == Cloud::Azure {
        return Ok(Arc::new(super::azure::Azure::new(parts)));
    }
    #[cfg(feature = "gcp")]
    if *cloud == Cloud::Gcp {
        return Ok(Arc::new(super::gcp::Gcp::new(parts)));
    }
    drop(parts);
    Err(cloud.not_built())
}
