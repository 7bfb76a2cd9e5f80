//! The ports that a configuration names, opened.

use std::sync::Arc;

use autopgo_blob::open::{Environment, open};
use autopgo_blob::probe;
use autopgo_core::clock::{Clock, System};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::health::{BlobCheck, Checks, SubscriptionCheck, TopicCheck};
use autopgo_core::host::Host;
use autopgo_core::port::blobs::Blobs;
use autopgo_core::port::bus::{Subscription, Topic};
use autopgo_core::port::cpu::Threads;

use crate::config::{
    self, BLOB_STORE_URL, Config, EVENT_READER_URL, EVENT_WRITER_URL, STORAGE_EMULATOR_HOST,
};

/// A blob store and the two ends of a bus.
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
    pub async fn for_server(config: &Config) -> Result<Self> {
        let store = needed(config.blob_store_url.as_deref(), "--blob-store-url", BLOB_STORE_URL)?;
        let writer = needed(config.event_writer_url.as_deref(), "--event-writer-url", EVENT_WRITER_URL)?;
        Ok(Self {
            blobs: open(store, &environment(config)).await?,
            topic: autopgo_pubsub::open::topic(writer, &bus()).await?,
            subscription: None,
        })
        .inspect(|_| {
            if writer.split("://").next().is_some_and(|scheme| scheme.ends_with("mem")) {
                tracing::warn!("events on a bus in memory reach nobody outside this process: a worker finds uploads by its sweep alone");
            }
        })
    }

    /// Opens what a worker needs: a server's ports and a subscription. What is opened under one `mem://` name here is
    /// the same thing. A store at an endpoint of one's own is tried first: a worker on one that ignores conditional
    /// writes would lose profiles.
    ///
    /// # Errors
    /// `Invalid`, saying which flag or variable to set, if a URL is missing or wrong, or what is wrong with the store.
    pub async fn for_worker(config: &Config) -> Result<Self> {
        let store = needed(config.blob_store_url.as_deref(), "--blob-store-url", BLOB_STORE_URL)?;
        let writer = needed(config.event_writer_url.as_deref(), "--event-writer-url", EVENT_WRITER_URL)?;
        let reader = needed(config.event_reader_url.as_deref(), "--event-reader-url", EVENT_READER_URL)?;
        let bus = bus();
        let stores = environment(config);
        let blobs = open(store, &stores).await?;
        if probe::is_wanted(store) || stores.leads_elsewhere(store) {
            probe::honours_conditions(&probe::name(store), &*blobs)
                .await
                .map_err(|error| error.during("the blob store"))?;
        }
        Ok(Self {
            blobs,
            topic: autopgo_pubsub::open::topic(writer, &bus).await?,
            subscription: Some(autopgo_pubsub::open::subscription(reader, &bus).await?),
        })
    }

    /// Asks each of them whether it answers, so that a start with a wrong URL fails at once and says why.
    ///
    /// # Errors
    /// What the first says that does not answer.
    pub async fn check(&self) -> Result<()> {
        self.blobs.check().await.map_err(|error| error.during("the blob store"))?;
        self.topic.check().await.map_err(|error| error.during("the event writer"))?;
        if let Some(subscription) = &self.subscription {
            subscription.check().await.map_err(|error| error.during("the event reader"))?;
        }
        Ok(())
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

/// What the stores of this process share.
fn environment(config: &Config) -> Environment {
    let emulator = config.storage_emulator_host.clone();
    Environment::new(clock()).with_variables(move |name| match name {
        STORAGE_EMULATOR_HOST => emulator.clone(),
        other => config::of_a_provider(other),
    })
}

/// What the ends of the bus of this process share.
fn bus() -> autopgo_pubsub::open::Environment {
    autopgo_pubsub::open::Environment::new(clock()).with_variables(config::of_a_provider)
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(System)
}

fn needed<'a>(url: Option<&'a str>, flag: &str, variable: &str) -> Result<&'a str> {
    url.ok_or_else(|| Error::new(Kind::Invalid, format!("no URL: set {flag} or {variable}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(store: &str, writer: &str, reader: Option<&str>) -> Config {
        Config {
            blob_store_url: Some(store.to_owned()),
            event_writer_url: Some(writer.to_owned()),
            event_reader_url: reader.map(str::to_owned),
            ..Config::default()
        }
    }

    #[tokio::test]
    async fn a_missing_url_names_its_flag_and_its_variable() {
        let error = Ports::for_server(&Config::default()).await.err().expect("no URL");
        assert_eq!(error.what(), "no URL: set --blob-store-url or AUTOPGO_BLOB_STORE_URL");
        let error = Ports::for_worker(&config("mem://a", "mem://b", None)).await.err().expect("no URL");
        assert_eq!(error.what(), "no URL: set --event-reader-url or AUTOPGO_EVENT_READER_URL");
    }

    #[tokio::test]
    async fn both_ends_of_a_bus_in_memory_meet() {
        let ports = Ports::for_worker(&config("mem://a", "mem://b", Some("mem://b"))).await.expect("opened");
        ports.check().await.expect("healthy");
        let message = autopgo_core::port::bus::Message { body: "hello".into(), key: "app".to_owned() };
        ports.topic.publish(message).await.expect("published");
        let subscription = ports.subscription.expect("a worker's");
        assert_eq!(subscription.receive(1).await.expect("received")[0].body, "hello");
    }
}
