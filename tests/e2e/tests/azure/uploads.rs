//! Uploads, small and large, with a length and without, and what becomes of them.

use std::collections::BTreeSet;

use autopgo_e2e::process::succeed;
use autopgo_e2e::{once, profile, wait};
use autopgo_fakes::functions_host::{Invoked, Setup};
use futures_util::{StreamExt, stream};
use reqwest::Body;
use serde_json::Value;

use crate::rig::{Rig, TOPIC};

const APPS: [&str; 3] = ["checkout", "search", "cart"];
const UPLOADS: usize = 60;
const AT_ONCE: usize = 6;
/// Enough of them that their names alone are more than 4 MiB when packed.
const CALLS: usize = 50_000;

/// A profile with one call into `name`, in chunks.
fn chunks(name: &str) -> Body {
    let bytes = profile::cpu(&[("main.main", name, 1)]);
    let chunks: Vec<_> = bytes.chunks(50).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect();
    Body::wrap_stream(stream::iter(chunks))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_upload_is_merged_once_by_its_message() {
    let Some(mut rig) = Rig::new(|setup| setup).await else { return };
    rig.listen();
    let sent = stream::iter(0..UPLOADS).map(|number| {
        let (client, url) = (&rig.client, rig.profile(APPS[number % APPS.len()]));
        async move { once::upload(client, &url, once::name(number)).await }
    });
    let sent = sent.buffer_unordered(AT_ONCE).collect::<Vec<_>>();
    // Nothing of ours, in between.
    let poison = async {
        assert!(rig.bus.send(TOPIC, &"poison".into(), "checkout"));
        assert!(rig.bus.send(TOPIC, &vec![0xff, 0x00].into(), "checkout"));
        assert!(rig.bus.send(TOPIC, &r#"{"type":"profile.archived"}"#.into(), "checkout"));
    };
    let (sent, ()) = tokio::join!(sent, poison);
    assert!(sent.iter().all(Option::is_some), "not all were answered: {sent:?}");
    // As every client of the Go original sends it: a host of today hands it on as it comes.
    let late = once::name(UPLOADS);
    let answer = rig.client.post(rig.profile(APPS[0])).body(chunks(&late)).send().await.expect("answered");
    assert_eq!(answer.status(), 201);

    for (index, app) in APPS.iter().enumerate() {
        let mut names: BTreeSet<String> = (index..UPLOADS).step_by(APPS.len()).map(once::name).collect();
        if index == 0 {
            names.insert(late.clone());
        }
        let merged =
            once::merged(&rig.client, &rig.profile(app), &names, async || rig.staged(app).await).await;
        assert_eq!(merged, names.len(), "{app}");
    }
    assert_eq!(rig.settled().await, 0);
    assert_eq!(rig.written("message"), UPLOADS as u64 + 1);
    assert_eq!(rig.logged("a message was dropped").len(), 2);
    assert_eq!(rig.host.starts(), 1);
    let code = rig.host.stop_handler().await.expect("stopped");
    assert_eq!(code, Some(0), "{:#?}", rig.host.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_forwards_loses_chunks_and_the_command_goes_by_a_ticket() {
    let Some(mut rig) = Rig::new(Setup::that_forwards).await else { return };
    rig.listen();
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();

    let answer =
        rig.client.post(rig.profile("chunks")).body(chunks("upload.Chunks")).send().await.expect("answered");
    assert_eq!(answer.status(), 411);
    let failure: Value = answer.json().await.expect("JSON");
    assert!(failure["message"].as_str().is_some_and(|text| text.contains("Content-Length")), "{failure}");
    assert_eq!(rig.staged("chunks").await, 0);
    assert_eq!(rig.logged("an upload came without its body, which was sent in chunks or was empty").len(), 1);

    std::fs::write(path("small.pprof"), profile::cpu(&[("main.main", "upload.Small", 1)])).expect("written");
    let (large, calls) = profile::large(CALLS);
    std::fs::write(path("large.pprof"), &large).expect("written");
    let url = rig.url();
    for (app, file) in [("chunks", "small.pprof"), ("large", "large.pprof")] {
        let (path, url) = (path(file), url.clone());
        let key =
            tokio::task::spawn_blocking(move || succeed(&["upload", &path, "--app", app, "--api-url", &url]));
        let key = key.await.expect("uploaded");
        assert!(key.starts_with(&format!("{app}/staging/")), "{key}");
    }
    for app in ["chunks", "large"] {
        wait::until("it is merged", async || {
            let answer = rig.client.get(rig.profile(app)).send().await.ok()?;
            (answer.status() == 200 && rig.staged(app).await == 0).then_some(())
        })
        .await;
    }
    let (down, api) = (path("down.pgo"), url.clone());
    let file = down.clone();
    let downloaded = tokio::task::spawn_blocking(move || {
        succeed(&["download", "large", "--output", &file, "--api-url", &api])
    });
    downloaded.await.expect("downloaded");
    let down = std::fs::read(down).expect("downloaded");
    assert!(down.len() > 4 << 20, "{} bytes are not large", down.len());
    assert!(profile::seen(&down, "upload.") == calls, "what came down is not what went up");
    let requests = rig.logged("request");
    let paths: Vec<&str> = requests.iter().filter_map(|line| line["path"].as_str()).collect();
    assert!(paths.contains(&"/api/profile/large/uploads"), "{paths:?}");
    assert_eq!(rig.settled().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_timer_finds_what_no_message_told_of() {
    // Nobody listens to the topic.
    let Some(rig) = Rig::new(|setup| setup).await else { return };
    let names: BTreeSet<String> = (0..5).map(once::name).collect();
    for name in &names {
        assert!(once::upload(&rig.client, &rig.profile("checkout"), name.clone()).await.is_some());
    }
    wait::until("they are old enough, and swept", async || {
        let Invoked::Done(done) = rig.host.tick("sweep").await.expect("a timer") else { panic!("it failed") };
        assert_eq!(done["Outputs"], serde_json::json!({}));
        (rig.staged("checkout").await == 0).then_some(())
    })
    .await;
    let url = rig.profile("checkout");
    let merged = once::merged(&rig.client, &url, &names, async || rig.staged("checkout").await).await;
    assert_eq!(merged, names.len());
    assert_eq!((rig.written("sweep"), rig.written("message")), (names.len() as u64, 0));
}
