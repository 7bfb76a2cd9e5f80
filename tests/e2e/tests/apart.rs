//! A server and two workers as processes of their own over one folder. No event reaches the workers, for a bus in
//! memory ends at its process: the sweep finds everything, and both workers sweep at once. One of them is killed.

use autopgo_e2e::process::{Running, autopgo, free_address};
use autopgo_e2e::{profile, wait};

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
    for number in 0..UPLOADS {
        let body = profile::cpu(&[("main.main", &format!("upload.F{number:03}"), 1)]);
        let answer = client.post(&url).body(body).send().await.expect("answered");
        assert_eq!(answer.status(), 201);
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
    let seen = wait::until("every upload is merged", async || {
        let bytes = client.get(&url).send().await.ok()?.error_for_status().ok()?.bytes().await.ok()?;
        let seen = profile::seen(&bytes, "upload.");
        (seen.len() == UPLOADS).then_some(seen)
    })
    .await;
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");
    let staging = folder.path().join("apart/staging");
    wait::until("staging is empty", async || {
        let left = std::fs::read_dir(&staging).map_or(0, |entries| {
            entries
                .filter_map(Result::ok)
                .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
                .count()
        });
        (left == 0).then_some(())
    })
    .await;
    let bytes = client.get(&url).send().await.expect("answered").bytes().await.expect("a profile");
    assert_eq!(profile::seen(&bytes, "upload."), seen);
    for running in [server, second] {
        let (code, log) = running.stop().await;
        assert_eq!(code, Some(0), "{log:#?}");
    }
}
