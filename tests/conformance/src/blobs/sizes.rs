//! Nothing, much, and the edge of what the reader takes.

use autopgo_core::error::Kind;
use autopgo_core::port::blobs::When;

use super::{Harness, holds, is_kind, put};
use crate::verdict::{Broken, Verdict, ensure, same};

/// Beyond every size at which a store or its client begins to write in parts: 5 MiB on S3, 8 MiB elsewhere.
const LARGE: usize = (17 << 20) + 1;

pub(super) async fn an_empty_object_is_an_object(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    let version = store.write("app/1", "".into(), When::Absent).await?;
    holds(&*store, "app/1", b"").await?;
    let object = store.read("app/1", 0).await?;
    ensure(object.is_some_and(|object| object.bytes.is_empty()), || {
        "a limit of 0 refuses no bytes".to_owned()
    })?;
    store.write("app/1", "x".into(), When::Is(version)).await?;
    holds(&*store, "app/1", b"x").await
}

pub(super) async fn a_large_object_is_whole(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    // No run of it repeats, so that parts in the wrong order show.
    let bytes: Vec<u8> = (0..LARGE / 8 + 1)
        .flat_map(|n| (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
        .take(LARGE)
        .collect();
    for when in [When::Absent, When::Always] {
        let version = store.write("app/large", bytes.clone().into(), when).await?;
        let object = super::read(&*store, "app/large").await?;
        same("the size", &object.bytes.len(), &LARGE)?;
        ensure(object.bytes == bytes, || "the bytes are others than those written".to_owned())?;
        same("the version of the write and of the read", &version, &object.version)?;
    }
    let stat = store.stat("app/large").await?;
    same("the size by stat", &stat.map(|stat| stat.size), &Some(LARGE as u64))
}

pub(super) async fn the_limit_of_a_read_is_exact(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    for size in [1_usize, 1000, 100_000] {
        put(&*store, "app/1", vec![7; size]).await?;
        let object = store.read("app/1", size as u64).await?;
        same("the size at the limit", &object.map(|object| object.bytes.len()), &Some(size))?;
        match store.read("app/1", size as u64 - 1).await {
            Ok(_) => return Err(Broken::new(format!("{size} bytes are read over a limit of one fewer"))),
            Err(error) => is_kind("one byte over the limit", Kind::TooLarge, &error)?,
        }
    }
    Ok(())
}
