//! What a person does: upload, list, download, delete, clean; and what a build does, which asks for what it has not.

use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use serde_json::Value;

use super::Stage;
use crate::paths::fixture;

const APP: &str = "commands";

pub(super) async fn perform(stage: &Stage) {
    let one = fixture("hello-app/a-1.pprof");
    let (one, full, compact) =
        (one.to_str().expect("UTF-8"), stage.file("full.pgo"), stage.file("compact.pgo"));
    let key = stage.succeed(&["upload", one, "--app", APP]).await;
    assert!(key.starts_with("commands/staging/"), "{key}");
    stage.base(APP).await;
    stage.brought(APP, "message").await;
    let listed: Value = serde_json::from_str(&stage.succeed(&["list", "--json"]).await).expect("JSON");
    let ours = listed["profiles"].as_array().expect("profiles").iter().find(|profile| profile["key"] == APP);
    let ours = ours.unwrap_or_else(|| panic!("{listed}"));

    stage.succeed(&["download", APP, "--output", full.to_str().expect("UTF-8")]).await;
    stage.succeed(&["download", APP, "--compact", "--output", compact.to_str().expect("UTF-8")]).await;
    let read = |path: &std::path::Path| std::fs::read(path).expect("downloaded");
    let (full, compact) = (read(&full), read(&compact));
    assert_eq!(ours["size"], full.len());
    assert!(compact.len() < full.len(), "{} and {} bytes", compact.len(), full.len());
    known_states(stage, &full, &compact).await;

    stage.succeed(&["delete", APP]).await;
    let gone = stage.run(&["download", APP, "--output", "-"]).await;
    assert_eq!(gone.status.code(), Some(3), "{}", String::from_utf8_lossy(&gone.stderr));
    stage.settled(APP).await;

    stage.succeed(&["upload", one, "--app", APP]).await;
    stage.base(APP).await;
    let cleaned = stage.succeed(&["clean", "--larger-than", "1", "--json"]).await;
    assert!(cleaned.contains(APP), "{cleaned}");
    assert_eq!(stage.client.get(stage.profile(APP)).send().await.expect("an answer").status(), 404);
}

/// Both forms say which state they are of, and are not sent to whoever has it.
async fn known_states(stage: &Stage, full: &[u8], compact: &[u8]) {
    for (query, bytes) in [("", full), ("?form=compact", compact)] {
        let url = format!("{}{query}", stage.profile(APP));
        let answer = stage.client.get(&url).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let header =
            |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        assert_eq!(header(CONTENT_TYPE).as_deref(), Some("application/octet-stream"));
        assert_eq!(header(CACHE_CONTROL).as_deref(), Some("no-cache"));
        let etag = header(ETAG).expect("an etag");
        assert_eq!(answer.bytes().await.expect("a body"), bytes, "{query}");
        let again = stage.client.get(&url).header(IF_NONE_MATCH, &etag).send().await.expect("an answer");
        assert_eq!(
            (again.status().as_u16(), again.headers()[ETAG].to_str().ok()),
            (304, Some(etag.as_str()))
        );
        assert!(again.bytes().await.expect("a body").is_empty());
    }
}
