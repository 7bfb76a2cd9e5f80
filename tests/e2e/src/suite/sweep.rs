//! An upload that no message tells of.

use super::Stage;
use super::shelf::staged;
use crate::{profile, wait};

const APP: &str = "unseen";

/// Stages one and says nothing; its key.
pub(super) async fn begin(stage: &Stage) -> String {
    let key = staged(APP);
    stage.shelf.put(&key, &profile::cpu(&[("main.main", "upload.unseen", 1)])).await;
    key
}

/// By now, or soon, it is merged.
pub(super) async fn end(stage: &Stage, key: String) {
    let base = stage.base(APP).await;
    assert_eq!(profile::seen(&base, "upload.").get("upload.unseen"), Some(&1));
    stage.brought(APP, "sweep").await;
    assert_eq!(stage.merged(APP, "message"), 0);
    wait::until("it is settled", async || {
        (!stage.shelf.keys(&format!("{APP}/staging/")).await.contains(&key)).then_some(())
    })
    .await;
}
