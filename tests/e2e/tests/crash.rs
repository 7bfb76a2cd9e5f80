//! `kill -9` at random moments: what was answered with 201 is merged exactly once, what was not at most once.

use std::collections::BTreeSet;
use std::time::Duration;

use autopgo_e2e::once;
use autopgo_e2e::process::local;
use autopgo_e2e::seed;
use futures_util::{StreamExt, stream};

const UPLOADS: usize = 500;
const KILLS: usize = 20;
/// Enough uploads under way at once that some are caught in the middle.
const AT_ONCE: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answered_upload_is_merged_once_however_often_the_process_is_killed() {
    let mut random = seed::random();
    let folder = tempfile::tempdir().expect("a folder");
    let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().expect("a client");

    let mut answered = BTreeSet::new();
    let mut names: Vec<String> = (0..UPLOADS).map(once::name).rev().collect();
    for round in 0..=KILLS {
        let running = local(folder.path(), &[]).await;
        let share = if round == KILLS { names.len() } else { UPLOADS / (KILLS + 1) };
        let batch: Vec<String> = names.split_off(names.len() - share.min(names.len()));
        let url = format!("{}/api/profile/crash", running.url);
        let mut uploads =
            stream::iter(batch).map(|name| once::upload(&client, &url, name)).buffer_unordered(AT_ONCE);
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
        let staging = folder.path().join("crash/staging");
        let merged = once::merged(&client, &url, &answered, async || once::files(&staging)).await;
        println!("{} answered, {merged} merged of {UPLOADS}", answered.len());
        assert_eq!(running.stop().await.0, Some(0));
        return;
    }
}
