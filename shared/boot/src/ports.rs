//! The ports that a configuration names, opened.

use std::sync::Arc;

use autopgo_blob::open::{Environment, open};
use autopgo_blob::probe;
use autopgo_blob::trial::OnTrial;
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
        let blobs = merging_store(store, config).await?;
        let bus = bus();
        Ok(Self {
            blobs,
            topic: autopgo_pubsub::open::topic(writer, &bus).await?,
            subscription: Some(autopgo_pubsub::open::subscription(reader, &bus).await?),
        })
    }

    /// Opens what a worker needs whose host brings it the messages: those of [`Ports::for_worker`] without a subscription.
    ///
    /// # Errors
    /// Those of [`Ports::for_worker`].
    pub async fn for_fed_worker(config: &Config) -> Result<Self> {
        let store = needed(config.blob_store_url.as_deref(), "--blob-store-url", BLOB_STORE_URL)?;
        let writer = needed(config.event_writer_url.as_deref(), "--event-writer-url", EVENT_WRITER_URL)?;
        let blobs = merging_store(store, config).await?;
        Ok(Self { blobs, topic: autopgo_pubsub::open::topic(writer, &bus()).await?, subscription: None })
    }

    /// The same for one that is started for a message that waits already: the store is tried while it is read, and nothing is
    /// written before it has passed.
    ///
    /// # Errors
    /// `Invalid`, saying which flag or variable to set, if a URL is missing or wrong.
    pub async fn for_called_worker(config: &Config) -> Result<Self> {
        let store = needed(config.blob_store_url.as_deref(), "--blob-store-url", BLOB_STORE_URL)?;
        let writer = needed(config.event_writer_url.as_deref(), "--event-writer-url", EVENT_WRITER_URL)?;
        let stores = environment(config);
        let mut blobs = open(store, &stores).await?;
        if is_tried(store, &stores) {
            blobs = Arc::new(OnTrial::new(blobs, probe::name(store)));
        }
        Ok(Self { blobs, topic: autopgo_pubsub::open::topic(writer, &bus()).await?, subscription: None })
    }

    /// Asks each of them whether it answers, so that a start with a wrong URL fails at once and says why. A bus that is
    /// away for now stops nobody: it is a hint, and what it does not tell of the sweep finds.
    ///
    /// # Errors
    /// What the first says that cannot work.
    pub async fn check(&self) -> Result<()> {
        self.blobs.check().await.map_err(|error| error.during("the blob store"))?;
        hint(self.topic.check().await.map_err(|error| error.during("the event writer")))?;
        if let Some(subscription) = &self.subscription {
            hint(subscription.check().await.map_err(|error| error.during("the event reader")))?;
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

/// The store of a worker. With a cloud's own nothing is asked of it.
async fn merging_store(store: &str, config: &Config) -> Result<Arc<dyn Blobs>> {
    let stores = environment(config);
    let blobs = open(store, &stores).await?;
    if is_tried(store, &stores) {
        probe::honours_conditions(&probe::name(store), &*blobs)
            .await
            .map_err(|error| error.during("the blob store"))?;
    }
    Ok(blobs)
}

/// Whether it is any store but a cloud's own.
fn is_tried(store: &str, stores: &Environment) -> bool {
    probe::is_wanted(store) || stores.leads_elsewhere(store)
}

/// What an end of the bus answered, but for an outage, which is logged: that passes.
fn hint(checked: Result<()>) -> Result<()> {
    match checked {
        Err(error) if error.kind() == Kind::Unavailable => {
            tracing::warn!(
                error = error.chain(),
                "the bus does not answer; going on without it until it does"
            );
            Ok(())
        }
        checked => checked,
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
    use async_trait::async_trait;
    use autopgo_core::port::bus::Message;

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
        let error = Ports::for_fed_worker(&config("mem://a", "", None)).await.err().expect("no topic");
        assert!(error.what().contains("no scheme"), "{error}");
        assert!(Ports::for_fed_worker(&config("mem://a", "mem://b", None)).await.is_ok());
    }

    /// A topic that says this when it is asked.
    struct Says(Kind);

    #[async_trait]
    impl Topic for Says {
        async fn publish(&self, _: Message) -> Result<()> {
            self.check().await
        }

        async fn check(&self) -> Result<()> {
            Err(Error::new(self.0, "the bus: no"))
        }
    }

    #[tokio::test]
    async fn a_bus_that_is_away_stops_nobody_and_a_wrong_one_does() {
        let mut ports = Ports::for_server(&config("mem://a", "mem://b", None)).await.expect("opened");
        ports.topic = Arc::new(Says(Kind::Unavailable));
        ports.check().await.expect("it may come back");
        for kind in [Kind::NotFound, Kind::Denied, Kind::Invalid] {
            ports.topic = Arc::new(Says(kind));
            let error = ports.check().await.expect_err("it will not");
            assert!(error.what().contains("the event writer"), "{error}");
        }
    }

    #[tokio::test]
    async fn both_ends_of_a_bus_in_memory_meet() {
        let ports = Ports::for_worker(&config("mem://a", "mem://b", Some("mem://b"))).await.expect("opened");
        ports.check().await.expect("healthy");
        let message = Message { body: "hello".into(), key: "app".to_owned() };
        ports.topic.publish(message).await.expect("published");
        let subscription = ports.subscription.expect("a worker's");
        assert_eq!(subscription.receive(1).await.expect("received")[0].body, "hello");
    }
}
