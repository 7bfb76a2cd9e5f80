//! The stream and the consumer of a URL: found, or made where they are missing.

mod fail;
mod fits;

use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, FromConsumer, Info, PullConsumer, pull};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use autopgo_core::error::{Kind, Result};

use super::link::Link;
use super::settings::Kept;

/// When a message that nobody wanted is forgotten: the sweep has found what it told of long before.
const FORGOTTEN: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How many messages may be in the hands of all workers together.
const IN_HAND: i64 = 20_000;

/// The stream for `subject`. It is made with one replica, which every server can keep: on a cluster it is for its
/// operators to say how many there are to be.
pub(super) async fn stream(context: &Context, link: &Link, subject: &str, kept: &Kept) -> Result<Stream> {
    let config = stream::Config {
        name: kept.stream.clone(),
        description: Some("events of autopgo".to_owned()),
        subjects: vec![subject.to_owned()],
        // What is acked is gone, and one consumer has them all.
        retention: RetentionPolicy::WorkQueue,
        storage: StorageType::File,
        discard: DiscardPolicy::Old,
        max_age: FORGOTTEN,
        ..stream::Config::default()
    };
    let doing = format!("finding or making the stream {} for", kept.stream);
    let found = context.get_or_create_stream(config).await;
    let stream = found.map_err(|error| fail::stream(link, &doing, error))?;
    fits::stream(&stream.cached_info().config, subject)?;
    Ok(stream)
}

/// The durable consumer of `subject` on the stream.
pub(super) async fn consumer(
    context: &Context,
    link: &Link,
    subject: &str,
    kept: &Kept,
) -> Result<PullConsumer> {
    let stream = stream(context, link, subject, kept).await?;
    let doing = format!("finding or making the consumer {} of the stream {} for", kept.consumer, kept.stream);
    let found = match stream.consumer_info(&kept.consumer).await {
        Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => None,
        found => Some(found.map_err(|error| fail::lookup(link, &doing, error))?),
    };
    let Some(info) = found else {
        let config = pull::Config {
            durable_name: Some(kept.consumer.clone()),
            description: Some("workers of autopgo".to_owned()),
            filter_subject: subject.to_owned(),
            ack_policy: AckPolicy::Explicit,
            ack_wait: kept.ack_wait(),
            max_deliver: kept.max_deliver(),
            max_ack_pending: IN_HAND,
            ..pull::Config::default()
        };
        // Where another was faster, it is not changed into ours: the next look finds it.
        let made = context.create_consumer_strict_on_stream(config, &kept.stream).await;
        return made.map_err(|error| fail::making(link, &doing, error));
    };
    fits::consumer(&kept.consumer, &info.config, &stream.cached_info().config, subject)?;
    let there = config(&info).map_err(|error| link.fail(Kind::Invalid, &doing).because(error))?;
    let wanted = pull::Config {
        ack_wait: kept.ack_wait.unwrap_or(there.ack_wait),
        max_deliver: kept.max_deliver.unwrap_or(there.max_deliver),
        ..there.clone()
    };
    if wanted.ack_wait == there.ack_wait && wanted.max_deliver == there.max_deliver {
        return Ok(Consumer::new(there, info, context.clone()));
    }
    // Of an old name, new facts: the server takes it for a change.
    let changed = stream.create_consumer(wanted).await;
    changed.map_err(|error| fail::changing(link, &doing, error))
}

fn config(info: &Info) -> std::result::Result<pull::Config, async_nats::Error> {
    pull::Config::try_from_consumer_config(info.config.clone())
}
