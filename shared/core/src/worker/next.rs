//! The next base of an application, from the bytes of the present one and of uploads: all of an attempt that only computes.
//!
//! It is one piece, but where the store must be asked of old ids in between. A base takes many times its room when it is
//! unpacked; so no more of them are held than there are cores, however many merges wait for the store.

use std::collections::BTreeSet;

use autopgo_pprof::{Profile, on_cores};
use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use super::fold::{Fold, Folded, Old};
use crate::base::{self, Base};
use crate::error::{Error, Kind, Result};
use crate::key::Id;
use crate::ledger::Ledger;
use crate::store::Reason;

/// How many ids a ledger may name: the room that a base has beside its data. Filling it takes 200 uploads a second of
/// one application for as long as the grace time.
const LEDGER: usize = crate::limits::LEDGER / 2;

/// From how many bytes on others help with a merge. A thread that is there for one merge costs its start, and memory that
/// the allocator keeps for longer.
const MUCH: usize = 128 << 10;

/// What was read from the store, in this order.
pub(super) struct Present {
    /// The base, if there is one.
    pub(super) bytes: Option<Bytes>,
    /// The uploads that are to be merged.
    pub(super) ids: BTreeSet<Id>,
    /// Those of them that could be read.
    pub(super) uploads: Vec<(Id, Bytes)>,
}

/// What is to be done about them.
pub(super) struct Made {
    /// Those that the present base names: they are decided.
    pub(super) named: BTreeSet<Id>,
    /// Those that are in the next base.
    pub(super) merged: Vec<Id>,
    /// Those that are to be set aside, each with its reason.
    pub(super) rejected: Vec<(Id, Reason)>,
    /// Those that are left for another attempt: more than can be held, or than fit at once.
    pub(super) left: Vec<Id>,
    /// Whether the next base was compacted because it would have passed a limit.
    pub(super) squeezed: bool,
    /// The next base, if it has anything new.
    pub(super) next: Option<Next>,
}

/// A base to write.
pub(super) enum Next {
    /// As it is.
    Whole(Bytes),
    /// Its ledger has ids that may leave.
    Waits(Box<Unwritten>),
}

/// A base that waits to be told which of its old ids are gone.
pub(super) struct Unwritten {
    profile: Profile,
    ledger: Ledger,
    old: Vec<Id>,
    write: Uuid,
    fold: Fold,
}

impl Present {
    /// Folds the uploads into the base. `write` must be fresh.
    ///
    /// # Errors
    /// When the base is no profile, is too large by itself, or has no room for the ids of the uploads.
    pub(super) fn next(self, fold: Fold, now: Timestamp, write: Uuid) -> Result<Made> {
        let spare = fold.cpu.spare(if self.is_much() { self.uploads.len().max(1) } else { 0 });
        let cores = 1 + spare.count();
        on_cores(cores, || self.next_on(cores, fold, now, write))
    }

    fn next_on(self, cores: usize, fold: Fold, now: Timestamp, write: Uuid) -> Result<Made> {
        let Self { bytes, mut ids, uploads } = self;
        let mut ledger = Ledger::default();
        let (folded, named) = fold.run(cores, &uploads, || {
            let base = match &bytes {
                Some(bytes) => base::of(&fold.app, bytes, &fold.limits.base())?,
                None => Base::default(),
            };
            ledger = base.ledger;
            ids.retain(|id| ledger.decided.contains(id));
            let old = base.profile.zip(bytes).map(|(profile, bytes)| Old { profile, bytes });
            Ok((old, ids))
        })?;
        let Folded { whole, merged, rejected, left, squeezed } = folded;
        let next = whole.map(|profile| Unwritten::new(profile, ledger, &merged, now, write, fold).ready());
        Ok(Made { named, merged, rejected, left, squeezed, next: next.transpose()? })
    }

    /// Whether others help, if they have nothing else to do.
    fn is_much(&self) -> bool {
        let uploads = self.uploads.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        uploads + self.bytes.as_ref().map_or(0, Bytes::len) >= MUCH
    }
}

impl Unwritten {
    fn new(
        profile: Profile,
        mut ledger: Ledger,
        merged: &[Id],
        now: Timestamp,
        write: Uuid,
        fold: Fold,
    ) -> Self {
        let old = ledger.old(now);
        ledger.decided.extend(merged.iter().cloned());
        Self { profile, ledger, old, write, fold }
    }

    /// The bytes at once, if nobody need be asked for them.
    fn ready(self) -> Result<Next> {
        if self.old.is_empty() { self.without(&[]).map(Next::Whole) } else { Ok(Next::Waits(Box::new(self))) }
    }

    /// The ids of which the store is to be asked, in their order.
    pub(super) fn old(&self) -> &[Id] {
        &self.old
    }

    /// The bytes to write, when these ids are forgotten.
    ///
    /// # Errors
    /// `Unavailable` if there is no room for all the others.
    pub(super) fn without(mut self, gone: &[Id]) -> Result<Bytes> {
        for id in gone {
            self.ledger.decided.remove(id);
        }
        if self.ledger.decided.len() > LEDGER {
            let app = &self.fold.app;
            let what = format!(
                "{app} had more than {LEDGER} uploads within the grace time; merging goes on when the oldest leave the ledger"
            );
            return Err(Error::new(Kind::Unavailable, what));
        }
        self.ledger.put(&mut self.profile, self.write, self.fold.limits.comments);
        Ok(self.profile.write().into())
    }
}
