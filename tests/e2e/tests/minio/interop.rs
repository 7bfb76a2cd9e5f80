//! A bucket that the Go original wrote: keys of nanoseconds, gzip content types, multipart `ETag`s.

use autopgo_e2e::paths::fixture;
use autopgo_e2e::s3::Bucket;
use autopgo_e2e::{profile, wait};
use autopgo_pprof::{Edges, Limits, Profile, gzip, merge};

use crate::{server, worker};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_original_left_is_served_and_merged() {
    let Some(bucket) = Bucket::new().await else { return };
    let read = |name: &str| std::fs::read(fixture(name)).expect("a profile");
    let (base, upload) = (read("rclone-full.pprof"), read("rclone.pgo"));
    bucket.put_as_go("legacy/default.pgo", &base).await;
    let serving = server(&bucket.url, &[]).await;

    // Served as it is: the first worker of ours has not seen it yet.
    let url = format!("{}/api/profile/legacy", serving.url);
    let answer = reqwest::get(&url).await.expect("answered");
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().contains_key("etag"));
    assert!(answer.bytes().await.expect("a body") == base, "it was changed on its way");
    let listed = reqwest::get(format!("{}/api/profile", serving.url)).await.expect("answered");
    assert!(listed.text().await.expect("text").contains("\"key\":\"legacy\""));

    // Merged with what the original accepted and never merged, one file with a name of two functions of its own.
    let own = gzip::deflate(&profile::cpu(&[("main.main", "upload.F000", 1)]));
    bucket.put_as_go("legacy/staging/1730075435311000000", &upload).await;
    bucket.put_as_go("legacy/staging/1730075435311000001", &own).await;
    let working = worker(&bucket.url).await;
    wait::until("all is merged", async || bucket.keys("legacy/staging/").await.is_empty().then_some(()))
        .await;
    let bytes = reqwest::get(&url).await.expect("answered").bytes().await.expect("a body");
    let parse = |bytes: &[u8]| Profile::parse(bytes, &Limits::default()).expect("a profile");
    let identity = |profile: &Profile| Edges::of(profile).expect("edges").identity().to_string();
    let expected = merge(&[&parse(&base), &parse(&upload), &parse(&own)]).expect("merged");
    assert_eq!(identity(&parse(&bytes)), identity(&expected));

    for running in [serving, working] {
        let (code, log) = running.stop().await;
        assert_eq!(code, Some(0), "{log:#?}");
    }
}
