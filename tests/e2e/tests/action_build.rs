//! A build with what the action fetched, by a real Go toolchain.

use std::path::Path;
use std::process::Command;

use autopgo_e2e::paths::root;
use autopgo_e2e::process::{local, succeed};
use autopgo_e2e::runner::{Action, Cache};
use autopgo_e2e::{profile, skip, wait};

fn go(go: &str, folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(go).args(arguments).current_dir(folder).output().expect("go runs");
    assert!(output.status.success(), "go {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_flag_that_the_action_gives_builds_with_and_without_a_profile() {
    let Some(toolchain) = skip::go() else { return };
    if !skip::curl() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let house = local(&folder.path().join("data"), &[]).await;
    let (action, mut cache) =
        (Action::read(root().canonicalize().expect("there").join("infra/ci/github")), Cache::default());
    let inputs = [("app", "service"), ("api-url", house.url.as_str())];
    let service = root().join("tests/oracle/service");
    let binary = folder.path().join("service");
    let build = |flag: &str| {
        go(&toolchain, &service, &["build", "-trimpath", flag, "-o", binary.to_str().expect("UTF-8"), "."]);
        go(&toolchain, &service, &["version", "-m", binary.to_str().expect("UTF-8")])
    };

    let without = action.run(&mut cache, &inputs).await;
    assert!(!build(&without.outputs["flag"]).contains("-pgo="), "{:?}", without.outputs);

    let upload = folder.path().join("cpu.pprof");
    std::fs::write(&upload, profile::cpu(&[("main.serveWork", "main.work", 9)])).expect("written");
    succeed(&["upload", upload.to_str().expect("UTF-8"), "--app", "service", "--api-url", &house.url]);
    let with = wait::until("a profile", async || {
        let ran = action.run(&mut cache, &inputs).await;
        (ran.outputs["found"] == "true").then_some(ran)
    })
    .await;
    // With -trimpath it has the file's name alone.
    assert!(build(&with.outputs["flag"]).contains("-pgo=default.pgo"), "{:?}", with.outputs);
    let (code, log) = house.stop().await;
    assert_eq!(code, Some(0), "{log:#?}");
}
