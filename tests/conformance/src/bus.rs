//! The laws of an event bus: what `autopgo_core::port::bus` promises, tried from outside.

mod crowds;
mod delivery;
mod ending;
mod hold;
mod holding;
mod redelivery;
mod restart;
mod settling;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use autopgo_core::error::Result;
use autopgo_core::port::bus::{Delivery, Message, Subscription, Topic};

use crate::verdict::{Broken, Gap, Verdict, ensure};

pub use hold::Hold;

/// What an adapter gives to have the laws tried on it: one topic and one subscription to it, both empty when the
/// harness is made.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Opens the topic of this harness anew, as another process would.
    async fn topic(&self) -> Result<Arc<dyn Topic>>;

    /// Opens another consumer of the one subscription, as another process would. The laws open it before they
    /// publish: a bus may keep nothing for a subscription that nobody has opened yet.
    async fn subscription(&self) -> Result<Arc<dyn Subscription>>;

    /// A topic or subscription that is not there, and the name that the error must hold.
    async fn missing(&self) -> Result<(Missing, String)>;

    /// What stops and starts the broker behind this harness; `None` where there is none but this process.
    fn broker(&self) -> Option<&dyn Broker>;

    /// Why the bus cannot be had on this machine, if so: then no law is tried. Whoever says so has said it aloud (see
    /// [`crate::skip`]).
    fn lacking(&self) -> Option<String> {
        None
    }

    /// What this bus promises beyond the contract, and in which times.
    fn facts(&self) -> Facts;

    /// Has this bus hold messages for long, where that is the harness's to say. A law asks for it before anything is
    /// made, when a busy broker could look like one whose hold has run out.
    fn hold_for_long(&self) {}

    /// Whether messages go to consumers that have not asked yet, so that one of two may have them all.
    fn pushes(&self) -> bool {
        false
    }

    /// By how much a subscription may be wrong about its hold: some buses tell times in whole seconds alone.
    fn grain(&self) -> Duration {
        Duration::ZERO
    }

    /// The laws that this adapter does not keep.
    fn gaps(&self) -> &[Gap] {
        &[]
    }

    /// How long a law may take. Every wait in a law ends with it.
    fn patience(&self) -> Duration {
        Duration::from_secs(120)
    }
}

/// A broker that can be stopped and started, of one harness alone.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Stops it, as an operator does who wants it back, and returns when it is gone.
    async fn stop(&self) -> Result<()>;

    /// Starts it where it was, with what it had, and returns when it answers.
    async fn start(&self) -> Result<()>;
}

/// An end of a bus that is not there.
pub enum Missing {
    /// Where one would publish.
    Topic(Arc<dyn Topic>),
    /// Where one would receive.
    Subscription(Arc<dyn Subscription>),
}

/// What a bus promises beyond the contract, and in which times.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Messages of one key arrive in the order in which they were published, as long as each is acked.
    pub ordered_by_key: bool,
    /// A message that is neither acked, nacked nor extended comes back after this.
    pub ack_deadline: Duration,
    /// How many messages "many" are: 10,000 where the bus can take them fast.
    pub many: usize,
}

/// From the table of the laws: their names, the way from a name to its law, and the macro that makes tests of them.
/// A law that is not in the table is dead code, which the lints refuse.
macro_rules! laws {
    ($dollar:tt $($area:ident: $($law:ident)+;)+) => {
        /// The name of every law.
        pub const LAWS: &[&str] = &[$($(stringify!($law),)+)+];

        async fn run(law: &str, harness: &dyn Harness) -> Verdict {
            match law {
                $($(stringify!($law) => $area::$law(harness).await,)+)+
                other => Err(Broken::new(format!("there is no law {other}"))),
            }
        }

        /// One test a law, in a module of the given name, each with a harness of its own.
        #[macro_export]
        macro_rules! bus_laws {
            ($dollar adapter:ident: $dollar harness:expr) => {
                mod $dollar adapter {
                    #[allow(unused_imports, reason = "the harness may be spelt in full")]
                    use super::*;
                    $($(
                        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                        async fn $law() -> $crate::Verdict {
                            $crate::bus::prove(stringify!($law), &$dollar harness).await
                        }
                    )+)+
                }
            };
        }
    };
}

