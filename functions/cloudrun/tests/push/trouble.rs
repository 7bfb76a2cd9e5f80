//! A store that is away, a worker that is killed, a merge that takes longer than its request.

use std::time::Duration;

use autopgo_conformance::brokers::Cable;
use autopgo_conformance::bus::Broker;
use autopgo_e2e::process::Running;
use autopgo_e2e::{profile, seed, slow, wait};

use crate::rig::{Store, Uploads, push_to, said, service, stop};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_merged_comes_again_until_the_store_is_back() {
    let store = Store::google();
    let mut uploads = Uploads::on(&store).await;
    let cable = Cable::to(store.address()).await.expect("a port");
    let (command, address) = service("worker", &store, Some(cable.address()));
    let worker = Running::start(command, address).await;
    let push = push_to(&worker, |setup| setup.ack_deadline = Duration::from_secs(60));
    push.publish(uploads.next().await, "");
    uploads.are_merged_once_by(&push).await;

    cable.stop().await.expect("cut");
    for _ in 0..3 {
        push.publish(uploads.next().await, "");
    }
    let refused = wait::until("messages are handed back", async || {
        let refused = push.deliveries().into_iter().filter(|delivery| delivery.answer == Some(503));
        Some(refused.count()).filter(|count| *count > 0)
    })
    .await;
    println!("{refused} handed back at first");
    cable.start().await.expect("connected");
    uploads.are_merged_once_by(&push).await;
    let log = stop(worker).await;
    assert!(said(&log, "a message is handed back") > 0, "{log:#?}");
    uploads.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_worker_had_comes_to_the_next() {
    const KILLS: usize = 6;
    const UPLOADS: usize = 25;
    let mut random = seed::random();
    let store = Store::folder();
    let mut uploads = Uploads::on(&store).await;
    let (mut command, address) = service("worker", &store, None);
    let mut worker = Running::start(command, address).await;
    let push = push_to(&worker, |_| {});
    for _ in 0..KILLS {
        let before = push.deliveries().len();
        for _ in 0..UPLOADS {
            push.publish(uploads.next().await, "");
        }
        // With the rest of them under way.
        let ended = before + random.usize(1..UPLOADS / 2);
        wait::until("some are answered", async || (push.deliveries().len() >= ended).then_some(())).await;
        worker.kill().await;
        // Another one takes its place.
        (command, _) = service("worker", &store, None);
        command.env("PORT", address.port().to_string());
        worker = Running::start(command, address).await;
    }
    uploads.are_merged_once_by(&push).await;
    let deliveries = push.deliveries();
    println!("{} deliveries of {} messages", deliveries.len(), KILLS * UPLOADS);
    stop(worker).await;
    uploads.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_that_outlasts_its_request_is_done_once() {
    let store = Store::google();
    let uploads = Uploads::on(&store).await;
    // Some 400 KB, at 100 KB a second: four seconds.
    let way = slow::line_to(store.address(), 100 << 10).await;
    let (command, address) = service("worker", &store, Some(way));
    let worker = Running::start(command, address).await;
    let push = push_to(&worker, |setup| setup.ack_deadline = Duration::from_secs(1));
    let (large, expected) = profile::large(4000);
    push.publish(uploads.of(large).await, "");
    wait::until("it is acknowledged in the end", async || (push.outstanding() == 0).then_some(())).await;
    let deliveries = push.deliveries();
    assert!(deliveries.len() > 1 && deliveries[0].answer.is_none(), "{deliveries:?}");
    assert_eq!(profile::seen(&uploads.base().await.expect("a base"), "upload."), expected);
    let log = stop(worker).await;
    assert_eq!(said(&log, "base profile written"), 1, "begun once, and gone on with: {log:#?}");
    uploads.stop().await;
}
