//! One writer, one reader, one object.

use std::time::{Duration, SystemTime};

use autopgo_core::port::blobs::When;
use jiff::Timestamp;

use super::{Harness, holds, holds_nothing, put, read};
use crate::verdict::{Broken, Verdict, ensure, same};

pub(super) async fn what_is_written_is_read(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    for when in [When::Always, When::Absent] {
        let key = format!("app/{when:?}");
        let version = store.write(&key, "first".into(), when).await?;
        holds(&*store, &key, b"first").await?;
        same("the version of the write and of the read", &version, &read(&*store, &key).await?.version)?;
        holds(&*harness.open().await?, &key, b"first").await?;
    }
    Ok(())
}

pub(super) async fn nothing_there_is_none(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    holds_nothing(&*store, "app/default.pgo").await?;
    put(&*store, "app/staging/1", "x").await?;
    // What only looks like a folder is no object, and nothing lies under an object.
    for key in ["app", "app/staging", "app/staging/", "app/staging/1/", "app/staging/1/2", "app/staging/10"] {
        holds_nothing(&*store, key).await?;
    }
    Ok(())
}

pub(super) async fn a_second_write_replaces(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    for bytes in ["a long first content", "short", "a much, much longer third content"] {
        put(&*store, "app/default.pgo", bytes).await?;
        holds(&*store, "app/default.pgo", bytes.as_bytes()).await?;
    }
    Ok(())
}

pub(super) async fn any_bytes_are_kept(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    // What begins as gzip does, stores that serve files to browsers like to unpack.
    let gzip =
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b\x4c\x4a\x06\x00\xc2\x41\x24\x35\x03\x00\x00\x00";
    let all: Vec<u8> = (0..=u8::MAX).cycle().take(1000).collect();
    for bytes in [&gzip[..], &all, b"\r\n\n\0", b"{\"json\": 1}", b"\xef\xbb\xbftext"] {
        put(&*store, "app/default.pgo", bytes.to_vec()).await?;
        holds(&*store, "app/default.pgo", bytes).await?;
    }
    Ok(())
}

pub(super) async fn keys_mean_themselves(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    let keys = [
        "a/default.pgo",
        "a-b/staging/1730075435311000000-00c0ffee",
        "a/rejected/1730075435311000000-00c0ffee.json",
        "top",
        "a b/c+d",
        "per%20cent/%2F",
        "Case/A",
        "Case/a",
        "..x/y..",
        "d\u{e9}j\u{e0}/vu",
        "q?x=1&y#z",
    ];
    for key in keys {
        put(&*store, key, key.to_owned()).await?;
    }
    for key in keys {
        holds(&*store, key, key.as_bytes()).await?;
    }
    for other in ["per cent/%2F", "per%20cent//", "q", "CASE/a", "x/y..", "a%20b/c+d", "a b/c d"] {
        holds_nothing(&*store, other).await?;
    }
    Ok(())
}

pub(super) async fn it_is_there_when_opened_again(harness: &dyn Harness) -> Verdict {
    let first = harness.open().await?;
    let version = put(&*first, "app/default.pgo", "kept").await?;
    drop(first);
    let second = harness.open().await?;
    holds(&*second, "app/default.pgo", b"kept").await?;
    second.write("app/default.pgo", "newer".into(), When::Is(version)).await?;
    holds(&*second, "app/default.pgo", b"newer").await
}

pub(super) async fn a_deleted_object_is_gone(harness: &dyn Harness) -> Verdict {
    let (store, other) = (harness.open().await?, harness.open().await?);
    let others = ["app/10", "app/1.json", "app/2", "app-1"];
    put(&*store, "app/1", "x").await?;
    for key in others {
        put(&*store, key, "x").await?;
    }
    store.delete("app/1").await?;
    holds_nothing(&*store, "app/1").await?;
    holds_nothing(&*other, "app/1").await?;
    for key in others {
        holds(&*store, key, b"x").await?;
    }
    put(&*store, "app/1", "again").await?;
    holds(&*other, "app/1", b"again").await
}

pub(super) async fn deleting_nothing_is_fine(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    store.delete("app/1").await?;
    put(&*store, "app/1", "x").await?;
    for key in ["app/1", "app/1", "app/1/2", "app", "other/1"] {
        store.delete(key).await?;
    }
    holds_nothing(&*store, "app/1").await
}

pub(super) async fn a_look_agrees_with_a_read(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    for bytes in ["x", "two words", ""] {
        let version = put(&*store, "app/1", bytes).await?;
        let object = read(&*store, "app/1").await?;
        let stat = store.stat("app/1").await?.ok_or_else(|| Broken::new("stat finds nothing"))?;
        same("the size", &stat.size, &(bytes.len() as u64))?;
        same("the version of stat and of the write", &stat.version, &version)?;
        same("the version of stat and of the read", &stat.version, &object.version)?;
        same("the time of stat and of the read", &stat.modified, &object.modified)?;
    }
    Ok(())
}

pub(super) async fn times_are_sane(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    let before = now(Duration::ZERO, harness.skew())?;
    put(&*store, "app/1", "x").await?;
    let first = read(&*store, "app/1").await?.modified;
    put(&*store, "app/1", "y").await?;
    let second = read(&*store, "app/1").await?.modified;
    let after = now(harness.skew(), Duration::ZERO)?;
    ensure(before <= first && first <= second && second <= after, || {
        format!("written at {first}, again at {second}; that should lie between {before} and {after}")
    })
}

pub(super) async fn check_answers(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    store.check().await?;
    put(&*store, "app/1", "x").await?;
    store.check().await?;
    // Checking leaves nothing behind that a listing shows.
    super::listing::lists(&*store, "", None, &["app/1"]).await
}

pub(super) async fn a_missing_store_is_named(harness: &dyn Harness) -> Verdict {
    let (store, name) = harness.missing().await?;
    match store.check().await {
        Ok(()) => Err(Broken::new(format!("{name} is not there, and check finds nothing wrong"))),
        Err(error) => ensure(error.chain().contains(&name), || {
            format!("the error should name {name}: {}", error.chain())
        }),
    }
}

fn now(plus: Duration, minus: Duration) -> Result<Timestamp, Broken> {
    Timestamp::try_from(SystemTime::now() + plus - minus).map_err(|error| Broken::new(error.to_string()))
}
