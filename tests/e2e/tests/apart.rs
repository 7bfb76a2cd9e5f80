//! A server and two workers as processes of their own over one folder. No event reaches the workers, for a bus in
//! memory ends at its process: the sweep finds everything, and both workers sweep at once. One of them is killed.

use std::collections::BTreeSet;

use autopgo_e2e::process::{Running, autopgo, free_address};
use autopgo_e2e::{once, wait};

const UPLOADS: usize = 60;

async fn start(command: &str, store: &str, more: &[&str]) -> Running {
    let address = free_address();
    let port = address.port().to_string();
    let arguments = [command, "--blob-store-url", store, "--event-writer-url", "mem://none", "--port", &port];
    Running::start(autopgo(&[&arguments[..], more].concat()), address).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_sweep_one_folder_and_merge_each_upload_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("file://{}", folder.path().to_str().expect("UTF-8"));
    let server = start("server", &store, &[]).await;
    let sweeping = ["--event-reader-url", "mem://none", "--sweep-every", "300ms", "--sweep-after", "500ms"];
    let first = start("worker", &store, &sweeping).await;
    let second = start("worker", &store, &sweeping).await;

    let client = reqwest::Client::new();
    let url = format!("{}/api/profile/apart", server.url);
    let mut first = Some(first);
    let mut answered = BTreeSet::new();
    for number in 0..UPLOADS {
        answered.insert(once::upload(&client, &url, once::name(number)).await.expect("answered"));
        if number == UPLOADS / 2
            && let Some(first) = first.take()
        {
            // It is busy by now: what was uploaded first is old enough to be swept.
            wait::until("something is merged", async || {
                client.get(&url).send().await.ok()?.error_for_status().ok()
            })
            .await;
            first.kill().await;
        }
    }
    let staging = folder.path().join("apart/staging");
    assert_eq!(once::merged(&client, &url, &answered, async || once::files(&staging)).await, UPLOADS);
    for running in [server, second] {
        let (code, log) = running.stop().await;
        assert_eq!(code, Some(0), "{log:#?}");
    }
}
