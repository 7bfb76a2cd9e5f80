//! What becomes of messages when a worker of a queue group leaves.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use autopgo_conformance::brokers::Nats as Server;
use autopgo_core::port::bus::Subscription;
use autopgo_pubsub::open::{subscription, topic};

use crate::gate::Gate;
use crate::rig::{environment, message, next, until};

/// With threads the client reads while we speak.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_on_its_way_to_a_worker_that_leaves_is_handed_on() {
    let Some(server) = Server::start() else { return };
    let gate = Gate::before(server.address()).await;
    let direct = environment(&server.url());
    let topic = topic("nats://events", &direct).await.expect("opened");
    let leaves = subscription("nats://events?queue=q", &environment(&gate.url())).await.expect("opened");
    leaves.check().await.expect("the server has the subscription");
    gate.close();
    let bodies: BTreeSet<String> = (0..9).map(|n| format!("body-{n}")).collect();
    for body in &bodies {
        topic.publish(message(body)).await.expect("published");
    }
    until("all is on its way", async || gate.server_has_said("body-8").then_some(())).await;
    let stays = subscription("nats://events?queue=q", &direct).await.expect("opened");
    let said = gate.said();
    let leaving = tokio::spawn(async move { leaves.close().await });
    until("it leaves", async || (gate.said() > said).then_some(())).await;
    gate.open();
    leaving.await.expect("it left");
    let mut came = BTreeSet::new();
    for _ in &bodies {
        came.insert(next(&*stays).await);
    }
    assert_eq!(came, bodies);
}

#[tokio::test]
async fn a_worker_leaves_a_server_that_is_silent_in_time() {
    let Some(server) = Server::start() else { return };
    let gate = Gate::before(server.address()).await;
    let leaves = subscription("nats://events?queue=q", &environment(&gate.url())).await.expect("opened");
    leaves.check().await.expect("the server has the subscription");
    gate.close();
    let begun = tokio::time::Instant::now();
    leaves.close().await;
    // The loop gives it three.
    assert!(begun.elapsed() < Duration::from_millis(2800), "{:?}", begun.elapsed());
}

/// A machine that is busy elsewhere may be too slow for one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_leave_amid_a_stream_of_messages_lose_none_of_them() {
    let Some(server) = Server::start() else { return };
    let mut lost = Vec::new();
    for round in 0..4 {
        lost.push(lost_when_one_leaves(&server, &format!("events.{round}")).await);
    }
    assert!(lost.iter().filter(|lost| **lost == 0).count() >= 3, "they lost {lost:?}");
}

async fn lost_when_one_leaves(server: &Server, subject: &str) -> u64 {
    let url = format!("nats://{subject}?queue=q");
    let gate = Gate::before(server.address()).await;
    let leaves = subscription(&url, &environment(&gate.url())).await.expect("opened");
    let stays = subscription(&url, &environment(&server.url())).await.expect("opened");
    let client = async_nats::connect(server.url()).await.expect("connected");
    let done = Arc::new(AtomicBool::new(false));
    let (enough, subject) = (Arc::clone(&done), subject.to_owned());
    let sending = tokio::spawn(async move {
        let mut pace = tokio::time::interval(Duration::from_millis(1));
        let mut sent = 0;
        while !enough.load(Ordering::Relaxed) {
            pace.tick().await;
            for _ in 0..4 {
                client.publish(subject.clone(), "{}".into()).await.expect("published");
                sent += 1;
            }
            client.flush().await.expect("flushed");
        }
        sent
    });
    let mut came = 0;
    while came < 1000 {
        came += receive(&*leaves).await + receive(&*stays).await;
    }
    let leaving = tokio::spawn(async move { leaves.close().await });
    while !leaving.is_finished() {
        came += receive(&*stays).await;
    }
    leaving.await.expect("it left");
    done.store(true, Ordering::Relaxed);
    let sent = sending.await.expect("sent");
    let rest = async {
        while came < sent {
            came += receive(&*stays).await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(3), rest).await;
    sent - came
}

/// How many come within a moment.
async fn receive(subscription: &dyn Subscription) -> u64 {
    match tokio::time::timeout(Duration::from_millis(5), subscription.receive(100)).await {
        Ok(batch) => u64::try_from(batch.expect("received").len()).expect("few"),
        Err(_) => 0,
    }
}
