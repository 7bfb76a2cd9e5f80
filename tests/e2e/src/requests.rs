//! What a server was asked, by its log: so that one way through the API cannot stand in for another unseen.

use std::collections::BTreeMap;

use crate::wait;

/// How often the server whose log this is was asked what about `app`, and what it answered.
///
/// # Panics
/// When a line that is not of a request has the path of one.
pub fn asked(log: &[String], app: &str) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    for line in log.iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()) {
        let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
        let path = text("path");
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let what = match parts[..] {
            ["api", "profile", name] if name == app => "profile",
            ["api", "profile", name, "uploads"] if name == app => "ticket",
            ["api", "profile", name, "uploads", _] if name == app => "completion",
            ["api", "objects", name, "incoming", _] if name == app => "signed upload",
            ["api", "objects", name, "default.pgo"] if name == app => "signed download",
            _ => continue,
        };
        assert_eq!(text("message"), "request", "{line}");
        *asked.entry(format!("{} {what}: {}", text("method"), line["status"])).or_default() += 1;
    }
    asked
}

/// What [`asked`] should give.
pub fn counts(expected: &[(&str, usize)]) -> BTreeMap<String, usize> {
    expected.iter().map(|(what, times)| ((*what).to_owned(), *times)).collect()
}

/// Waits until `app` has a base profile, without asking for it.
pub async fn merged(url: &str, app: &str) {
    let url = format!("{url}/api/profile");
    let named = format!("\"key\":\"{app}\"");
    wait::until("it is merged", async || {
        reqwest::get(&url).await.ok()?.text().await.ok()?.contains(&named).then_some(())
    })
    .await;
}
