//! The ports that a configuration names, opened.

use std::sync::Arc;

use autopgo_core::clock::{Clock, System};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::health::{BlobCheck, Checks, SubscriptionCheck, TopicCheck};
use autopgo_core::host::Host;
use autopgo_core::port::blobs::Blobs;
use autopgo_core::port::bus::{Subscription, Topic};
use autopgo_core::port::cpu::Threads;

use crate::config::{BLOB_STORE_URL, Config, EVENT_READER_URL, EVENT_WRITER_URL, Lookup};

/// A blob store and the two ends of a bus. What one process opens under the same `mem://` name is the same.
#[derive(Clone)]
pub struct Ports {
    /// The blob store.
    pub blobs: Arc<dyn Blobs>,
    /// Where events are published.
    pub topic: Arc<dyn Topic>,
    /// Where events are received, if this process does.
    pub subscription: Option<Arc<dyn Subscription>>,
}

impl Ports {
    /// Opens what a server needs: a blob store and a topic.
    ///
    /// # Errors
    /// `Invalid`, saying which flag or variable to set, if a URL is missing or wrong.
    pub fn for_server(config: &Config, lookup: &Lookup<'_>) -> Result<Self> {
        let (store, writer) = (
            needed(&config.blob_store_url, "--blob-store-url", BLOB_STORE_URL)?,
            needed(&config.event_writer_url, "--event-writer-url", EVENT_WRITER_URL)?,
        );
        let memory = Memory::default();
        Ok(Self {
            blobs: memory.blobs(store, lookup)?,
            topic: memory.topic(writer, lookup)?,
            subscription: None,
        })
    }

    /// Opens what a worker needs: a server's ports and a subscription.
    ///
    /// # Errors
    /// `Invalid`, saying which flag or variable to set, if a URL is missing or wrong.
    pub fn for_worker(config: &Config, lookup: &Lookup<'_>) -> Result<Self> {
        let reader = needed(&config.event_reader_url, "--event-reader-url", EVENT_READER_URL)?;
        let (store, writer) = (
            needed(&config.blob_store_url, "--blob-store-url", BLOB_STORE_URL)?,
            needed(&config.event_writer_url, "--event-writer-url", EVENT_WRITER_URL)?,
        );
        let memory = Memory::default();
        Ok(Self {
            blobs: memory.blobs(store, lookup)?,
            topic: memory.topic(writer, lookup)?,
            subscription: Some(memory.subscription(reader, lookup)?),
        })
    }

    /// The core's host over these ports, on the machine's clock and cores.
    pub fn host(&self, config: &Config) -> Host {
        let cpu = Arc::new(Threads::per_core());
        Host::new(Arc::clone(&self.blobs), Arc::clone(&self.topic), clock(), cpu, config.limits.clone())
    }

    /// The health of these ports.
    pub fn checks(&self) -> Checks {
        let checks = Checks::default()
            .with("blob", Arc::new(BlobCheck(Arc::clone(&self.blobs))))
            .with("event-writer", Arc::new(TopicCheck(Arc::clone(&self.topic))));
        match &self.subscription {
            Some(subscription) => {
                checks.with("event-reader", Arc::new(SubscriptionCheck(Arc::clone(subscription))))
            }
            None => checks,
        }
    }
}
