//! What lies in the store, in order, from anywhere in it.

use std::collections::BTreeSet;

use autopgo_core::port::blobs::{Blobs, Entry};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Harness, put};
use crate::verdict::{Broken, Verdict, ensure, same};

/// Beside a `/` stand the bytes that sort before it (`-`, `.`, a space, `!`) and after it (`0`, `_`, `a`): walking
/// folder by folder gets these wrong.
const KEYS: [&str; 24] = [
    "a",
    "a b/x",
    "a!/x",
    "a-",
    "a-b/default.pgo",
    "a-b/staging/1730075435311000000-00c0ffee",
    "a.b",
    "a/default.pgo",
    "a/rejected/1730075435311000000-00c0ffee.json",
    "a/staging/1730075435311000000-00c0ffee",
    "a/staging/1730075435311000000-00c0ffef",
    "a/staging/1730075435311000001-00c0ffee",
    "a0/default.pgo",
    "aa/default.pgo",
    "a_b/default.pgo",
    "b/1",
    "b/1-1",
    "b/10",
    "b/1.0/x",
    "b/A",
    "b/a",
    "b/\u{e9}",
    "default.pgo",
    "z/deep/er/and/deeper/still",
];

/// A store of files has no object under the name of a folder.
fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.into_iter().filter(|key| *key != "a")
}

pub(super) async fn a_listing_is_in_the_order_of_bytes(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    lists(&*store, "", None, &[]).await?;
    let mut expected: Vec<&str> = keys().collect();
    for key in &expected {
        put(&*store, key, "x").await?;
    }
    expected.sort_unstable();
    lists(&*store, "", None, &expected).await?;
    lists(&*harness.open().await?, "", None, &expected).await
}

pub(super) async fn prefix_and_after_narrow_a_listing(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    let all: BTreeSet<&str> = keys().collect();
    for key in &all {
        put(&*store, key, "x").await?;
    }
    let prefixes = [
        "",
        "a",
        "a-",
        "a/",
        "a/s",
        "a/staging",
        "a/staging/",
        "a/staging/1730075435311000000",
        "a/default.pgo",
        "a/default.pgo/",
        "b/1",
        "b/\u{e9}",
        "c",
        "z/deep/",
        "z/deep/er/and/deeper/still",
        "z/deep/er/and/deeper/still-",
        "nothing/here/",
        "//",
        "../",
        "/",
    ];
    let afters = [
        None,
        Some("a"),
        Some("a-"),
        Some("a-b/staging/"),
        Some("a/"),
        Some("a/default.pgo"),
        Some("a/staging"),
        Some("a/staging/1730075435311000000-00c0ffee"),
        Some("a/staging/1730075435311000000-00c0ffee\u{1}"),
        Some("a/staging/\u{10ffff}"),
        Some("a0"),
        Some("b/1"),
        Some("b/1.0"),
        Some("z/deep/er/and/deeper/still"),
        Some("zz"),
        Some("!"),
    ];
    for prefix in prefixes {
        for after in afters {
            let expected: Vec<&str> = all
                .iter()
                .copied()
                .filter(|key| key.starts_with(prefix) && after.is_none_or(|after| *key > after))
                .collect();
            lists(&*store, prefix, after, &expected).await?;
        }
    }
    Ok(())
}

pub(super) async fn a_listing_goes_past_a_page(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    // Every cloud ends a page at 1,000 keys.
    let keys = many(&*store, 2100).await?;
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    lists(&*store, "app/staging/", None, &keys).await?;
    for at in [0, 998, 999, 1000, 1001, 1999, 2000, 2098, 2099] {
        lists(&*store, "app/staging/", Some(keys[at]), &keys[at + 1..]).await?;
    }
    Ok(())
}

pub(super) async fn a_listing_lives_with_deletes(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    let keys = many(&*store, 1500).await?;
    let mut entries = store.list("app/", None);
    let mut seen: Vec<String> = Vec::new();
    let mut gone = BTreeSet::new();
    while let Some(entry) = entries.try_next().await? {
        seen.push(entry.key);
        // Behind the reader, at its feet and far before it.
        if seen.len().is_multiple_of(50) {
            for at in [seen.len() - 1, seen.len(), seen.len() + 700] {
                if let Some(key) = keys.get(at).filter(|key| gone.insert((*key).clone())) {
                    store.delete(key).await?;
                }
            }
        }
    }
    drop(entries);
    ensure(seen.is_sorted_by(|left, right| left < right), || "keys are out of order, or twice".to_owned())?;
    let seen: BTreeSet<String> = seen.into_iter().collect();
    let missed: Vec<&String> =
        keys.iter().filter(|key| !seen.contains(*key) && !gone.contains(*key)).collect();
    ensure(missed.is_empty(), || format!("these were there all the time and are not listed: {missed:?}"))?;
    let left: Vec<&str> = keys.iter().filter(|key| !gone.contains(*key)).map(String::as_str).collect();
    lists(&*store, "", None, &left).await
}

pub(super) async fn a_listing_agrees_with_a_look(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    for (key, bytes) in [("a/1", ""), ("a/2", "two"), ("b/1", "the third")] {
        put(&*store, key, bytes).await?;
    }
    for entry in entries(&*store, "", None).await? {
        let stat =
            store.stat(&entry.key).await?.ok_or_else(|| Broken::new(format!("{entry:?} is not there")))?;
        same("the size by the listing and by stat", &entry.size, &stat.size)?;
        // Some stores list whole seconds only.
        let apart = entry.modified.duration_since(stat.modified).unsigned_abs();
        ensure(apart.as_millis() < 1000, || {
            format!("{}: listed {}, stat {}", entry.key, entry.modified, stat.modified)
        })?;
    }
    Ok(())
}

/// The listing has exactly these keys, in this order.
pub(super) async fn lists(
    store: &dyn Blobs,
    prefix: &str,
    after: Option<&str>,
    expected: &[&str],
) -> Verdict {
    let keys: Vec<String> = entries(store, prefix, after).await?.into_iter().map(|entry| entry.key).collect();
    ensure(keys == expected, || {
        let first = keys.iter().zip(expected).position(|(left, right)| left != right);
        let first = first.unwrap_or(keys.len().min(expected.len()));
        format!(
            "listing {prefix:?} after {after:?} gives {} keys and not {}; number {first} is {:?} and not {:?}",
            keys.len(),
            expected.len(),
            keys.get(first),
            expected.get(first)
        )
    })
}

async fn entries(store: &dyn Blobs, prefix: &str, after: Option<&str>) -> Result<Vec<Entry>, Broken> {
    Ok(store.list(prefix, after).try_collect().await?)
}

/// Writes this many objects, and gives their keys in order.
async fn many(store: &dyn Blobs, count: usize) -> Result<Vec<String>, Broken> {
    let keys: Vec<String> = (0..count).map(|n| format!("app/staging/{n:019}-00c0ffee")).collect();
    let writes = keys.iter().map(|key| put(store, key, "x"));
    stream::iter(writes).buffer_unordered(32).try_collect::<Vec<_>>().await?;
    Ok(keys)
}
