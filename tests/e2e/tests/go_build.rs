//! The whole way with a real Go service: it runs under load, is scraped, its profile is downloaded and built with. What
//! comes out is what google/pprof and the Go toolchain make of the same captures.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use autopgo_e2e::paths::root;
use autopgo_e2e::process::{autopgo, free_address, local, succeed};
use autopgo_e2e::{process, skip, wait};
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::routing::get;
use tokio::io::{AsyncBufReadExt, BufReader};

/// How many captures the story waits for.
const CAPTURES: usize = 3;

fn go(go: &str, folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(go).args(arguments).current_dir(folder).output().expect("go runs");
    assert!(output.status.success(), "go {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

#[derive(Clone)]
struct Recorder {
    target: String,
    captures: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// Stands between the scraper and the service and keeps a copy of each profile that goes through.
async fn record(State(recorder): State<Recorder>, RawQuery(query): RawQuery) -> Vec<u8> {
    let url = format!("{}/debug/pprof/profile?{}", recorder.target, query.unwrap_or_default());
    let body =
        reqwest::get(url).await.expect("the service answers").bytes().await.expect("a profile").to_vec();
    recorder.captures.lock().expect("not poisoned").push(body.clone());
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_is_scraped_and_built_with_its_own_profile() {
    let Some(toolchain) = skip::go() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let (service, oracle) = (root().join("tests/oracle/service"), root().join("tests/oracle"));

    let plain = at("plain");
    go(&toolchain, &service, &["build", "-pgo=off", "-trimpath", "-o", text(&plain), "."]);
    let mut running = tokio::process::Command::new(&plain)
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the service starts");
    let mut lines = BufReader::new(running.stdout.take().expect("a pipe")).lines();
    let address = lines.next_line().await.expect("read").expect("an address");
    let target = if address.starts_with("http") { address } else { format!("http://{address}") };

    let load = {
        let url = format!("{target}/work?rounds=200");
        tokio::spawn(async move {
            let client = reqwest::Client::new();
            // Ends with the story; the bound is for one that hangs.
            for _ in 0..1_000_000 {
                if client.get(&url).send().await.is_err() {
                    break;
                }
            }
        })
    };

    let recorder = Recorder { target, captures: Arc::default() };
    let listener = tokio::net::TcpListener::bind(free_address()).await.expect("a port");
    let proxy = format!("http://{}", listener.local_addr().expect("an address"));
    let router = Router::new().route("/debug/pprof/profile", get(record)).with_state(recorder.clone());
    let proxying = tokio::spawn(async move { axum::serve(listener, router).await });

    let data = at("data");
    let house = local(&data, &[]).await;
    let config = at("targets.json");
    std::fs::write(&config, format!("[{{\"address\": \"{proxy}\"}}] // the service")).expect("written");
    let port = free_address();
    let scrape = ["scrape", text(&config), "--api-url", &house.url, "--app", "service", "--sample-size", "1"];
    let more = ["--frequency", "1s", "--duration", "2s", "--port", &port.port().to_string()];
    let scraper = process::Running::start(autopgo(&[&scrape[..], &more[..]].concat()), port).await;

    wait::until("enough captures", async || {
        (recorder.captures.lock().expect("not poisoned").len() >= CAPTURES).then_some(())
    })
    .await;
    let (code, log) = scraper.stop().await;
    assert_eq!(code, Some(0), "{log:#?}");
    load.abort();
    proxying.abort();

    // Which of the captures arrived, the scraper's log says: the last one may have been cut off by the stop.
    let uploaded = log.iter().filter(|line| line.contains("profile uploaded")).count();
    assert!(uploaded >= CAPTURES - 1, "{log:#?}");
    let captures: Vec<PathBuf> = recorder.captures.lock().expect("not poisoned")[..uploaded]
        .iter()
        .enumerate()
        .map(|(number, bytes)| {
            let path = at(&format!("capture-{number}.pprof"));
            std::fs::write(&path, bytes).expect("written");
            path
        })
        .collect();

    let merged = at("merged.pprof");
    let paths: Vec<&str> = captures.iter().map(|path| text(path)).collect();
    go(&toolchain, &oracle, &[&["run", ".", "merge", text(&merged)], &paths[..]].concat());
    let expected = go(&toolchain, &oracle, &["run", ".", "preprofile", text(&merged)]);

    let downloaded = at("default.pgo");
    let inspected = wait::until("all captures merged", async || {
        let call = ["download", "service", "--api-url", &house.url, "--output", text(&downloaded)];
        if !process::run(&call).status.success() {
            return None;
        }
        let report: serde_json::Value =
            serde_json::from_str(&succeed(&["inspect", "--json", text(&downloaded)])).expect("json");
        let identity = report["pgo"]["identity"].as_str().expect("an identity").to_owned();
        (identity == expected).then_some(identity)
    })
    .await;
    assert_eq!(inspected, expected);
    assert_eq!(go(&toolchain, &oracle, &["run", ".", "preprofile", text(&downloaded)]), expected);

    let compact = at("compact.pgo");
    succeed(&["download", "service", "--api-url", &house.url, "--compact", "--output", text(&compact)]);
    assert_eq!(go(&toolchain, &oracle, &["run", ".", "preprofile", text(&compact)]), expected);

    // The same name for both, for the name is in the binary.
    let mut binaries = Vec::new();
    for profile in [&downloaded, &compact] {
        let input = at("input").join("default.pgo");
        std::fs::create_dir_all(at("input")).expect("a folder");
        std::fs::copy(profile, &input).expect("copied");
        let built = at("optimized");
        go(
            &toolchain,
            &service,
            &["build", &format!("-pgo={}", text(&input)), "-trimpath", "-o", text(&built), "."],
        );
        assert!(go(&toolchain, &service, &["version", "-m", text(&built)]).contains("-pgo="));
        binaries.push(std::fs::read(&built).expect("a binary"));
    }
    assert!(binaries[0] == binaries[1], "the compacted profile builds another binary");
    assert!(binaries[0] != std::fs::read(&plain).expect("a binary"), "the profile changed nothing");
    assert_eq!(house.stop().await.0, Some(0));
}
