//! `azuresb://TOPIC` and `azuresb://TOPIC?subscription=SUB`: Azure Service Bus over its REST API
//! (<https://learn.microsoft.com/rest/api/servicebus/service-bus-runtime-rest>). The original speaks AMQP to the same topics:
//! the body of its messages is what REST gives as the body of the answer, and the other way round.
//!
//! REST was chosen because no crate for AMQP is both published and kept. What it costs: one message comes with each request,
//! there are no sessions, and nothing can be put among the dead letters but by the subscription's `MaxDeliveryCount`: each
//! message that is handed back counts as one delivery, so it should be large. Pauses between them grow up to half a lock:
//! with locks of a minute the service's own 10 deliveries take 80 s, with those of half a minute 55 s.
//!
//! The key of a message is its `PartitionKey`. The order within one is not promised: that needs sessions, which the
//! original does not use.
//!
//! `settings` has the URL and the variables, `identity` says who asks, `client` asks, `receive` receives.

mod client;
mod connection;
mod entra;
mod fail;
mod identity;
mod receive;
mod sas;
mod settings;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::address::Address;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::bus::{self, Message};

use crate::patience::{OPERATION, patiently};
use client::Client;
use receive::Subscription;
use settings::{Reader, Variables};

/// The scheme of these URLs.
pub const SCHEME: &str = "azuresb";

/// Everything that is tried to publish one message, and the waits between, end by then. The core waits for 2 s.
const PUBLISH: Duration = Duration::from_millis(1800);

/// Opens the topic, or the queue, that `address` names. Nothing is asked of it yet.
pub(crate) fn topic(address: &Address, variables: &Variables<'_>) -> Result<Arc<dyn bus::Topic>> {
    address.params().finish()?;
    let entity = settings::entity(address)?;
    let client = Client::new(&entity, &entity, variables)?;
    Ok(Arc::new(Topic { client }))
}

/// Opens the subscription that `address` names. Nothing is asked of it yet.
pub(crate) fn subscription(
    address: &Address,
    variables: &Variables<'_>,
) -> Result<Arc<dyn bus::Subscription>> {
    let topic = settings::entity(address)?;
    let reader = Reader::of(address.params())?;
    let entity = format!("{topic}/subscriptions/{}", reader.subscription);
    let client = Client::new(&topic, &entity, variables)?;
    Ok(Arc::new(Subscription::new(client, &reader)))
}

struct Topic {
    client: Client,
}

#[async_trait]
impl bus::Topic for Topic {
    async fn publish(&self, message: Message) -> Result<()> {
        let properties = wire::sent(&message.key, &message.body);
        let send = |limit| self.client.publish(&properties, message.body.clone(), limit);
        patiently(PUBLISH, send).await.map_err(|failure| self.client.error(failure))
    }

    async fn check(&self) -> Result<()> {
        // To look at a topic one has to have the right to manage it, which a sender has not: that refusal is an answer.
        match patiently(OPERATION, |limit| self.client.look(limit)).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::new(
                Kind::NotFound,
                format!("{}: there is no such topic; make it, or correct the URL", self.client.name()),
            )),
            Err(failure) if failure.is_for_managers() => Ok(()),
            Err(failure) => Err(self.client.error(failure)),
        }
    }
}
