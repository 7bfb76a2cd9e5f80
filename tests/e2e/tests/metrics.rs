//! What a process that runs for long counts: the page that Prometheus reads, and the lines of the log about the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use autopgo_e2e::paths::root;
use autopgo_e2e::process::{Running, autopgo, free_address, local, succeed};
use autopgo_e2e::prometheus::Page;
use autopgo_e2e::wait;
use serde_json::Value;

const CPU: &str = "tests/fixtures/profiles/hello-app/a-1.pprof";
const HEAP: &str = "tests/fixtures/profiles/hello-app/a-heap.pprof";

/// A sample's name, its labels, its value.
type Expected<'a> = (&'a str, &'a [(&'a str, &'a str)], f64);

fn fixture(path: &str) -> String {
    root().join(path).to_str().expect("UTF-8").to_owned()
}

/// The page, which must be a good one.
async fn page(url: &str) -> Page {
    let answer = reqwest::get(format!("{url}/metrics")).await.expect("answered");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text().await.expect("a whole page");
    Page::parse(&text).unwrap_or_else(|why| panic!("{why}\n{text}"))
}

/// Waits until the page has all of these values.
async fn reads(url: &str, expected: &[Expected<'_>]) -> Page {
    wait::until("the page has the values", async || {
        let page = page(url).await;
        expected.iter().all(|(name, labels, value)| page.value(name, labels) == Some(*value)).then_some(page)
    })
    .await
}

/// Lines of the log about messages of one type.
fn messages(log: &[String], kind: &str) -> Vec<Value> {
    let lines = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["event.type"] == kind).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_is_counted_and_logged_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let local = local(&folder.path().join("data"), &[]).await;
    let url = local.url.clone();
    for app in ["one-of-many", "one-of-many", "another-one"] {
        succeed(&["upload", &fixture(CPU), "--app", app, "--api-url", &url]);
    }
    let client = reqwest::Client::new();
    let heap = std::fs::read(fixture(HEAP)).expect("a fixture");
    let size = heap.len() as u64;
    let refused =
        client.post(format!("{url}/api/profile/one-of-many")).body(heap).send().await.expect("answered");
    assert_eq!(refused.status(), 400);

    let route = ("route", "/api/profile/{app}");
    let page = reads(
        &url,
        &[
            ("autopgo_uploads_total", &[("outcome", "staged")], 3.0),
            ("autopgo_uploads_total", &[("outcome", "refused")], 1.0),
            ("autopgo_uploads_total", &[("outcome", "failed")], 0.0),
            ("autopgo_upload_seconds_count", &[], 3.0),
            ("autopgo_merges_total", &[("outcome", "merged")], 3.0),
            ("autopgo_merges_total", &[("outcome", "failed")], 0.0),
            // Three uploads, and the events of their merges.
            ("autopgo_messages_total", &[("outcome", "done")], 6.0),
            ("autopgo_messages_total", &[("outcome", "handed_back")], 0.0),
            ("autopgo_unpublished_total", &[("event", "profile.merged")], 0.0),
            ("autopgo_staged_oldest_seconds", &[], 0.0),
            ("autopgo_requests_total", &[route, ("method", "POST"), ("status", "201")], 3.0),
            ("autopgo_requests_total", &[route, ("method", "POST"), ("status", "400")], 1.0),
            ("autopgo_request_seconds_count", &[route, ("method", "POST")], 4.0),
            ("autopgo_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0),
        ],
    )
    .await;
    assert!(page.value("autopgo_merge_seconds_count", &[]).is_some_and(|merges| merges >= 2.0));
    assert!(page.families().iter().all(|name| name.starts_with("autopgo_")), "{:?}", page.families());
    let said = page.labels();
    assert!(
        !said
            .iter()
            .any(|(name, value)| *name == "app" || value.contains("one-of") || value.contains("another")),
        "{said:?}"
    );

    let (code, log) = local.stop().await;
    assert_eq!(code, Some(0), "{log:#?}");
    for kind in ["profile.uploaded", "profile.merged"] {
        let lines = messages(&log, kind);
        let ids: BTreeSet<&str> = lines.iter().filter_map(|line| line["event.id"].as_str()).collect();
        assert_eq!((lines.len(), ids.len()), (3, 3), "{kind}: {lines:#?}");
        for line in lines {
            let app = line["app"].as_str().expect("an application");
            let key = line["profile.key"].as_str().expect("a key");
            assert!(key.starts_with(&format!("{app}/staging/")), "{line}");
            assert_eq!((&line["outcome"], &line["level"]), (&"done".into(), &"INFO".into()), "{line}");
            assert!(line["duration_ms"].is_u64() && line["size_bytes"].is_u64(), "{line}");
        }
    }
    let requests = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let refused =
        requests.into_iter().find(|line| line["status"] == 400).expect("a line about the heap profile");
    assert_eq!(refused["received_bytes"].as_u64(), Some(size), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_can_make_the_page_grow() {
    let folder = tempfile::tempdir().expect("a folder");
    let local = local(&folder.path().join("data"), &[]).await;
    let client = reqwest::Client::new();
    let odd = async |n: usize| {
        let (method, path) = match n % 8 {
            0 => ("GET", format!("/nowhere/{n}")),
            1 => ("POST", format!("/api/profile/app-{n}/what/{n}/ever")),
            2 => ("PUT", format!("/api/profile/app-{n}")),
            3 => ("BREW", format!("/pot-{n}")),
            4 => ("PROPFIND", format!("/api/profile/app-{n}")),
            5 => ("GET", format!("/api/profile/app-{n}")),
            6 => ("GET", format!("/metrics?n={n}")),
            _ => ("GET", format!("/api/profile/{n}%22%0A{n}")),
        };
        // A method of its own, too, each time.
        let method = if n % 8 == 3 { format!("{method}{n}") } else { method.to_owned() };
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        client.request(method, format!("{}{path}", local.url)).send().await.expect("answered").status()
    };
    for n in 0..16 {
        odd(n).await;
    }
    let before = wait::until("the last of them is counted", async || {
        let page = page(&local.url).await;
        let unknown = [("route", "none"), ("method", "other"), ("status", "404")];
        (page.value("autopgo_requests_total", &unknown) == Some(2.0)).then(|| page.series())
    })
    .await;
    for n in 16..1016 {
        let status = odd(n).await;
        assert!(!status.is_server_error(), "{n}: {status}");
    }
    let after = page(&local.url).await.series();
    let new: Vec<_> = after.difference(&before).collect();
    assert!(new.is_empty(), "{new:#?}");
    assert_eq!(local.stop().await.0, Some(0));
}

async fn started(arguments: &[&str]) -> Running {
    let address = free_address();
    let port = address.port().to_string();
    Running::start(autopgo(&[arguments, &["--port", &port]].concat()), address).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_worker_and_scraper_each_have_a_page_of_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let store = format!("file://{}?create_dir=true", path("store"));

    let server = started(&["server", "--blob-store-url", &store, "--event-writer-url", "mem://none"]).await;
    let shown = page(&server.url).await;
    assert_eq!(shown.value("autopgo_uploads_total", &[("outcome", "staged")]), Some(0.0));
    assert!(!shown.families().contains("autopgo_merges_total"), "{:?}", shown.families());

    let bus = ["--event-writer-url", "mem://a", "--event-reader-url", "mem://a"];
    let worker = started(&[&["worker", "--blob-store-url", &store][..], &bus].concat()).await;
    let shown = reads(&worker.url, &[("autopgo_staged_oldest_seconds", &[], 0.0)]).await;
    assert_eq!(shown.value("autopgo_swept_total", &[("outcome", "failed")]), Some(0.0));
    assert!(!shown.families().contains("autopgo_uploads_total"), "{:?}", shown.families());

    let targets = format!(r#"[{{"address": "http://{}", "app": "nobody"}}]"#, free_address());
    std::fs::write(path("targets.json"), targets).expect("written");
    let api = ["--api-url", &server.url, "--sample-size", "1", "--frequency", "1h", "--duration", "1s"];
    let scraper = started(&[&["scrape", &path("targets.json")][..], &api].concat()).await;
    let expected: &[Expected<'_>] = &[
        ("autopgo_targets", &[], 1.0),
        ("autopgo_rounds_total", &[("outcome", "begun")], 1.0),
        ("autopgo_scrapes_total", &[("outcome", "unreachable")], 1.0),
        ("autopgo_scrapes_total", &[("outcome", "uploaded")], 0.0),
    ];
    reads(&scraper.url, expected).await;

    for process in [scraper, worker, server] {
        let (code, log) = process.stop().await;
        assert_eq!(code, Some(0), "{log:#?}");
    }
}

#[test]
fn every_metric_is_in_the_readme() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README");
    let mut named = BTreeSet::new();
    for folder in ["shared", "scraper/src", "local/src", "cli/src", "functions"] {
        sources(&root().join(folder), &mut |text| {
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            named.extend(code.split('"').filter(|word| is_metric(word)).map(str::to_owned));
        });
    }
    assert!(named.contains("autopgo_uploads_total") && named.len() > 12, "{named:?}");
    let missing: Vec<_> = named.iter().filter(|name| !readme.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn is_metric(word: &str) -> bool {
    word.starts_with("autopgo_")
        && ["_total", "_seconds", "_info", "_targets"].iter().any(|end| word.ends_with(end))
}

fn sources(folder: &Path, seen: &mut impl FnMut(&str)) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.map(|entry| -> PathBuf { entry.expect("an entry").path() }) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !["tests", "benches", "fuzz", "target"].contains(&name) {
            sources(&path, seen);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            seen(&std::fs::read_to_string(&path).expect("a source"));
        }
    }
}
