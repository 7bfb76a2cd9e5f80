//! What a newcomer does first: the demo in one terminal, `list` and `download` in another.

use autopgo_e2e::process::{Running, autopgo, free_address, run, succeed};
use autopgo_e2e::wait;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_brings_uploads_merges_and_a_profile_that_grows() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, output) = (folder.path().join("data"), folder.path().join("default.pgo"));
    let (data, output) = (data.to_str().expect("UTF-8"), output.to_str().expect("UTF-8"));
    let address = free_address();
    let port = address.port().to_string();
    let demo =
        Running::start(autopgo(&["local", "--demo", "--port", &port, "--data-dir", data]), address).await;
    let url = demo.url.clone();

    let app = wait::until("the demo's application is listed", async || {
        let list: serde_json::Value =
            serde_json::from_str(&succeed(&["list", "--json", "--api-url", &url])).ok()?;
        Some(list["profiles"].get(0)?["key"].as_str()?.to_owned())
    })
    .await;
    let table = succeed(&["list", "--api-url", &url]);
    assert!(table.contains(&app), "{table}");

    let edges = || {
        let call = run(&["download", &app, "--api-url", &url, "--output", output]);
        assert!(call.status.success(), "{}", String::from_utf8_lossy(&call.stderr));
        let report: serde_json::Value =
            serde_json::from_str(&succeed(&["inspect", "--json", output])).expect("json");
        report["pgo"]["edges"].as_u64().expect("a number of edges")
    };
    let first = edges();
    assert!(first > 100, "{first} edges");
    wait::until("the base profile grows", async || (edges() > first).then_some(())).await;

    let (code, log) = demo.stop().await;
    assert_eq!(code, Some(0), "{log:#?}");
}
