//! What all the trouble is for: an upload that was answered is in the base once, and nothing is left over.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use reqwest::Client;

use crate::{profile, wait};

/// The function that upload `number` calls.
pub fn name(number: usize) -> String {
    format!("upload.F{number:03}")
}

/// Uploads a profile with one call into `name` to the profile at `url`, and gives `name` if that was answered with 201.
pub async fn upload(client: &Client, url: &str, name: String) -> Option<String> {
    let request = client.post(url).body(profile::cpu(&[("main.main", &name, 1)]));
    request.send().await.is_ok_and(|answer| answer.status() == 201).then_some(name)
}

/// Waits until all of `answered` is in the base at `url` and nothing is `left` to merge, and looks at the base: everything
/// in it is there once. Gives how many uploads are.
///
/// # Panics
/// When something is missing, or there more than once, or takes too long.
pub async fn merged(
    client: &Client,
    url: &str,
    answered: &BTreeSet<String>,
    mut left: impl AsyncFnMut() -> usize,
) -> usize {
    let url = format!("{url}?form=compact");
    wait::within(Duration::from_secs(120), "every answered upload is merged", async || {
        let bytes = client.get(&url).send().await.ok()?.error_for_status().ok()?.bytes().await.ok()?;
        let seen = profile::seen(&bytes, "upload.");
        answered.iter().all(|name| seen.contains_key(name)).then_some(())
    })
    .await;
    // Whatever was staged by somebody who got no answer is merged by now or never.
    wait::until("staging is empty", async || (left().await == 0).then_some(())).await;
    let bytes = client.get(&url).send().await.expect("answered").bytes().await.expect("a profile");
    let seen = profile::seen(&bytes, "upload.");
    let wrong: Vec<_> = seen.iter().filter(|(_, times)| **times != 1).collect();
    assert!(wrong.is_empty(), "merged more than once: {wrong:?}");
    let missing: Vec<_> = answered.iter().filter(|name| !seen.contains_key(*name)).collect();
    assert!(missing.is_empty(), "answered and lost: {missing:?}");
    seen.len()
}

/// How many objects there are in a folder of a store of files.
pub fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, |entries| {
        let names = entries.filter_map(Result::ok).map(|entry| entry.file_name());
        names.filter(|name| name.as_encoded_bytes()[0] != b'.').count()
    })
}
