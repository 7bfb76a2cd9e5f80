//! Rules about what a base says of itself.

use std::borrow::Cow;

use async_trait::async_trait;
use autopgo_core::error::Result;
use autopgo_core::key::Key;
use autopgo_core::ledger::Ledger;
use autopgo_core::port::blobs::{Blobs, Object, Version, When};
use autopgo_pprof::{Limits, Profile};
use bytes::Bytes;

use super::{Twist, base};
use crate::sim::profile::Content;

const BASE: &str = "autopgo:base:";
const DECIDED: &str = "autopgo:decided:";

pub(super) struct NoLedgerCheck;

#[async_trait]
impl Twist for NoLedgerCheck {
    async fn read(&self, inner: &dyn Blobs, key: &str, limit: u64) -> Result<Option<Object>> {
        let object = inner.read(key, limit).await?;
        if base(key).is_none() {
            return Ok(object);
        }
        Ok(object
            .map(|object| Object { bytes: without(&object.bytes, |it| it.starts_with(DECIDED)), ..object }))
    }
}

pub(super) struct NoUniqueComment;

#[async_trait]
impl Twist for NoUniqueComment {
    async fn write(&self, inner: &dyn Blobs, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        let unmarked = |bytes: Bytes| without(&bytes, |comment| comment.starts_with(BASE));
        let bytes = if base(key).is_some() { unmarked(bytes) } else { bytes };
        inner.write(key, bytes, when).await
    }
}

pub(super) struct EmptyWithoutLedger;

#[async_trait]
impl Twist for EmptyWithoutLedger {
    async fn write(&self, inner: &dyn Blobs, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        let empty = base(key).is_some() && content(&bytes).counts.is_empty();
        let bytes = if empty { without(&bytes, |comment| comment.starts_with(DECIDED)) } else { bytes };
        inner.write(key, bytes, when).await
    }
}

pub(super) struct NoGrace;

#[async_trait]
impl Twist for NoGrace {
    async fn write(&self, inner: &dyn Blobs, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        let Some(Key { app, .. }) = base(key) else { return inner.write(key, bytes, when).await };
        let mut profile = Profile::parse(&bytes, &Limits::default()).expect("a base that the core wrote");
        let unique = profile.comments().find_map(|comment| comment.strip_prefix(BASE)?.parse().ok());
        let mut ledger = Ledger::take(&mut profile).expect("a ledger that the core wrote");
        for id in content(&bytes).decided {
            if inner.stat(&Key::staged(&app, &id).to_string()).await?.is_none() {
                ledger.decided.remove(&id);
            }
        }
        ledger.put(&mut profile, unique.expect("a mark of its own"), usize::MAX);
        inner.write(key, profile.write().into(), when).await
    }
}

/// What the core has just written can be read.
pub(super) fn content(base: &[u8]) -> Content {
    Content::read(base).expect("a base that the core wrote")
}

/// A base without some of its comments.
fn without(base: &[u8], dropped: impl Fn(&str) -> bool) -> Bytes {
    let mut profile = Profile::parse(base, &Limits::default()).expect("a base that the core wrote");
    let kept: Vec<String> =
        profile.comments().filter(|comment| !dropped(comment)).map(Cow::into_owned).collect();
    profile.set_comments(kept);
    profile.write().into()
}
