//! `kill -9` at random moments, of the server or of a worker, while the others go on.

use std::collections::BTreeSet;
use std::time::Duration;

use autopgo_e2e::s3::Bucket;
use autopgo_e2e::{once, seed};
use futures_util::{StreamExt, stream};

use crate::{server, worker};

const UPLOADS: usize = 400;
const KILLS: usize = 16;
const AT_ONCE: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answered_upload_is_merged_once_though_server_and_workers_are_killed() {
    let Some(bucket) = Bucket::new().await else { return };
    let mut random = seed::random();
    let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().expect("a client");
    let mut serving = server(&bucket.url, &[]).await;
    let mut workers = vec![worker(&bucket.url).await, worker(&bucket.url).await];

    let mut answered = BTreeSet::new();
    let mut names: Vec<String> = (0..UPLOADS).map(once::name).collect();
    for _ in 0..KILLS {
        let batch = names.split_off(names.len() - UPLOADS / KILLS);
        let url = format!("{}/api/profile/crash", serving.url);
        let cut = random.usize(1..batch.len());
        let mut uploads =
            stream::iter(batch).map(|name| once::upload(&client, &url, name)).buffer_unordered(AT_ONCE);
        for _ in 0..cut {
            answered.extend(uploads.next().await.flatten());
        }
        // What is under way now may have been accepted or not, and nobody was told.
        match random.usize(0..3) {
            2 => {
                serving.kill().await;
                drop(uploads);
                serving = server(&bucket.url, &[]).await;
            }
            which => {
                workers.swap_remove(which).kill().await;
                answered.extend(uploads.filter_map(async |upload| upload).collect::<Vec<_>>().await);
                workers.push(worker(&bucket.url).await);
            }
        }
    }
    assert!(answered.len() > UPLOADS / 4, "only {} uploads were answered", answered.len());
    let url = format!("{}/api/profile/crash", serving.url);
    let left = async || bucket.keys("crash/staging/").await.len();
    let merged = once::merged(&client, &url, &answered, left).await;
    println!("{} answered, {merged} merged of {UPLOADS}", answered.len());
    for running in workers.into_iter().chain([serving]) {
        let (code, log) = running.stop().await;
        assert_eq!(code, Some(0), "{log:#?}");
    }
}
