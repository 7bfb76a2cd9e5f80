//! `infra/compose.yaml` without containers: what it tells each service is told to the same programs here, on a real MinIO and
//! a real NATS, so that it cannot rot. And what it denies each of them is read.

#[path = "compose/file.rs"]
mod file;
#[path = "compose/town.rs"]
mod town;

use autopgo_e2e::process::{autopgo, call};
use autopgo_e2e::{paths, skip, wait};
use serde_json::Value;

use file::Compose;
use town::Town;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_goes_in_and_comes_out_merged() {
    let (Some(minio), Some(mc), Some(nats)) = (
        skip::server("minio"),
        skip::variable("mc", "AUTOPGO_TEST_MC"),
        skip::variable("nats-server", "AUTOPGO_TEST_NATS_SERVER"),
    ) else {
        return;
    };
    let town = Town::start(&minio, &mc, &nats).await;
    let (server, worker) = (town.run("server").await, town.run("worker").await);
    for running in [&server, &worker] {
        let health = reqwest::get(format!("{}/api/health", running.url)).await.expect("answered");
        assert_eq!(health.status(), 200, "{:?}", health.text().await);
    }
    let profile = paths::fixture("hello-app/a-2.pprof").display().to_string();
    let fetched = town.folder().join("default.pgo").display().to_string();
    let ask = |token: &str, arguments: &[&str]| {
        let token = town.folder().join("compose").join(token).display().to_string();
        let more = ["--api-url", &server.url, "--token-file", &token];
        autopgo(&[arguments, &more].concat()).output().expect("autopgo starts")
    };
    let no_token = autopgo(&["list", "--api-url", &server.url]).output().expect("autopgo starts");
    assert_eq!(no_token.status.code(), Some(4));
    assert!(ask("ci.token", &["upload", &profile, "--app", "uploaded"]).status.success());
    wait::until("it is merged", async || {
        ask("ci.token", &["download", "uploaded", "--output", &fetched]).status.success().then_some(())
    })
    .await;
    // The sweep takes what is five minutes old: it was the bus.
    let log = worker.log();
    let written = log.iter().find(|line| line.contains("base profile written")).expect("it was written");
    assert!(written.contains("\"by\":\"message\""), "{written}");

    let scraper = town.scraper(&server, profile.as_ref()).await;
    wait::until("what was sampled is merged", async || {
        ask("ci.token", &["download", town::SAMPLED, "--output", &fetched]).status.success().then_some(())
    })
    .await;

    assert_eq!(ask("ci.token", &["delete", "uploaded"]).status.code(), Some(4));
    assert!(ask("admin.token", &["delete", "uploaded"]).status.success());
    town.user_may_do_nothing_else().await;
    for running in [scraper, server, worker] {
        let (code, log) = running.stop().await;
        assert_eq!(code, Some(0), "{log:#?}");
        for secret in town.secrets() {
            assert!(!log.iter().any(|line| line.contains(secret)), "a secret is in the log: {log:#?}");
        }
    }
}

#[test]
fn every_container_is_confined() {
    let compose = Compose::read();
    for (name, service) in compose.services() {
        let is = |path: &str, value: Value| assert_eq!(service[path], value, "{name}: {path}");
        is("read_only", Value::Bool(true));
        is("cap_drop", serde_json::json!(["ALL"]));
        is("security_opt", serde_json::json!(["no-new-privileges:true"]));
        assert!(service["privileged"].is_null() && service["pid"].is_null(), "{name}");
        // One gives the volumes to the others, and has neither a network nor anything else to do.
        let owner = name == "owner";
        assert_eq!(service["cap_add"].is_null(), !owner, "{name}");
        is("user", Value::from(if owner { "0:0" } else { "65532:65532" }));
        if owner {
            is("network_mode", Value::from("none"));
        }
        // What runs on is asked how it is.
        assert_eq!(service["restart"] == "no", service["healthcheck"].is_null(), "{name}");
        for port in service["ports"].as_array().into_iter().flatten() {
            assert!(port.as_str().expect("text").starts_with("127.0.0.1:"), "{name}: {port}");
        }
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let volume = volume.as_str().expect("text");
            let (from, _) = volume.split_once(':').expect("a place");
            // A file of the repository is read and no more.
            assert!(!from.starts_with('.') || volume.ends_with(":ro"), "{name}: {volume}");
        }
        // No secret is in the file: each comes from what was made up.
        for (variable, value) in service["environment"].as_object().into_iter().flatten() {
            let secret = ["SECRET", "PASSWORD", "TOKEN"].iter().any(|part| variable.contains(part));
            let value = value.as_str().expect("text");
            assert!(!secret || value.starts_with("${"), "{name}: {variable}={value}");
        }
    }
}

#[test]
fn secrets_are_made_once_and_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let make = || {
        let script = paths::root().join("infra/compose/secrets");
        call(script, &[folder.path().to_str().expect("UTF-8")]).output().expect("it starts")
    };
    assert!(make().status.success());
    let files = [".env", "compose/ci.token", "compose/admin.token"].map(|name| folder.path().join(name));
    let before = files.each_ref().map(|file| std::fs::read_to_string(file).expect("made"));
    for file in &files {
        let mode = std::fs::metadata(file).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
    let again = make();
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("is there already"));
    assert_eq!(files.each_ref().map(|file| std::fs::read_to_string(file).expect("there")), before);
}
