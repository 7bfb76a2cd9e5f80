//! Reads the staged uploads of a merge, as many as may be held at once.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::future::join_all;

use super::Worker;
use crate::app::App;
use crate::error::{Error, Kind};
use crate::key::Id;
use crate::store::Reason;

/// How many staged objects are read at once.
const AT_ONCE: usize = 8;
/// How many packed bytes of staged objects are read, but for the last few objects.
const PACKED: usize = 64 << 20;

/// The staged uploads of a merge.
#[derive(Default)]
pub(super) struct Gathered {
    /// What was read.
    pub(super) uploads: Vec<(Id, Bytes)>,
    /// Larger than an upload can be: to be set aside.
    pub(super) oversize: Vec<(Id, Reason)>,
    /// Could not be read now. The others do not wait for them.
    pub(super) failed: Vec<(Id, Error)>,
    /// Not read yet.
    pub(super) waiting: BTreeSet<Id>,
}

impl Worker {
    /// Reads the staged objects `ids`, in their order. One that is gone was decided by somebody else.
    pub(super) async fn gather(&self, app: &App, ids: Vec<Id>) -> Gathered {
        let mut gathered = Gathered::default();
        let mut packed = 0;
        let mut rest = ids.into_iter();
        while packed < PACKED && !rest.as_slice().is_empty() {
            let few: Vec<Id> = rest.by_ref().take(AT_ONCE).collect();
            let reads = few.into_iter().map(|id| async move { (self.host.store.staged(app, &id).await, id) });
            for (read, id) in join_all(reads).await {
                match read {
                    Ok(Some(bytes)) => {
                        packed += bytes.len();
                        gathered.uploads.push((id, bytes));
                    }
                    Ok(None) => {}
                    Err(error) if error.kind() == Kind::TooLarge => {
                        gathered.oversize.push((id, Reason { message: error.what().to_owned() }));
                    }
                    Err(error) => gathered.failed.push((id, error)),
                }
            }
        }
        gathered.waiting = rest.collect();
        gathered
    }
}
