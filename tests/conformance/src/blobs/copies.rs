//! Copying inside the store.

use autopgo_core::port::blobs::{Blobs, When};

use super::{Harness, holds, holds_nothing, is_conflict, put, read};
use crate::verdict::{Verdict, ensure, same};

pub(super) async fn a_copy_is_the_same_bytes(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
    put(&*store, "app/staging/1", bytes.clone()).await?;
    copied(&*store, "app/staging/1", "app/rejected/1", true).await?;
    holds(&*store, "app/rejected/1", &bytes).await?;
    holds(&*store, "app/staging/1", &bytes).await?;
    // Neither follows the other.
    store.delete("app/staging/1").await?;
    holds(&*store, "app/rejected/1", &bytes).await?;
    copied(&*store, "app/rejected/1", "app/staging/1", true).await?;
    put(&*store, "app/rejected/1", "other").await?;
    holds(&*store, "app/staging/1", &bytes).await
}

pub(super) async fn a_copy_goes_over_what_is_there(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    put(&*store, "app/1", "new").await?;
    put(&*store, "app/2", "old and longer").await?;
    copied(&*store, "app/1", "app/2", true).await?;
    copied(&*store, "app/1", "app/2", true).await?;
    holds(&*store, "app/2", b"new").await
}

pub(super) async fn copying_nothing_is_false(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    put(&*store, "app/2", "kept").await?;
    copied(&*store, "app/1", "app/2", false).await?;
    copied(&*store, "app/1", "app/3", false).await?;
    copied(&*store, "app/1", "app/1", false).await?;
    holds(&*store, "app/2", b"kept").await?;
    holds_nothing(&*store, "app/3").await
}

pub(super) async fn a_copy_is_another_version_of_its_target(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    put(&*store, "app/1", "new").await?;
    let old = put(&*store, "app/2", "old").await?;
    copied(&*store, "app/1", "app/2", true).await?;
    is_conflict("replacing what was copied over", store.write("app/2", "x".into(), When::Is(old)).await)?;
    let version = read(&*store, "app/2").await?.version;
    store.write("app/2", "y".into(), When::Is(version)).await?;
    holds(&*store, "app/2", b"y").await
}

pub(super) async fn a_copy_onto_itself_changes_nothing(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    put(&*store, "app/1", "x").await?;
    copied(&*store, "app/1", "app/1", true).await?;
    holds(&*store, "app/1", b"x").await
}

async fn copied(store: &dyn Blobs, from: &str, to: &str, expected: bool) -> Verdict {
    let copied = store.copy(from, to).await?;
    same("whether there was anything to copy", &copied, &expected)?;
    ensure(store.stat(to).await?.is_some() || !copied, || format!("{to} was copied and is not there"))
}
