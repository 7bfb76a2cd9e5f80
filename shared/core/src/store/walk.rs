//! One pass over the whole store that need not see every object: whoever walks says what to skip.
//!
//! A listing costs a call a page (1,000 keys on every cloud). Skipped keys are read past while they are few; when a
//! page of them has gone by, the listing starts anew behind them. So ten thousand staged uploads cost a page, and a
//! thousand applications with a few objects each cost no call of their own.

use futures_util::TryStreamExt;

use super::{ProfileStore, stored};
use crate::error::Result;
use crate::key::Key;
use crate::port::blobs::Entry;

/// How many skipped keys in a row are read past before the listing starts anew: a page of the clouds' listings.
const PATIENCE: usize = 1000;

/// What the walker wants to see next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next object.
    Next,
    /// The first object behind this place of this application.
    SkipPlace,
    /// The first object of the next application.
    SkipApp,
}

impl ProfileStore {
    /// Shows `visit` the objects of the store in the order of their keys, but for those that it skips. What is no key
    /// of ours is passed over.
    pub async fn walk(&self, mut visit: impl FnMut(Key, Entry) -> Step) -> Result<()> {
        let mut entries = self.blobs().list("", None);
        let mut until: Option<String> = None;
        let mut skipped = 0;
        while let Some(entry) =
            entries.try_next().await.map_err(|error| stored(error, "listing the store"))?
        {
            if until.as_ref().is_some_and(|until| entry.key <= *until) {
                skipped += 1;
                if skipped == PATIENCE {
                    entries = self.blobs().list("", until.as_deref());
                }
                continue;
            }
            skipped = 0;
            let Some(key) = Key::parse(&entry.key) else { continue };
            let (place, app) = (key.after_place(), key.after_app());
            until = match visit(key, entry) {
                Step::Next => None,
                Step::SkipPlace => Some(place),
                Step::SkipApp => Some(app),
            };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::clock::System;
    use crate::key::Place;
    use crate::limits::Limits;
    use crate::memory::blobs::MemoryBlobs;
    use crate::port::blobs::{Blobs, When};

    #[tokio::test]
    async fn skipping_sees_every_application_and_not_every_object() {
        let blobs = Arc::new(MemoryBlobs::new(Arc::new(System)));
        let mut keys = vec!["stray".to_owned(), "a/other/1".to_owned()];
        for app in ["a", "a-b", "b"] {
            keys.push(format!("{app}/default.pgo"));
            keys.extend((0..3000).map(|n| format!("{app}/staging/{n:019}")));
        }
        for key in keys {
            blobs.write(&key, Bytes::new(), When::Absent).await.expect("written");
        }
        let store = ProfileStore::new(blobs, &Limits::default());

        let mut bases = Vec::new();
        let visit = |key: Key, _| {
            bases.push(key.to_string());
            Step::SkipApp
        };
        store.walk(visit).await.expect("walked");
        assert_eq!(bases, ["a-b/default.pgo", "a/default.pgo", "b/default.pgo"]);

        let mut seen = 0;
        let visit = |key: Key, _| {
            seen += 1;
            if matches!(key.place, Place::Staged(_)) { Step::SkipPlace } else { Step::Next }
        };
        store.walk(visit).await.expect("walked");
        assert_eq!(seen, 6);

        let mut all = 0;
        store
            .walk(|_, _| {
                all += 1;
                Step::Next
            })
            .await
            .expect("walked");
        assert_eq!(all, 9003);
    }
}
