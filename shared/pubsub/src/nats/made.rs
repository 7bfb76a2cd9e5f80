//! The stream and the consumer of a URL: found, or made where they are missing.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{Context, stream::Stream};
use autopgo_core::error::{Error, Kind, Result};

use super::link::Link;
use super::settings::Kept;

/// When a message that nobody wanted is forgotten: the sweep has found what it told of long before.
const FORGOTTEN: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How many messages may be in the hands of all workers together.
const IN_HAND: i64 = 20_000;

/// The stream for `subject`.
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
    let stream = found.map_err(|error| link.fail(Kind::Unavailable, &doing).because(error))?;
    let there = &stream.cached_info().config;
    let elsewhere = there.mirror.is_some() || there.sources.as_ref().is_some_and(|from| !from.is_empty());
    if elsewhere || there.subjects.iter().any(|taken| covers(taken, subject)) {
        return Ok(stream);
    }
    let what = format!(
        "the stream {} takes {} and not {subject}; add the subject to it, or name another stream",
        kept.stream,
        there.subjects.join(", ")
    );
    Err(Error::new(Kind::Invalid, what))
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
    let found = stream.get_or_create_consumer(&kept.consumer, config).await;
    let consumer: PullConsumer =
        found.map_err(|error| link.fail(Kind::Unavailable, &doing).because(error))?;
    let there = &consumer.cached_info().config;
    let wanted = pull::Config {
        ack_wait: kept.ack_wait.unwrap_or(there.ack_wait),
        max_deliver: kept.max_deliver.unwrap_or(there.max_deliver),
        ..consumer_config(there).map_err(|error| link.fail(Kind::Invalid, &doing).because(error))?
    };
    if wanted.ack_wait == there.ack_wait && wanted.max_deliver == there.max_deliver {
        return Ok(consumer);
    }
    // Of an old name, new facts: the server takes it for a change.
    let changed = stream.create_consumer(wanted).await;
    changed.map_err(|error| link.fail(Kind::Unavailable, &doing).because(error))
}

fn consumer_config(
    there: &async_nats::jetstream::consumer::Config,
) -> std::result::Result<pull::Config, async_nats::Error> {
    use async_nats::jetstream::consumer::FromConsumer;
    pull::Config::try_from_consumer_config(there.clone())
}

/// Whether a stream that takes `taken` takes all of `subject`: `*` stands for one token, `>` for all that follow.
fn covers(taken: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for taken in taken.split('.') {
        match (taken, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(token)) if token != ">" => {}
            (taken, Some(token)) if taken == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_covers_what_it_takes() {
        for (taken, subject, all) in [
            ("a", "a", true),
            ("a", "b", false),
            ("a.b", "a", false),
            ("a", "a.b", false),
            ("a.*", "a.b", true),
            ("a.*", "a.*", true),
            ("a.*", "a.>", false),
            ("a.*", "a.b.c", false),
            ("a.>", "a.b.c", true),
            ("a.>", "a.>", true),
            ("a.>", "a", false),
            (">", "a.b", true),
            ("a.b", "a.*", false),
        ] {
            assert_eq!(covers(taken, subject), all, "{taken} {subject}");
        }
    }
}
