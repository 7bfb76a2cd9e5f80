//! From a topic to a consumer.

use std::collections::BTreeMap;

use autopgo_core::error::Result;
use autopgo_core::port::bus::Message;

use super::{Harness, Missing, body, message, publish, receive};
use crate::verdict::{Broken, Verdict, ensure, same};

pub(super) async fn what_is_published_arrives(harness: &dyn Harness) -> Verdict {
    let (subscription, topic) = (harness.subscription().await?, harness.topic().await?);
    let long = format!(r#"{{"message":"{}"}}"#, "long ".repeat(4000));
    let bodies = [
        r#"{"id":"e9e23fa8-9d46-4c66-9190-2f64eacd73a2","timestamp":"2025-01-02T03:04:05.123456789Z","type":"profile.uploaded","payload":{"app":"hello-world","profileKey":"hello-world/staging/1730075435311000000"}}"#,
        "{ \"spaced\" :\t1 }\n",
        r#"{"text":"d\u00e9j\u00e0 vu \"quoted\" \\ & <tag> + % é ☺"}"#,
        // A bus that wraps its messages must not take ours for a wrapped one.
        r#"{"Type":"Notification","Message":"inner","TopicArn":"","data":"aGk=","body":"x"}"#,
        long.as_str(),
    ];
    for text in bodies {
        topic.publish(Message { body: text.to_owned().into(), key: "hello-world".to_owned() }).await?;
        let batch = receive(&*subscription, 10).await?;
        same("how many came of one", &batch.len(), &1)?;
        ensure(batch[0].body == text, || format!("{:?} came and not {text:?}", batch[0].body))?;
        subscription.ack(&batch[0]).await?;
    }
    Ok(())
}

pub(super) async fn a_consumer_waits_for_what_comes(harness: &dyn Harness) -> Verdict {
    let (subscription, topic) = (harness.subscription().await?, harness.topic().await?);
    for body in ["first", "second"] {
        let waiting = receive(&*subscription, 10);
        tokio::pin!(waiting);
        // It is waiting by the time the message goes out.
        ensure(futures_util::poll!(&mut waiting).is_pending(), || "something came from nothing".to_owned())?;
        publish(&*topic, [body]).await?;
        let batch = waiting.await?;
        same("what came", &super::body(&batch[0]).as_str(), &body)?;
        subscription.ack(&batch[0]).await?;
    }
    Ok(())
}

pub(super) async fn at_most_as_many_as_asked_for(harness: &dyn Harness) -> Verdict {
    let (subscription, topic) = (harness.subscription().await?, harness.topic().await?);
    let bodies: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    publish(&*topic, bodies.iter().map(String::as_str)).await?;
    let mut came = 0;
    for max in [1, 3, 10] {
        let batch = receive(&*subscription, max).await?;
        came += batch.len();
        for delivery in &batch {
            subscription.ack(delivery).await?;
        }
    }
    ensure(came <= 14, || format!("{came} came, where 14 were wanted"))
}

/// Where the order is promised. Where it is not, all must come all the same.
pub(super) async fn messages_of_a_key_keep_their_order(harness: &dyn Harness) -> Verdict {
    let (subscription, topic) = (harness.subscription().await?, harness.topic().await?);
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for n in 0..30 {
        let key = format!("app-{}", n % 3);
        topic.publish(message(&key, &format!("{key} {n:02}"))).await?;
        expected.entry(key.clone()).or_default().push(format!("{key} {n:02}"));
    }
    let mut came: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while came.values().map(Vec::len).sum::<usize>() < 30 {
        for delivery in receive(&*subscription, 7).await? {
            let body = body(&delivery);
            let key = body.split(' ').next().unwrap_or_default().to_owned();
            let of_key = came.entry(key).or_default();
            if !of_key.contains(&body) {
                of_key.push(body);
            }
            subscription.ack(&delivery).await?;
        }
    }
    if !harness.facts().ordered_by_key {
        came.values_mut().for_each(|bodies| bodies.sort_unstable());
    }
    same("the messages by key", &came, &expected)
}

pub(super) async fn check_answers(harness: &dyn Harness) -> Verdict {
    let (subscription, topic) = (harness.subscription().await?, harness.topic().await?);
    topic.check().await?;
    subscription.check().await?;
    publish(&*topic, ["x"]).await?;
    // Checking takes no message.
    subscription.check().await?;
    super::drain(&*subscription, &["x"]).await
}

pub(super) async fn a_missing_end_is_named(harness: &dyn Harness) -> Verdict {
    let (missing, name) = harness.missing().await?;
    let checked: Result<()> = match missing {
        Missing::Topic(topic) => topic.check().await,
        Missing::Subscription(subscription) => subscription.check().await,
    };
    match checked {
        Ok(()) => Err(Broken::new(format!("{name} is not there, and check finds nothing wrong"))),
        Err(error) => ensure(error.chain().contains(&name), || {
            format!("the error should name {name}: {}", error.chain())
        }),
    }
}
