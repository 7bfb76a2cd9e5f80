//! What a server and a worker are given by whoever hosts them.

use std::sync::Arc;

use crate::clock::Clock;
use crate::error::Result;
use crate::event::{Envelope, Event};
use crate::limits::Limits;
use crate::port::blobs::Blobs;
use crate::port::bus::Topic;
use crate::port::cpu::{Cpu, offload};
use crate::store::ProfileStore;

/// The ports, the limits and the store over them. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    /// Where profiles lie.
    pub store: ProfileStore,
    /// Where events go.
    pub topic: Arc<dyn Topic>,
    /// Time and chance.
    pub clock: Arc<dyn Clock>,
    /// Where computing is done.
    pub cpu: Arc<dyn Cpu>,
    /// What is taken at the most.
    pub limits: Arc<Limits>,
}

impl Host {
    /// Puts the ports together.
    pub fn new(
        blobs: Arc<dyn Blobs>,
        topic: Arc<dyn Topic>,
        clock: Arc<dyn Clock>,
        cpu: Arc<dyn Cpu>,
        limits: Limits,
    ) -> Self {
        Self { store: ProfileStore::new(blobs, &limits), topic, clock, cpu, limits: Arc::new(limits) }
    }

    /// Publishes `event` in a fresh envelope.
    pub async fn publish(&self, event: Event) -> Result<()> {
        let name = event.name();
        let envelope = Envelope::new(event, &*self.clock);
        self.topic
            .publish(envelope.message())
            .await
            .map_err(|error| error.during(format_args!("publishing {name}")))
    }

    /// Does `work` where computing is done.
    pub async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        offload(&*self.cpu, work).await?
    }
}
