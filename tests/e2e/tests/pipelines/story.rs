//! 300 uploads and more over five applications. A worker is killed, the broker restarts, and a worker is told to stop in the
//! middle; every upload that was answered is in its base once, and nothing stays staged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use autopgo_e2e::bus::Bus;
use autopgo_e2e::once;
use autopgo_e2e::process::{Running, autopgo, free_address};
use autopgo_e2e::store::Store;
use autopgo_e2e::wait;
use futures_util::{StreamExt, stream};
use reqwest::Client;

const APPS: [&str; 5] = ["checkout", "search", "cart", "ledger", "mail"];
const UPLOADS: usize = 300;
/// Of these, sent while there is no broker: each waits until the server gives up telling it.
const UNTOLD: usize = 30;
const AT_ONCE: usize = 6;

/// What was answered with 201, by application.
type Answered = BTreeMap<&'static str, BTreeSet<String>>;

/// The story. The sweep takes what is two seconds old; that messages come through is seen by what a message alone brought.
pub(crate) async fn tell(store: &Store, bus: &Bus) {
    let client = Client::builder().timeout(Duration::from_secs(20)).build().expect("a client");
    let server = start("server", store, bus).await;
    let mut workers = vec![start("worker", store, bus).await, start("worker", store, bus).await];
    let mut answered = Answered::new();
    let third = (UPLOADS - UNTOLD) / 3;
    let mut numbers = 0..;

    upload(&client, &server, &mut answered, numbers.by_ref().take(third)).await;
    wait::until("messages reach a worker", async || (told(&workers) > 0).then_some(())).await;

    // Killed at work, with more to come.
    let before: Vec<u64> = workers.iter().map(|worker| written(worker, "message")).collect();
    let killing = async {
        let working = wait::until("a worker is at work", async || {
            workers.iter().zip(&before).position(|(worker, before)| written(worker, "message") > *before)
        });
        let working = working.await;
        workers.swap_remove(working).kill().await;
    };
    tokio::join!(killing, upload(&client, &server, &mut answered, numbers.by_ref().take(third)));
    workers.push(start("worker", store, bus).await);

    bus.broker.stop().await.expect("the broker stops");
    upload(&client, &server, &mut answered, numbers.by_ref().take(UNTOLD)).await;
    bus.broker.start().await.expect("the broker starts");
    upload(&client, &server, &mut answered, numbers.by_ref().take(third)).await;

    // The sweep would do alone: messages must come through again as well, to each of them.
    let before: Vec<u64> = workers.iter().map(|worker| written(worker, "message")).collect();
    wait::until("messages come through again", async || {
        upload(&client, &server, &mut answered, numbers.by_ref().take(2)).await;
        let hears = |(worker, before): (&Running, &u64)| written(worker, "message") > *before;
        workers.iter().zip(&before).all(hears).then_some(())
    })
    .await;
    println!("{} answered, {} told by messages", numbers.start, told(&workers));

    // Told to stop at work: it finishes, or hands back what the other then has.
    let leaving = workers.remove(0);
    let gone = AtomicBool::new(false);
    let stopping = async {
        let before = written(&leaving, "message");
        wait::until("it is at work", async || (written(&leaving, "message") > before).then_some(())).await;
        let stopped = leaving.stop().await;
        gone.store(true, Ordering::Relaxed);
        stopped
    };
    let more = async {
        while !gone.load(Ordering::Relaxed) {
            upload(&client, &server, &mut answered, numbers.by_ref().take(AT_ONCE)).await;
        }
    };
    let ((code, log), ()) = tokio::join!(stopping, more);
    assert_eq!(code, Some(0), "{log:#?}");
    let before = told(&workers);
    wait::until("the other goes on", async || {
        upload(&client, &server, &mut answered, numbers.by_ref().take(1)).await;
        (told(&workers) > before).then_some(())
    })
    .await;

    assert_eq!(answered.values().map(BTreeSet::len).sum::<usize>(), numbers.start, "not all were answered");
    for (app, names) in &answered {
        let url = format!("{}/api/profile/{app}", server.url);
        let merged = once::merged(&client, &url, names, async || store.staged(app).await).await;
        assert_eq!(merged, names.len(), "{app}");
    }
    for running in workers.into_iter().chain([server]) {
        let (code, log) = running.stop().await;
        assert_eq!(code, Some(0), "{log:#?}");
    }
}

/// `server` or `worker` on this store and this bus.
async fn start(command: &str, store: &Store, bus: &Bus) -> Running {
    let address = free_address();
    let port = address.port().to_string();
    let store_url = store.url();
    let mut arguments =
        vec![command, "--blob-store-url", &store_url, "--event-writer-url", &bus.writer, "--port", &port];
    if command == "worker" {
        arguments.extend(["--event-reader-url", &bus.reader, "--sweep-every", "1s", "--sweep-after", "2s"]);
    }
    let mut command = autopgo(&arguments);
    command.envs(store.variables()).envs(bus.variables.iter().cloned());
    Running::start(command, address).await
}

/// Sends a profile for each of `numbers`, to the applications in turn.
async fn upload(
    client: &Client,
    server: &Running,
    answered: &mut Answered,
    numbers: impl Iterator<Item = usize>,
) {
    let sent = stream::iter(numbers).map(|number| async move {
        let app = APPS[number % APPS.len()];
        let url = format!("{}/api/profile/{app}", server.url);
        (app, once::upload(client, &url, once::name(number)).await)
    });
    let mut sent = sent.buffer_unordered(AT_ONCE);
    while let Some((app, name)) = sent.next().await {
        answered.entry(app).or_default().extend(name);
    }
}

/// How many uploads these have merged because a message told of them.
fn told(workers: &[Running]) -> u64 {
    workers.iter().map(|worker| written(worker, "message")).sum()
}

/// How many uploads a worker has written into bases that were found by a message, or by a sweep.
fn written(worker: &Running, by: &str) -> u64 {
    let lines = worker.log();
    let lines = lines.iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let written = lines.filter(|line| line["message"] == "base profile written" && line["by"] == by);
    written.filter_map(|line| line["uploads"].as_u64()).sum()
}
