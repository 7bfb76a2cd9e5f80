//! Downloads, listings, health, and what every answer has.

use std::sync::Arc;
use std::time::Duration;

use autopgo_core::api::Profiles;
use autopgo_core::error::{Error, Kind};
use autopgo_core::health::{Checks, Report, Status};
use autopgo_core::limits::Limits;
use autopgo_core::memory::blobs::MemoryBlobs;
use autopgo_http::process::health;

use crate::world::{Fixed, World, fixture};

const PROFILE: &str = "profiles/hello-app/a-1.pprof";

#[tokio::test]
async fn a_download_has_all_that_a_cache_and_a_browser_need() {
    let world = World::new().await;
    world.get("/api/profile/hello").await.is(404, "upload one");
    world.put_base("hello", fixture(PROFILE)).await;
    for path in ["/api/profile/hello", "/api/profile/hello?form=full", "/api/profile/%68ello?other=1"] {
        let answer = world.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.body, fixture(PROFILE));
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
        assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"default.pgo\""));
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        assert_eq!(answer.header("etag"), Some("\"1\""));
        let modified = answer.header("last-modified").expect("a date");
        assert!(modified.ends_with(" GMT") && modified.len() == 29, "{modified}");
    }
}

#[tokio::test]
async fn a_head_is_a_download_without_the_body() {
    let world = World::new().await;
    world.put_base("hello", fixture(PROFILE)).await;
    let mut client = world.connect().await;
    for _ in 0..2 {
        client.send("HEAD /api/profile/hello HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let answer = client.answer_to("HEAD").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-length"), Some(fixture(PROFILE).len().to_string().as_str()));
        assert!(answer.header("etag").is_some());
    }
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    let world = World::new().await;
    world.put_base("hello", fixture(PROFILE)).await;
    for form in ["full", "compact"] {
        let path = format!("/api/profile/hello?form={form}");
        let etag = world.get(&path).await.header("etag").expect("an etag").to_owned();
        assert_eq!(etag.starts_with("W/"), form == "compact", "{etag}");
        for (known, status) in [
            (etag.clone(), 304),
            (format!("\"other\", {etag}"), 304),
            (etag.trim_start_matches("W/").to_owned(), 304),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
            ("nonsense".to_owned(), 200),
        ] {
            let answer =
                world.ask(format!("GET {path} HTTP/1.1\r\nHost: x\r\nIf-None-Match: {known}\r\n\r\n")).await;
            assert_eq!(answer.status, status, "{form} {known}");
            assert_eq!(answer.header("etag"), Some(etag.as_str()));
            assert_eq!(answer.body.is_empty(), status == 304);
        }
    }
}

#[tokio::test]
async fn the_compact_form_is_smaller_and_named_by_its_build() {
    let world = World::new().await;
    world.put_base("hello", fixture("profiles/go-compile.pgo")).await;
    let answer = world.get("/api/profile/hello?form=compact").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    // The hash that `go tool preprofile` gives of this profile, as the fixtures' README has it.
    assert!(answer.header("etag").expect("an etag").starts_with("W/\"988f1f408e63"), "{answer:?}");
    assert!(answer.body.len() * 4 < fixture("profiles/go-compile.pgo").len(), "{} bytes", answer.body.len());
}

#[tokio::test]
async fn a_form_that_is_none_is_refused() {
    let world = World::new().await;
    world.put_base("hello", fixture(PROFILE)).await;
    for query in ["form=x", "form=", "form", "form=Compact", "form=full&form=compact", "form=%ff"] {
        world.get(&format!("/api/profile/hello?{query}")).await.is(400, "form=full or form=compact");
    }
}

#[tokio::test]
async fn the_list_is_by_name() {
    let world = World::new().await;
    assert_eq!(world.get("/api/profile").await.text(), r#"{"profiles":[]}"#);
    for app in ["b", "a", "c-1"] {
        world.put_base(app, fixture(PROFILE)).await;
    }
    let answer = world.get("/api/profile").await;
    let profiles: Profiles = serde_json::from_slice(&answer.body).expect("a list");
    let names: Vec<_> = profiles.profiles.iter().map(|line| (line.key.as_str(), line.size)).collect();
    let size = fixture(PROFILE).len() as u64;
    assert_eq!(names, [("a", size), ("b", size), ("c-1", size)]);
}

#[tokio::test]
async fn health_says_what_is_sick_and_ready_does_not_care() {
    let world = World::new().await;
    let answer = world.get("/api/health").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text(), r#"{"status":"healthy","dependencies":[{"name":"blob","status":"healthy"}]}"#);

    let sick =
        Checks::default().with("targets", Arc::new(Fixed(|| Err(Error::new(Kind::Unavailable, "no file")))));
    let blobs = Arc::new(MemoryBlobs::new(Arc::new(autopgo_core::clock::System)));
    let world = World::of(health::router(sick), blobs, Limits::default(), Duration::from_secs(1)).await;
    let answer = world.get("/api/health").await;
    assert_eq!(answer.status, 503);
    let report: Report = serde_json::from_slice(&answer.body).expect("json");
    assert_eq!((report.status, report.dependencies[0].message.as_str()), (Status::Unhealthy, "no file"));
    let ready = world.get("/api/ready").await;
    assert_eq!((ready.status, ready.text().as_str()), (200, r#"{"status":"ready"}"#));
    world.get("/api/profile").await.is(404, "/api/health and /api/ready");
}

#[tokio::test]
async fn a_request_keeps_its_id_or_gets_one() {
    let world = World::new().await;
    let given = world.ask("GET /api/ready HTTP/1.1\r\nHost: x\r\nX-Request-Id: abc-1\r\n\r\n").await;
    assert_eq!(given.header("x-request-id"), Some("abc-1"));
    let evil = world.ask("GET /nowhere HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\"b c\r\n\r\n").await;
    assert_eq!(evil.header("x-request-id").map(str::len), Some(36));
}
