//! A store that is reached over a network: who is let in, what is tried again and what never is, and when it ends.

use std::io::Write;
use std::time::{Duration, Instant};

use autopgo_core::error::{Kind, Result};
use autopgo_core::port::blobs::{Blobs, When};
use futures_util::TryStreamExt;

use super::{Harness, holds, holds_nothing, is_kind, put, read};
use crate::proxy::{Fault, Proxy};
use crate::verdict::{Broken, Verdict, ensure, same};

/// How long a call may take when the store answers each try with an error, or never.
const BOUND: Duration = Duration::from_secs(60);
/// How often a call may be tried.
const TRIES: usize = 8;

pub(super) async fn a_stranger_is_denied(harness: &dyn Harness) -> Verdict {
    let Some(stranger) = harness.stranger().await? else {
        return nothing_to_try("it asks nobody who they are");
    };
    let store = harness.open().await?;
    put(&*store, "app/1", "kept").await?;
    for (what, outcome) in calls(&*stranger, "app/1").await {
        match outcome {
            Ok(()) => return Err(Broken::new(format!("{what}: wrong credentials are let in"))),
            Err(error) => is_kind(what, Kind::Denied, &error)?,
        }
    }
    for when in [When::Absent, When::Is(read(&*store, "app/1").await?.version)] {
        match stranger.write("app/1", "evil".into(), when).await {
            Ok(_) => return Err(Broken::new("a write with wrong credentials is let in")),
            Err(error) => is_kind("a conditional write", Kind::Denied, &error)?,
        }
    }
    holds(&*store, "app/1", b"kept").await
}

pub(super) async fn a_short_fault_is_ridden_out(harness: &dyn Harness) -> Verdict {
    let Some((proxy, through)) = through(harness).await? else { return Ok(()) };
    put(&*harness.open().await?, "app/1", "kept").await?;
    for fault in [Fault::Answers(503), Fault::Answers(500), Fault::Closes] {
        proxy.always(None);
        for name in CALLS {
            let before = proxy.requests();
            proxy.next(2, fault);
            call(&*through, name, "app/1").await.map_err(|error| {
                Broken::new(format!("{name}: two times {fault:?} is not ridden out: {}", error.chain()))
            })?;
            let tries = proxy.requests() - before;
            ensure((3..=TRIES).contains(&tries), || {
                format!("{name} after two times {fault:?} took {tries} tries")
            })?;
        }
    }
    Ok(())
}

pub(super) async fn a_long_fault_ends(harness: &dyn Harness) -> Verdict {
    let Some((proxy, through)) = through(harness).await? else { return Ok(()) };
    for fault in [Fault::Answers(503), Fault::Closes] {
        proxy.always(Some(fault));
        for name in CALLS {
            let before = (proxy.requests(), Instant::now());
            gives_up(&format!("{name} with {fault:?} for ever"), call(&*through, name, "app/1").await)?;
            let tries = proxy.requests() - before.0;
            ensure((1..=TRIES).contains(&tries), || format!("{name} was tried {tries} times"))?;
            ensure(before.1.elapsed() < BOUND, || format!("{name} took {:?}", before.1.elapsed()))?;
        }
    }
    Ok(())
}

pub(super) async fn a_silent_store_is_given_up_on(harness: &dyn Harness) -> Verdict {
    let Some((proxy, through)) = through(harness).await? else { return Ok(()) };
    proxy.always(Some(Fault::IsSilent));
    let begun = Instant::now();
    let reading = async { through.read("app/1", 100).await.map(drop) };
    let writing = async { through.write("app/2", "x".into(), When::Absent).await.map(drop) };
    let listing = call(&*through, "list", "app/1");
    let outcomes = tokio::time::timeout(BOUND, async { tokio::join!(reading, writing, listing) });
    let (read, written, listed) =
        outcomes.await.map_err(|_| Broken::new(format!("it waits for more than {BOUND:?}")))?;
    gives_up("a read without an answer", read)?;
    gives_up("a conditional write without an answer", written)?;
    gives_up("a listing without an answer", listed)?;
    ensure(begun.elapsed() > Duration::from_millis(500), || "it does not wait at all".to_owned())?;
    is_left_alone(&proxy).await
}

