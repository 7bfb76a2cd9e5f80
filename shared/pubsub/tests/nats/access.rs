//! Who may do what.

use std::time::Duration;

use autopgo_conformance::brokers::Nats as Server;
use autopgo_core::error::Kind;
use autopgo_core::port::bus::{Subscription, Topic};
use autopgo_pubsub::open::{subscription, topic};

use crate::rig::{Configured, environment, message, next, until};

#[tokio::test]
async fn a_server_lets_in_who_has_its_password() {
    let Some(server) = Server::with(&["--user", "me", "--pass", "p@ss:w"]) else { return };
    let right = format!("nats://me:p%40ss%3Aw@{}", server.address());
    let (right, wrong) =
        (environment(&right), environment(&format!("nats://me:hunter2@{}", server.address())));
    let allowed = topic("nats://events", &right).await.expect("opened");
    allowed.publish(message("{}")).await.expect("published");
    let refused = topic("nats://events", &wrong).await.expect("opened");
    let error = refused.check().await.expect_err("refused");
    let told = error.chain();
    assert!(told.contains(&server.address()) && !told.contains("hunter2"), "{told}");
}

/// One user, who may publish and subscribe to these subjects.
fn user(publish: &str, subscribe: &str) -> String {
    format!(
        "authorization {{ users = [ {{ user: me, password: secret, permissions: {{ publish: [{publish}], subscribe: \
         [{subscribe}] }} }} ] }}"
    )
}

async fn refused(topic: &dyn Topic) -> autopgo_core::error::Error {
    // The server says so a moment later.
    until("it is refused", async || topic.publish(message("{}")).await.err().filter(is_denied)).await
}

fn is_denied(error: &autopgo_core::error::Error) -> bool {
    error.kind() == Kind::Denied
}

/// What comes first, or the error.
async fn received(subscription: &dyn Subscription) -> autopgo_core::error::Result<()> {
    let within = tokio::time::timeout(Duration::from_secs(20), subscription.receive(1)).await;
    within.expect("it answers").map(drop)
}

#[tokio::test]
async fn what_a_user_may_not_do_is_said() {
    let Some(on) = Configured::start(&user("events", "\"_INBOX.>\"")) else { return };
    let environment = on.environment("me");
    let mine = topic("nats://events", &environment).await.expect("opened");
    // It may not ask for a sign of life, which is found out at the first; then it does without.
    until("it does without", async || mine.publish(message("{}")).await.ok()).await;
    mine.check().await.expect("healthy");
    // No part of a name is the name.
    for subject in ["event", "events.others", "others"] {
        let others = topic(&format!("nats://{subject}"), &environment).await.expect("opened");
        let error = refused(&*others).await;
        assert!(error.what().contains(subject) && !error.chain().contains("secret"), "{error}");
        assert_eq!(others.check().await.expect_err("not allowed").kind(), Kind::Denied);
    }
}

#[tokio::test]
async fn what_is_allowed_later_works_on_the_same_connection() {
    let inboxes = "\"_INBOX.>\"";
    let Some(on) = Configured::start(&user(inboxes, inboxes)) else { return };
    let environment = on.environment("me");
    let topic = topic("nats://events", &environment).await.expect("opened");
    let reader = subscription("nats://events?queue=q", &environment).await.expect("opened");
    refused(&*topic).await;
    assert_eq!(topic.check().await.expect_err("not allowed").kind(), Kind::Denied);
    for _ in 0..2 {
        let error = received(&*reader).await.expect_err("not allowed");
        assert!(is_denied(&error) && error.what().contains("events"), "{error}");
        assert_eq!(reader.check().await.expect_err("not allowed").kind(), Kind::Denied);
    }
    let all = format!("events, {inboxes}");
    on.reload(&user(&all, &all));
    until("it is allowed", async || topic.publish(message("{}")).await.ok()).await;
    topic.check().await.expect("healthy");
    // Nothing of what was said before is held against the next.
    topic.publish(message("{}")).await.expect("published");
    // The first wish finds the old refusal, the next subscribes anew.
    until("it hears", async || {
        topic.publish(message("heard")).await.expect("published");
        let soon = tokio::time::timeout(Duration::from_millis(200), reader.receive(1)).await;
        soon.ok()?.ok()
    })
    .await;
    reader.check().await.expect("healthy");
    on.reload(&user(inboxes, inboxes));
    let error = refused(&*topic).await;
    assert!(error.what().contains("events"), "{error}");
}

#[tokio::test]
async fn a_refusal_of_jetstream_is_said_at_once() {
    for (publish, subscribe, says) in [
        ("events, \"_INBOX.>\"", "\"_INBOX.>\"", "$JS.API.STREAM.INFO.EVENTS"),
        ("events, \"_INBOX.>\", \"$JS.API.STREAM.>\"", "\"_INBOX.>\"", "$JS.API.CONSUMER"),
        ("events, \"$JS.>\"", "events", "subscribe to _INBOX.>"),
    ] {
        let Some(on) = Configured::start(&user(publish, subscribe)) else { return };
        let url = "nats://events?jetstream=EVENTS";
        let reader = subscription(url, &on.environment("me")).await.expect("opened");
        let error = reader.check().await.expect_err("not allowed");
        assert!(is_denied(&error) && error.what().contains(says), "{}", error.chain());
        assert!(!error.chain().contains("secret"), "{}", error.chain());
    }
    // What it may not publish JetStream does not confirm.
    let Some(on) = Configured::start(&user("\"$JS.>\", \"_INBOX.>\"", "\"_INBOX.>\"")) else { return };
    let topic = topic("nats://events?jetstream=EVENTS", &on.environment("me")).await.expect("opened");
    topic.check().await.expect("healthy");
    let begun = tokio::time::Instant::now();
    let error = topic.publish(message("{}")).await.expect_err("not allowed");
    assert!(is_denied(&error) && error.what().contains("\"events\""), "{}", error.chain());
    assert!(begun.elapsed() < Duration::from_millis(1400), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn who_may_not_ask_for_messages_is_told() {
    let granted = "events, \"_INBOX.>\", \"$JS.API.STREAM.>\", \"$JS.API.CONSUMER.INFO.>\", \
         \"$JS.API.CONSUMER.CREATE.>\", \"$JS.ACK.>\"";
    let inboxes = "\"_INBOX.>\"";
    let Some(on) = Configured::start(&user(granted, inboxes)) else { return };
    let environment = on.environment("me");
    let url = "nats://events?jetstream=EVENTS";
    let topic = topic(url, &environment).await.expect("opened");
    let reader = subscription(url, &environment).await.expect("opened");
    topic.publish(message("1")).await.expect("published");
    let error = received(&*reader).await.expect_err("not allowed");
    assert!(is_denied(&error) && error.what().contains("CONSUMER.MSG.NEXT"), "{}", error.chain());
    on.reload(&user(&format!("{granted}, \"$JS.API.CONSUMER.MSG.NEXT.>\""), inboxes));
    until("it is allowed", async || received(&*reader).await.ok()).await;
    topic.publish(message("2")).await.expect("published");
    assert_eq!(next(&*reader).await, "2");
}
