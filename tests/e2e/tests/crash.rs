//! `kill -9` at random moments: what was answered with 201 is merged exactly once, what was not at most once.

use std::collections::BTreeSet;
use std::time::Duration;

use autopgo_e2e::process::local;
use autopgo_e2e::{profile, wait};
use futures_util::{StreamExt, stream};

const UPLOADS: usize = 500;
const KILLS: usize = 20;
/// Enough uploads under way at once that some are caught in the middle.
const AT_ONCE: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answered_upload_is_merged_once_however_often_the_process_is_killed() {
    let seed = std::env::var("AUTOPGO_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    println!("AUTOPGO_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().expect("a client");

    let mut answered = BTreeSet::new();
    let mut names = (0..UPLOADS).map(|number| format!("upload.F{number:03}")).collect::<Vec<_>>();
    names.reverse();
    for round in 0..=KILLS {
        let running = local(folder.path(), &[]).await;
        let share = if round == KILLS { names.len() } else { UPLOADS / (KILLS + 1) };
        let batch: Vec<String> = names.split_off(names.len() - share.min(names.len()));
        let url = format!("{}/api/profile/crash", running.url);
        let mut uploads = stream::iter(batch)
            .map(|name| {
                let request = client.post(&url).body(profile::cpu(&[("main.main", &name, 1)]));
                async move { request.send().await.is_ok_and(|answer| answer.status() == 201).then_some(name) }
            })
            .buffer_unordered(AT_ONCE);
        // The last round runs to its end, the others are cut off after some of their answers: what is under way then
        // may have been accepted or not, and nobody was told.
        let cut = if round == KILLS { usize::MAX } else { random.usize(1..share) };
        let mut answers = 0;
        while answers < cut
            && let Some(upload) = uploads.next().await
        {
            answered.extend(upload);
            answers += 1;
        }
        if round < KILLS {
            running.kill().await;
            continue;
        }
        drop(uploads);
        assert!(answered.len() > UPLOADS / 4, "only {} uploads were answered", answered.len());
        let url = format!("{url}?form=compact");
        wait::within(Duration::from_secs(120), "every answered upload is merged", async || {
            let bytes = client.get(&url).send().await.ok()?.error_for_status().ok()?.bytes().await.ok()?;
            let seen = profile::seen(&bytes, "upload.");
            answered.iter().all(|name| seen.contains_key(name)).then_some(())
        })
        .await;
        // Whatever was staged by somebody who got no answer is merged by now or never: staging is empty.
        let staging = folder.path().join("crash/staging");
        wait::until("staging is empty", async || {
            let staged = std::fs::read_dir(&staging).map_or(0, |entries| {
                entries
                    .filter_map(Result::ok)
                    .filter(|entry| entry.file_name().as_encoded_bytes()[0] != b'.')
                    .count()
            });
            (staged == 0).then_some(())
        })
        .await;
        let bytes = client.get(&url).send().await.expect("answered").bytes().await.expect("a profile");
        let seen = profile::seen(&bytes, "upload.");
        let wrong: Vec<_> = seen.iter().filter(|(_, times)| **times != 1).collect();
        assert!(wrong.is_empty(), "merged more than once: {wrong:?}");
        let missing: Vec<_> = answered.iter().filter(|name| !seen.contains_key(*name)).collect();
        assert!(missing.is_empty(), "answered and lost: {missing:?}");
        println!("{} answered, {} merged of {UPLOADS}", answered.len(), seen.len());
        assert_eq!(running.stop().await.0, Some(0));
        return;
    }
}
