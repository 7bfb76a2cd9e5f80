//! What nobody can merge is set aside, and what nobody can read is dropped: neither holds up the rest.

use super::Stage;
use super::shelf::staged;
use crate::once::{merged, name, upload};

const APP: &str = "poison";

pub(super) async fn perform(stage: &Stage) {
    let garbage = staged(APP);
    stage.shelf.put(&garbage, b"this is no profile").await;
    #[cfg(feature = "services")]
    if let Some(wire) = &stage.wire {
        let message: &[&[u8]] = &[
            b"hello",
            b"",
            b"\xff\xfe",
            b"{}",
            b"{\"id\":\"1\",\"timestamp\":\"2025-01-02T03:04:05Z\",\"type\":\"profile.unheard\",\"payload\":{}}",
            b"{\"id\":\"2\",\"timestamp\":\"2025-01-02T03:04:05Z\",\"type\":\"profile.uploaded\",\"payload\":{\"app\":\"../x\"}}",
        ];
        for body in message.iter().chain(message) {
            wire.publish(body).await;
        }
        wire.announce(APP, &garbage).await;
        // An upload that is not there is as good as merged.
        wire.announce(APP, &staged(APP)).await;
    }
    let url = stage.profile(APP);
    let mut answered = std::collections::BTreeSet::new();
    for number in 0..5 {
        answered.insert(upload(&stage.client, &url, name(number)).await.expect("taken"));
    }
    stage.brought(APP, "message").await;
    let staging = format!("{APP}/staging/");
    assert_eq!(
        merged(&stage.client, &url, &answered, async || stage.shelf.keys(&staging).await.len()).await,
        5
    );
    let rejected = garbage.replace("/staging/", "/rejected/");
    let kept = stage.shelf.keys(&format!("{APP}/rejected/")).await;
    assert!(kept.iter().any(|key| key.starts_with(&rejected)), "{kept:?}");
    assert!(stage.lines("the function failed, and its messages come again").is_empty(), "{:#?}", stage.log());
}