laws! { $
    delivery:
        what_is_published_arrives a_consumer_waits_for_what_comes at_most_as_many_as_asked_for
        messages_of_a_key_keep_their_order check_answers a_missing_end_is_named;
    settling: an_acked_message_stays_away settling_twice_is_harmless a_late_ack_is_harmless;
    redelivery:
        a_nacked_message_comes_back a_message_comes_back_after_a_lost_ack a_dropped_consumer_loses_nothing
        a_message_comes_back_to_whoever_still_waits a_dropped_receive_loses_nothing poison_blocks_nothing;
    holding:
        long_work_is_held what_is_held_no_more_comes_back holding_what_is_settled_is_harmless;
    ending: a_closed_consumer_leaves_the_rest_to_others a_killed_consumer_loses_nothing;
    restart: a_broker_that_restarts_is_found_again what_a_broker_has_outlives_its_restart;
    crowds: consumers_share_the_work many_messages_all_arrive;
}

/// Tries the law of this name on `harness`, and judges by its gaps.
pub async fn prove(law: &str, harness: &dyn Harness) -> Verdict {
    if harness.lacking().is_some() {
        return Ok(());
    }
    crate::verdict::prove(law, LAWS, harness.gaps(), harness.patience(), run(law, harness)).await
}

/// A message as ours are: JSON, keyed by an application.
fn message(key: &str, body: &str) -> Message {
    Message { body: format!(r#"{{"body":"{body}"}}"#).into(), key: key.to_owned() }
}

async fn publish(topic: &dyn Topic, bodies: impl IntoIterator<Item = &str>) -> Verdict {
    for body in bodies {
        topic.publish(message("app", body)).await?;
    }
    Ok(())
}

fn body(delivery: &Delivery) -> String {
    let text = String::from_utf8_lossy(&delivery.body).into_owned();
    let inner = text.strip_prefix(r#"{"body":""#).and_then(|text| text.strip_suffix(r#""}"#));
    inner.map_or(text.clone(), str::to_owned)
}

/// Receives a batch, which the contract says is never empty.
async fn receive(subscription: &dyn Subscription, max: usize) -> Result<Vec<Delivery>, Broken> {
    let batch = subscription.receive(max).await?;
    ensure(!batch.is_empty(), || "a batch is empty".to_owned())?;
    ensure(batch.len() <= max, || format!("{} messages, where at most {max} were wanted", batch.len()))?;
    Ok(batch)
}

/// Receives and acks until each of `wanted` has come once. Each may come more often, and nothing else may.
async fn drain(subscription: &dyn Subscription, wanted: &[&str]) -> Verdict {
    let mut missing: BTreeSet<&str> = wanted.iter().copied().collect();
    while !missing.is_empty() {
        for delivery in receive(subscription, 10).await? {
            let body = body(&delivery);
            ensure(wanted.contains(&body.as_str()), || {
                format!("{body:?} was never published, or done with")
            })?;
            missing.remove(body.as_str());
            subscription.ack(&delivery).await?;
        }
    }
    Ok(())
}

/// Nothing comes, until everything that could come back would have.
async fn is_quiet(subscription: &dyn Subscription, facts: Facts) -> Verdict {
    let until = facts.ack_deadline * 2;
    match tokio::time::timeout(until, subscription.receive(10)).await {
        Err(_) => Ok(()),
        Ok(batch) => {
            let bodies: Vec<String> = batch?.iter().map(body).collect();
            Err(Broken::new(format!("{bodies:?} came, where nothing should within {until:?}")))
        }
    }
}

/// Receives until `body` comes, and gives that delivery unsettled, with how long it took. Others are handed back.
async fn wait_for(subscription: &dyn Subscription, wanted: &str) -> Result<(Delivery, Duration), Broken> {
    let start = Instant::now();
    loop {
        let mut found = None;
        for delivery in receive(subscription, 10).await? {
            match body(&delivery) == wanted {
                true if found.is_none() => found = Some(delivery),
                true => subscription.ack(&delivery).await?,
                false => subscription.nack(&delivery).await?,
            }
        }
        if let Some(delivery) = found {
            return Ok((delivery, start.elapsed()));
        }
    }
}
