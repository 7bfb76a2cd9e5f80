//! A profile of 8 MB: by the command it goes past whoever could not take it, both ways.

use super::{Shelf, Stage};
use crate::profile;
use crate::requests::{asked, counts};
use crate::wait;

/// Enough of them that their names are 8 MB when packed.
const CALLS: usize = 90_000;

pub(super) async fn perform(stage: &Stage) {
    let (bytes, calls) = profile::large(CALLS);
    let packed = autopgo_pprof::gzip::deflate(&bytes);
    assert!(packed.len() > 8_000_000, "{} bytes", packed.len());
    let (up, down) = (stage.file("large.pprof"), stage.file("large.pgo"));
    std::fs::write(&up, &packed).expect("written");

    let key = stage.succeed(&["upload", up.to_str().expect("UTF-8"), "--app", "cap"]).await;
    assert!(key.starts_with("cap/staging/"), "{key}");
    listed(stage, "cap").await;
    stage.succeed(&["download", "cap", "--output", down.to_str().expect("UTF-8")]).await;
    let bytes = std::fs::read(&down).expect("downloaded");
    assert!(bytes.len() > 8_000_000, "{} bytes", bytes.len());
    assert!(profile::seen(&bytes, "upload.") == calls, "what came down is not what went up");
    assert!(stage.shelf.keys("cap/incoming/").await.is_empty(), "what was completed is gone");

    let redirected = stage.host.large_download() == 307;
    let mut expected = vec![("POST ticket: 200", 1), ("POST completion: 201", 1)];
    expected.push(if redirected { ("GET profile: 307", 1) } else { ("GET profile: 200", 1) });
    // A bucket is asked itself, and its log is not ours.
    if matches!(stage.shelf, Shelf::Folder(_)) {
        expected.push(("PUT signed upload: 200", 1));
        expected.extend(redirected.then_some(("GET signed download: 200", 1)));
    }
    assert_eq!(asked(&stage.log(), "cap"), counts(&expected));
    assert!(
        !stage.log().iter().any(|line| line.to_lowercase().contains("signature=")),
        "the log has a signature"
    );

    // Without a ticket it ends where the cloud ends.
    let (status, body) = stage.post("cap-plain", packed).await;
    assert_eq!(status, stage.host.large_upload(), "{body}");
    if status == 201 {
        listed(stage, "cap-plain").await;
    } else {
        assert!(body["message"].is_string(), "{body}");
        assert!(stage.shelf.keys("cap-plain/staging/").await.is_empty());
    }
}

/// Waits until `app` has a base profile, without asking for it.
async fn listed(stage: &Stage, app: &str) {
    let key = format!("{app}/default.pgo");
    wait::until(&format!("{app} is merged"), async || {
        stage.shelf.keys(&format!("{app}/")).await.contains(&key).then_some(())
    })
    .await;
}
