//! `gcppubsub://projects/P/topics/T` and `gcppubsub://projects/P/subscriptions/S`, or shorter `gcppubsub://P/T` and
//! `gcppubsub://P/S`: Google Cloud Pub/Sub over gRPC
//! (<https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1>). Parameters are in `gcppubsub/settings.rs`.
//!
//! Credentials come by Google's standard chain: `GOOGLE_APPLICATION_CREDENTIALS`, gcloud's file, the metadata server.
//! `PUBSUB_EMULATOR_HOST` leads to an emulator that asks nobody who they are.
//!
//! **The client.** Google's own crate, `google-cloud-pubsub` 1.7, receives by streams alone: it extends what it has given
//! out by itself and not when asked to, and an ack is confirmed on subscriptions with exactly-once delivery only; and it
//! stops publishing for a key after one failure until it is told to go on. The plain calls that the original makes and
//! that our port needs are private in it. So those six calls are made here, over `tonic`, which Google's crates bring
//! anyway, with the credentials of Google's `google-cloud-auth`; `gcppubsub/wire.rs` has their messages.
//!
//! **Publishing.** One message a call, its `ordering_key` the application, and nothing else. A call that fails leaves no
//! trace, so that the next one of the same key just goes out.
//!
//! **Receiving.** A call waits on the other side until there is something. One that nobody waits for any more hands back
//! what it gets. Closing ends it: what the other side is just giving out then comes again when the ack deadline is over. What
//! is handed back comes again at once, as with the original: a pause would be one for all that is behind it in an order.
//!
//! **Holding.** For as long as the subscription's ack deadline says, which takes the right to look at the subscription
//! (`pubsub.subscriptions.get`). Without it the hold is the shortest that a subscription can have, 10 s, and is asked for
//! anew all the oftener.
//!
//! **Order.** Where the subscription has message ordering on, the messages of an application come in order, one that is
//! handed back before those behind it. Otherwise in any, as with the original.

mod client;
mod fail;
mod identity;
mod receive;
mod settings;
mod settle;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::address::Address;
use autopgo_core::error::Result;
use autopgo_core::port::bus::{self, Message};

use crate::patience::{OPERATION, patiently};
use client::Client;
use receive::Subscription;
use settings::{Reader, What};
use wire::{GetTopic, Publish, PubsubMessage};

/// The scheme of these URLs.
pub const SCHEME: &str = "gcppubsub";
/// Names an emulator in the place of Google. Google's own clients and the Go original know it too.
pub(crate) const EMULATOR: &str = "PUBSUB_EMULATOR_HOST";

/// Everything that is tried to publish one message, and the waits between, end by then. The core waits for 2 s.
const PUBLISH: Duration = Duration::from_millis(1800);

/// What one try may take of that: another one may go by another connection.
const A_TRY: Duration = Duration::from_millis(900);

/// Opens the topic that `address` names, at an `emulator` (`HOST:PORT`) if one is given. Nothing is asked of it yet.
pub(crate) fn topic(address: &Address, emulator: Option<&str>) -> Result<Arc<dyn bus::Topic>> {
    // Our calls have one message each, which is within any bound.
    let _ = settings::writer(address.params())?;
    let name = settings::name(address, What::Topic)?;
    Ok(Arc::new(Topic(Client::new(name, What::Topic, settings::emulator(emulator)?))))
}

/// Opens the subscription that `address` names, at an `emulator` (`HOST:PORT`) if one is given. Nothing is asked of it
/// yet.
pub(crate) fn subscription(address: &Address, emulator: Option<&str>) -> Result<Arc<dyn bus::Subscription>> {
    let reader = Reader::of(address.params())?;
    let name = settings::name(address, What::Subscription)?;
    let client = Client::new(name, What::Subscription, settings::emulator(emulator)?);
    Ok(Arc::new(Subscription::new(client, &reader)))
}

struct Topic(Client);

#[async_trait]
impl bus::Topic for Topic {
    async fn publish(&self, message: Message) -> Result<()> {
        let Self(client) = self;
        let message = PubsubMessage { data: message.body, ordering_key: message.key };
        let call = Publish { topic: client.name().to_owned(), messages: vec![message] };
        let published = patiently(PUBLISH, |limit| client.call(&call, limit.min(A_TRY))).await;
        published.map(drop).map_err(|failure| client.error(failure))
    }

    /// Looking at a topic takes the right to (`pubsub.topics.get`), which a publisher need not have. Then it publishes
    /// nothing: that is refused too, for being nothing and not for who asks.
    async fn check(&self) -> Result<()> {
        let Self(client) = self;
        let look = GetTopic { topic: client.name().to_owned() };
        let looked = patiently(OPERATION, |limit| client.call(&look, limit)).await;
        let checked = match looked {
            Err(failure) if failure.is_denied() => {
                let nothing = Publish { topic: client.name().to_owned(), messages: Vec::new() };
                match patiently(OPERATION, |limit| client.call(&nothing, limit)).await {
                    Err(failure) if failure.is_invalid() => Ok(()),
                    outcome => outcome.map(drop),
                }
            }
            outcome => outcome.map(drop),
        };
        checked.map_err(|failure| client.error(failure))
    }
}
