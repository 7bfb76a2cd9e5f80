//! Many at once. Every contender opens the store for itself, as another process would.

use std::sync::Arc;
use std::time::Instant;

use autopgo_core::error::{Kind, Result};
use autopgo_core::port::blobs::{Blobs, Version, When};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{Harness, put, read};
use crate::verdict::{Broken, Verdict, ensure, same};

const CONTENDERS: usize = 16;
const WRITERS: usize = 8;
const INCREMENTS: usize = 25;
const DELETES: u32 = 32;

pub(super) async fn one_of_many_creators_wins(harness: &dyn Harness) -> Verdict {
    for round in 0..4 {
        one_wins(harness, &format!("app/{round}"), &When::Absent).await?;
    }
    Ok(())
}

pub(super) async fn one_of_many_replacers_wins(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    for round in 0..4 {
        let key = format!("app/{round}");
        let version = put(&*store, &key, "before").await?;
        one_wins(harness, &key, &When::Is(version)).await?;
    }
    Ok(())
}

/// Of many writes under one condition, exactly one is made, and it is the one that is read.
async fn one_wins(harness: &dyn Harness, key: &str, when: &When) -> Verdict {
    let start = Arc::new(Barrier::new(CONTENDERS));
    let mut contenders = JoinSet::new();
    for n in 0..CONTENDERS {
        let (store, start) = (harness.open().await?, Arc::clone(&start));
        let (key, when) = (key.to_owned(), when.clone());
        contenders.spawn(async move {
            start.wait().await;
            (n, store.write(&key, format!("by {n}").into(), when).await)
        });
    }
    let mut won: Vec<(usize, Version)> = Vec::new();
    while let Some(outcome) = contenders.join_next().await {
        match outcome? {
            (n, Ok(version)) => won.push((n, version)),
            (_, Err(error)) => super::is_kind("losing a race", Kind::Conflict, &error)?,
        }
    }
    let [(winner, version)] = &won[..] else {
        return Err(Broken::new(format!("{} of {CONTENDERS} writes were made under {when:?}", won.len())));
    };
    let object = read(&*harness.open().await?, key).await?;
    ensure(object.bytes == format!("by {winner}"), || {
        format!("{winner} won, and {:?} is there", object.bytes)
    })?;
    same("the version of the winner and of the read", version, &object.version)
}

pub(super) async fn no_increment_is_lost(harness: &dyn Harness) -> Verdict {
    let store = harness.open().await?;
    store.write("app/counter", "0".into(), When::Absent).await?;
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let store = harness.open().await?;
        writers.spawn(async move {
            for _ in 0..INCREMENTS {
                increment(&*store, "app/counter").await?;
            }
            Ok::<(), Broken>(())
        });
    }
    while let Some(outcome) = writers.join_next().await {
        outcome??;
    }
    super::holds(&*store, "app/counter", (WRITERS * INCREMENTS).to_string().as_bytes()).await
}

/// Adds one by compare-and-swap, again and again until nobody was faster.
async fn increment(store: &dyn Blobs, key: &str) -> Verdict {
    loop {
        let object = read(store, key).await?;
        let count: u64 = std::str::from_utf8(&object.bytes)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| Broken::new(format!("{:?} is no count", object.bytes)))?;
        match store.write(key, (count + 1).to_string().into(), When::Is(object.version)).await {
            Ok(_) => return Ok(()),
            Err(error) => super::is_kind("losing a race", Kind::Conflict, &error)?,
        }
    }
}

pub(super) async fn readers_see_whole_objects(harness: &dyn Harness) -> Verdict {
    // A number, then a body whose length and bytes follow from it.
    let content = |n: usize| -> Vec<u8> {
        let mut bytes = (n as u64).to_le_bytes().to_vec();
        bytes.resize(8 + n * 7919 % 300_000, n as u8);
        bytes
    };
    let store = harness.open().await?;
    put(&*store, "app/1", content(0)).await?;
    let writer = tokio::spawn(async move {
        for n in 1..60 {
            put(&*store, "app/1", content(n)).await?;
        }
        Ok::<(), Broken>(())
    });
    let store = harness.open().await?;
    let (mut reads, mut last) = (0, 0);
    while !writer.is_finished() || reads < 2 {
        let object = read(&*store, "app/1").await?;
        let n = object.bytes.first_chunk().map_or(usize::MAX, |number| u64::from_le_bytes(*number) as usize);
        ensure(n < 60 && object.bytes == content(n), || {
            format!("a read of {} bytes is torn", object.bytes.len())
        })?;
        ensure(last <= n, || format!("write {n} is read after write {last}"))?;
        (reads, last) = (reads + 1, n);
    }
    writer.await??;
    super::holds(&*store, "app/1", &content(59)).await
}

pub(super) async fn a_replacer_never_brings_back_the_deleted(harness: &dyn Harness) -> Verdict {
    let (deleter, replacer) = (harness.open().await?, harness.open().await?);
    // Large, so that whatever a store does between its look at the version and the write takes a while.
    let before = vec![7; 4 << 20];
    let version = put(&*deleter, "app/0", before.clone()).await?;
    let start = Instant::now();
    replacer.write("app/0", "after".into(), When::Is(version)).await?;
    let takes = start.elapsed();
    for round in 1..=DELETES {
        let key = format!("app/{round}");
        let version = put(&*deleter, &key, before.clone()).await?;
        let delete = async {
            // At another moment of the replacement each round.
            tokio::time::sleep(takes * round / DELETES).await;
            deleter.delete(&key).await
        };
        let replace = replacer.write(&key, "after".into(), When::Is(version));
        let (deleted, replaced): (Result<()>, Result<Version>) = tokio::join!(delete, replace);
        deleted?;
        if let Err(error) = replaced {
            super::is_kind("replacing while it is deleted", Kind::Conflict, &error)?;
        }
        // Whichever came first: the delete took what was there, and nothing was made from nothing.
        super::holds_nothing(&*deleter, &key).await?;
    }
    Ok(())
}
