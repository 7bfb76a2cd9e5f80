//! Server and worker of Cloud Run as processes, over Cloud Storage and Pub/Sub that pushes: every upload is in its base
//! once, and what the worker says of its merges comes back to it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use autopgo_core::clock::System;
use autopgo_core::port::bus::{Delivery, Subscription};
use autopgo_e2e::bus::Bus;
use autopgo_e2e::process::{self, Running, call, free_address};
use autopgo_e2e::store::Store;
use autopgo_e2e::{once, skip, wait};
use autopgo_fakes::push::{Message, Shape};
use autopgo_pubsub::open::{Environment, subscription};
use futures_util::future::join_all;
use jiff::Timestamp;
use reqwest::Client;
use serde_json::json;

const APPS: [&str; 3] = ["checkout", "search", "cart"];
const UPLOADS: usize = 90;

fn program() -> &'static Path {
    static PROGRAM: OnceLock<std::path::PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| process::program("autopgo-cloudrun"))
}

async fn start(role: &str, store: &Store, writer: &str, variables: &[(&str, String)]) -> Running {
    let address = free_address();
    let mut command = call(program(), &[role]);
    command
        .env("AUTOPGO_BLOB_STORE_URL", store.url())
        .env("AUTOPGO_EVENT_WRITER_URL", writer)
        .env("PORT", address.port().to_string())
        .envs(store.variables())
        .envs(variables.iter().map(|(name, value)| (*name, value)));
    Running::start(command, address).await
}

/// Uploads, and waits until everything is merged and nothing is staged any more. No sweep helps.
async fn merged(client: &Client, server: &Running, store: &Store) {
    let mut answered: Vec<(&str, BTreeSet<String>)> =
        APPS.iter().map(|app| (*app, BTreeSet::new())).collect();
    for numbers in (0..UPLOADS).collect::<Vec<_>>().chunks(6) {
        let uploads = numbers.iter().map(|number| {
            let url = format!("{}/api/profile/{}", server.url, APPS[number % APPS.len()]);
            async move { (number % APPS.len(), once::upload(client, &url, once::name(*number)).await) }
        });
        for (app, name) in join_all(uploads).await {
            answered[app].1.insert(name.expect("answered"));
        }
    }
    for (app, names) in answered {
        let url = format!("{}/api/profile/{app}", server.url);
        let merged = once::merged(client, &url, &names, async || store.staged(app).await).await;
        assert_eq!(merged, names.len(), "{app}");
    }
}

/// What Pub/Sub does where it pushes: gives each message to the worker by a request, and takes the answer.
async fn push(subscription: Arc<dyn Subscription>, client: Client, endpoint: String) {
    while let Ok(deliveries) = subscription.receive(100).await {
        join_all(deliveries.iter().map(|delivery| pushed(&*subscription, &client, &endpoint, delivery)))
            .await;
    }
}

async fn pushed(subscription: &dyn Subscription, client: &Client, endpoint: &str, delivery: &Delivery) {
    let message = Message {
        data: delivery.body.clone(),
        attributes: Default::default(),
        key: String::new(),
        id: "1".to_owned(),
        published: Timestamp::now(),
    };
    let request = Shape::Wrapped.request(client, endpoint, &message, None).timeout(Duration::from_secs(10));
    let settled = match request.send().await {
        Ok(answer) if answer.status() == 204 => subscription.ack(delivery).await,
        _ => subscription.nack(delivery).await,
    };
    settled.expect("pstest settles");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_googles_fake_of_pubsub() {
    let Some(bus) = Bus::pubsub().await else { return };
    let (store, client) = (Store::google(), Client::new());
    let server = start("server", &store, &bus.writer, &bus.variables).await;
    let worker = start("worker", &store, &bus.writer, &bus.variables).await;
    let variables = bus.variables.clone();
    let environment = Environment::new(Arc::new(System)).with_variables(move |name| {
        variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| value.clone())
    });
    let source = subscription(&bus.reader, &environment).await.expect("a subscription");
    let pushing = tokio::spawn(push(source, client.clone(), format!("{}/", worker.url)));
    merged(&client, &server, &store).await;
    pushing.abort();
    for running in [server, worker] {
        let (code, log) = running.stop().await;
        assert_eq!(code, Some(0), "{log:#?}");
    }
}

/// Google's emulator pushes by itself. It signs nothing and keeps no deadline of ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_googles_emulator_of_pubsub() {
    let Some(emulator) = skip::server("pubsub-emulator") else { return };
    let (store, client) = (Store::google(), Client::new());
    let project = format!("push-{:016x}", fastrand::u64(..));
    let writer = format!("gcppubsub://projects/{project}/topics/profile");
    let host = ("PUBSUB_EMULATOR_HOST", emulator.trim_start_matches("http://").to_owned());
    let topic = format!("projects/{project}/topics/profile");
    let make = async |name: &str, what: serde_json::Value| {
        let answer = client.put(format!("{emulator}/v1/{name}")).json(&what).send().await.expect("answered");
        assert!(answer.status().is_success(), "{name}: {answer:?}");
    };
    make(&topic, json!({})).await;
    let variables = [host];
    let server = start("server", &store, &writer, &variables).await;
    let worker = start("worker", &store, &writer, &variables).await;
    make(
        &format!("projects/{project}/subscriptions/worker"),
        json!({
            "topic": topic,
            "ackDeadlineSeconds": 10,
            "pushConfig": {"pushEndpoint": format!("{}/", worker.url)},
        }),
    )
    .await;
    merged(&client, &server, &store).await;
    wait::until("uploads and merges were both pushed", async || {
        let answers = worker.log().iter().filter(|line| line.contains("\"status\":204")).count();
        (answers >= 2 * UPLOADS).then_some(())
    })
    .await;
    for running in [server, worker] {
        let (code, log) = running.stop().await;
        assert_eq!(code, Some(0), "{log:#?}");
    }
}
