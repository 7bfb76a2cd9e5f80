//! A profile of some 60 MB, 200 MB unpacked, up and down by URLs that MinIO's credentials signed: past the server, and
//! through a command that never holds it.

use autopgo_e2e::process::{autopgo, binary, call, measured};
use autopgo_e2e::requests::{asked, counts, merged};
use autopgo_e2e::s3::Bucket;
use autopgo_e2e::{profile, skip};
use autopgo_pprof::{Edges, Limits, Profile, gzip};

use crate::{server, worker};

/// What Lambda answers at the most, less base64 (`AUTOPGO_DOWNLOAD_CAP_BYTES` of such a server).
const LAMBDA: &str = "4600000";
const MB: u64 = 1_000_000;

fn identity(bytes: &[u8]) -> String {
    let profile = Profile::parse(bytes, &Limits::default()).expect("a profile");
    Edges::of(&profile).expect("edges").identity().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_of_60_mb_goes_up_and_down_past_the_server_in_little_memory() {
    let Some(bucket) = Bucket::new().await else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (raw, packed, expected) = {
        let raw = profile::huge();
        let packed = gzip::deflate(&raw);
        std::fs::write(path("huge.pprof"), &packed).expect("written");
        (raw.len() as u64, packed.len() as u64, identity(&packed))
    };
    assert!(
        (190 * MB..220 * MB).contains(&raw) && (55 * MB..64 << 20).contains(&packed),
        "{raw} B, {packed} B"
    );

    let serving = server(&bucket.url, &[("AUTOPGO_DOWNLOAD_CAP_BYTES", LAMBDA)]).await;
    let url = serving.url.clone();
    let (_, idle) = measured(autopgo(&["list", "--api-url", &url])).await;
    let resting = serving.peak_memory();
    let up = autopgo(&["upload", &path("huge.pprof"), "--app", "huge", "--api-url", &url]);
    let (key, uploading) = measured(up).await;
    assert!(key.starts_with("huge/staging/"), "{key}");
    let served = serving.peak_memory() - resting;

    let working = worker(&bucket.url).await;
    merged(&url, "huge").await;
    let down = autopgo(&["download", "huge", "--output", &path("down.pgo"), "--api-url", &url]);
    let (_, downloading) = measured(down).await;
    assert_eq!(identity(&std::fs::read(path("down.pgo")).expect("downloaded")), expected);
    assert_eq!(working.stop().await.0, Some(0));
    let (code, log) = serving.stop().await;
    assert_eq!(code, Some(0), "{log:#?}");
    let steps = [("POST ticket: 200", 1), ("POST completion: 201", 1), ("GET profile: 307", 1)];
    assert_eq!(asked(&log, "huge"), counts(&steps));
    assert!(bucket.keys("huge/incoming/").await.is_empty());
    assert!(!log.iter().any(|line| line.contains("X-Amz-Signature")), "the log has a signature");

    println!(
        "{packed} B, {raw} B unpacked; the command: idle {idle}, uploading {uploading}, downloading {downloading}; \
         the server: idle {resting}, {served} above it"
    );
    for (doing, most) in [("uploading", uploading), ("downloading", downloading)] {
        assert!(most < idle + (32 << 20), "{doing} took {most} B, idling {idle} B");
    }
    assert!(
        served < packed + raw * 3 / 2,
        "above its idle the server took {served} B for {packed} B, {raw} B unpacked"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_looks_sees_it_move() {
    let Some(bucket) = Bucket::new().await else { return };
    if !skip::script() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    std::fs::write(path("large.pprof"), profile::large(50_000).0).expect("written");
    // Over six megabytes, of which buffers may take two at once; the rest takes seconds.
    let serving = server(&bucket.slow_url(1_500_000).await, &[]).await;
    let (command, file) = (binary().display(), path("large.pprof"));
    let line = format!("'{command}' upload '{file}' --app seen --api-url {}", serving.url);
    let mut script = call("script", &["--quiet", "--return", "--command", &line, &path("seen")]);
    script.env("TERM", "xterm");
    measured(script).await;
    let seen = std::fs::read_to_string(path("seen")).expect("what was seen");
    let drawn = seen.matches("uploading ").count();
    assert!(drawn >= 2 && seen.contains("MiB/s") && seen.contains("=>"), "{seen}");
    assert!(seen.contains("seen/staging/"), "{seen}");
    assert_eq!(serving.stop().await.0, Some(0));
}
