//! Writes that hold only while nobody else wrote.

use autopgo_core::port::blobs::When;

use super::{Harness, holds, holds_nothing, is_conflict, put, read};
use crate::verdict::{Verdict, ensure, same};

pub(super) async fn absent_creates_once(harness: &dyn Harness) -> Verdict {
    let (store, other) = (harness.open().await?, harness.open().await?);
    let version = store.write("app/1", "first".into(), When::Absent).await?;
    is_conflict("creating it again", store.write("app/1", "second".into(), When::Absent).await)?;
    is_conflict("creating what another has", other.write("app/1", "first".into(), When::Absent).await)?;
    holds(&*store, "app/1", b"first").await?;
    same("the version after a conflict", &read(&*store, "app/1").await?.version, &version)
}

pub(super) async fn absent_creates_again_after_a_delete(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    for bytes in ["first", "second"] {
        store.write("app/1", bytes.into(), When::Absent).await?;
        holds(&*store, "app/1", bytes.as_bytes()).await?;
        store.delete("app/1").await?;
    }
    Ok(())
}

pub(super) async fn is_replaces_the_version_it_names(harness: &dyn Harness) -> Verdict {
    let (store, other) = (harness.open().await?, harness.open().await?);
    let mut version = put(&*store, "app/1", "0").await?;
    for n in 1..5 {
        // The version as the write gave it, as a read gives it and as stat gives it are one.
        let known = match n % 3 {
            0 => read(&*other, "app/1").await?.version,
            1 => version,
            _ => store.stat("app/1").await?.map_or(version, |stat| stat.version),
        };
        version = other.write("app/1", n.to_string().into(), When::Is(known)).await?;
        holds(&*store, "app/1", n.to_string().as_bytes()).await?;
    }
    Ok(())
}

pub(super) async fn is_on_nothing_is_a_conflict(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    let version = put(&*store, "app/1", "x").await?;
    store.delete("app/1").await?;
    let outcome = store.write("app/1", "y".into(), When::Is(version.clone())).await;
    is_conflict("replacing what was deleted", outcome)?;
    let outcome = store.write("app/2", "y".into(), When::Is(version)).await;
    is_conflict("replacing what never was", outcome)?;
    holds_nothing(&*store, "app/1").await?;
    holds_nothing(&*store, "app/2").await
}

pub(super) async fn a_stale_version_is_a_conflict(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    let first = put(&*store, "app/1", "first").await?;
    let second = store.write("app/1", "second".into(), When::Is(first.clone())).await?;
    for bytes in ["third", "first", "second"] {
        let outcome = store.write("app/1", bytes.into(), When::Is(first.clone())).await;
        is_conflict("replacing a version that is gone", outcome)?;
        holds(&*store, "app/1", b"second").await?;
    }
    same("the version after conflicts", &read(&*store, "app/1").await?.version, &second)?;

    // A write without a condition, and a delete with a write after it, make a version stale too.
    put(&*store, "app/1", "third").await?;
    is_conflict("after a plain write", store.write("app/1", "x".into(), When::Is(second.clone())).await)?;
    store.delete("app/1").await?;
    put(&*store, "app/1", "fourth").await?;
    is_conflict("after a delete and a write", store.write("app/1", "x".into(), When::Is(second)).await)?;
    holds(&*store, "app/1", b"fourth").await
}

pub(super) async fn a_version_of_another_key_is_a_conflict(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    put(&*store, "app/1", "one").await?;
    let other = put(&*store, "app/2", "two").await?;
    is_conflict("by another key's version", store.write("app/1", "x".into(), When::Is(other)).await)?;
    holds(&*store, "app/1", b"one").await
}

pub(super) async fn every_write_of_other_bytes_is_another_version(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    let mut seen = Vec::new();
    // Of one length, and as fast as it goes: neither a size nor a coarse clock is a version.
    for n in 10..40 {
        let version = put(&*store, "app/1", n.to_string()).await?;
        ensure(!seen.contains(&version), || format!("write {n} is {version:?}, which was there before"))?;
        seen.push(version);
    }
    Ok(())
}