pub(super) async fn a_conditional_write_is_sent_once(harness: &dyn Harness) -> Verdict {
    let Some((proxy, through)) = through(harness).await? else { return Ok(()) };
    let store = harness.open().await?;
    for (fault, lands) in
        [(Fault::LosesTheAnswer, true), (Fault::Answers(503), false), (Fault::Closes, false)]
    {
        let key = format!("app/{fault:?}");
        sent_once(&proxy, &*through, &key, fault, When::Absent).await?;
        match lands {
            true => holds(&*store, &key, b"new").await?,
            false => holds_nothing(&*store, &key).await?,
        }
        let version = put(&*store, &key, "old").await?;
        sent_once(&proxy, &*through, &key, fault, When::Is(version)).await?;
        holds(&*store, &key, if lands { b"new" } else { b"old" }).await?;
    }
    Ok(())
}

pub(super) async fn a_call_that_is_dropped_ends(harness: &dyn Harness) -> Verdict {
    let Some((proxy, through)) = through(harness).await? else { return Ok(()) };
    proxy.always(Some(Fault::IsSilent));
    {
        let reading = std::pin::pin!(through.read("app/1", 100));
        let begun = async {
            while proxy.waiting() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            outcome = reading => return Err(Broken::new(format!("a silent store is read: {outcome:?}"))),
            () = begun => {}
        }
    }
    is_left_alone(&proxy).await?;
    // And what comes after it is served.
    proxy.always(None);
    let before = proxy.requests();
    through.check().await?;
    ensure(proxy.requests() > before, || "the proxy is passed by".to_owned())
}

/// Nobody waits for an answer any more.
async fn is_left_alone(proxy: &Proxy) -> Verdict {
    let deadline = Instant::now() + Duration::from_secs(10);
    while proxy.waiting() > 0 {
        ensure(Instant::now() < deadline, || "a request goes on though nobody waits for it".to_owned())?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// A conditional write that meets the fault: its outcome is unknown, and it reached the store once.
async fn sent_once(proxy: &Proxy, through: &dyn Blobs, key: &str, fault: Fault, when: When) -> Verdict {
    proxy.always(None);
    let before = proxy.requests();
    proxy.next(1, fault);
    let what = format!("a write of {when:?} with {fault:?}");
    gives_up(&what, through.write(key, "new".into(), when).await.map(drop))?;
    same(&format!("the tries of {what}"), &(proxy.requests() - before), &1)
}

/// The store of the harness behind a proxy; `None`, said aloud, if there is no network to it.
async fn through(harness: &dyn Harness) -> Result<Option<(Proxy, std::sync::Arc<dyn Blobs>)>, Broken> {
    let Some(upstream) = harness.remote() else {
        nothing_to_try("there is no network to it")?;
        return Ok(None);
    };
    let proxy =
        Proxy::before(upstream).await.map_err(|error| Broken::new(format!("starting the proxy: {error}")))?;
    let through = harness.open_at(proxy.address()).await?;
    // What is asked once, at the first call, is asked now.
    through.check().await?;
    Ok(Some((proxy, through)))
}

fn nothing_to_try(why: &str) -> Verdict {
    // Said aloud, past libtest's capture.
    let _ = writeln!(std::io::stderr(), "nothing to try on this store: {why}");
    Ok(())
}

fn gives_up(what: &str, outcome: Result<()>) -> Verdict {
    match outcome {
        Ok(()) => Err(Broken::new(format!("{what}: it succeeds"))),
        Err(error) => is_kind(what, Kind::Unavailable, &error),
    }
}

/// The calls that may be tried again.
const CALLS: [&str; 7] = ["read", "stat", "write", "copy", "delete", "list", "check"];

async fn call(store: &dyn Blobs, name: &str, key: &str) -> Result<()> {
    match name {
        "read" => store.read(key, 100).await.map(drop),
        "stat" => store.stat(key).await.map(drop),
        "write" => store.write("app/other", "x".into(), When::Always).await.map(drop),
        "copy" => store.copy(key, "app/copy").await.map(drop),
        "delete" => store.delete("app/copy").await,
        "list" => store.list("", None).try_collect::<Vec<_>>().await.map(drop),
        _ => store.check().await,
    }
}

async fn calls(store: &dyn Blobs, key: &str) -> Vec<(&'static str, Result<()>)> {
    let mut outcomes = Vec::new();
    for name in CALLS {
        outcomes.push((name, call(store, name, key).await));
    }
    outcomes
}
