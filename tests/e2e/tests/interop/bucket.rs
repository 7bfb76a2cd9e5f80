//! Each side finds, reads and knows the other's objects.

use autopgo_e2e::original::Original;
use autopgo_e2e::paths::fixture;
use autopgo_e2e::process::{Running, autopgo, free_address};
use autopgo_e2e::s3::Bucket;
use serde_json::Value;

/// Over the part size of Go's uploader, which sends such a one in parts.
const LARGE: usize = 6 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_side_finds_the_others_objects() {
    let (Some(bucket), Some(original)) = (Bucket::new().await, Original::new()) else { return };
    let address = free_address();
    let port = address.port().to_string();
    let arguments =
        ["server", "--blob-store-url", &bucket.url, "--event-writer-url", "mem://none", "--port", &port];
    let serving = Running::start(autopgo(&arguments), address).await;
    let store = bucket.url.as_str();
    let get = async |app: &str| {
        let answer = reqwest::get(format!("{}/api/profile/{app}", serving.url)).await.expect("answered");
        assert_eq!(answer.status(), 200);
        answer
    };

    // Theirs: small, and in parts.
    let small = std::fs::read(fixture("rclone.pgo")).expect("a profile");
    let large: Vec<u8> = small.iter().copied().cycle().take(LARGE).collect();
    for (app, bytes) in [("small", &small), ("large", &large)] {
        original.run(&["put", store, &format!("{app}/default.pgo")], bytes).await;
        let answer = get(app).await;
        let length = answer.headers()["content-length"].to_str().expect("text").to_owned();
        assert_eq!(length, bytes.len().to_string());
        assert!(answer.headers().contains_key("etag") && answer.headers().contains_key("last-modified"));
        assert!(answer.bytes().await.expect("a body") == *bytes, "{app} was changed on its way");
    }
    let listed = reqwest::get(format!("{}/api/profile", serving.url)).await.expect("answered");
    let listed: Value = listed.json().await.expect("JSON");
    let known: Vec<(&str, u64)> = listed["profiles"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|profile| (profile["key"].as_str().expect("a key"), profile["size"].as_u64().expect("a size")))
        .collect();
    assert_eq!(known, [("large", LARGE as u64), ("small", small.len() as u64)]);

    // Ours.
    let upload = reqwest::Client::new().post(format!("{}/api/profile/ours", serving.url)).body(small.clone());
    let answer: Value = upload.send().await.expect("answered").json().await.expect("JSON");
    let key = answer["key"].as_str().expect("a key");
    let stat = async |key: &str| -> Value {
        serde_json::from_slice(&original.run(&["stat", store, key], b"").await).expect("JSON")
    };
    let (ours, theirs) = (stat(key).await, stat("small/default.pgo").await);
    let read = original.run(&["get", store, key], b"").await;
    assert_eq!(ours["size"].as_u64(), Some(read.len() as u64));
    for object in [&ours, &theirs] {
        assert_eq!(object["metadata"], Value::Null, "{object}");
        assert!(object["modified"].as_str().is_some_and(|time| time.starts_with("20")), "{object}");
    }
    assert_eq!(theirs["contentType"], "application/x-gzip", "{theirs}");
    assert_eq!(ours["contentType"], theirs["contentType"], "{ours}");
    let keys = original.lines(&["list", store, ""], "").await;
    let keys: Vec<Value> = keys.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let keys: Vec<&str> = keys.iter().map(|object| object["key"].as_str().expect("a key")).collect();
    assert_eq!(keys, ["large/default.pgo", key, "small/default.pgo"]);
    let (code, log) = serving.stop().await;
    assert_eq!(code, Some(0), "{log:#?}");
}
