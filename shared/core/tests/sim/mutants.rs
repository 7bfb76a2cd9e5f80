//! The core with one of its rules taken out, so that the simulation proves that it would notice. A rule is taken out
//! by standing between the core and its store: production code has no switch for it. What each one breaks, and the
//! shortest way there, was first found with a model checker.

mod bytes;
mod order;
mod outcome;

use std::sync::Arc;
use std::time::Duration;

use ::bytes::Bytes;
use async_trait::async_trait;
use autopgo_core::error::Result;
use autopgo_core::key::{Key, Place};
use autopgo_core::port::blobs::{Blobs, Entry, Object, Signed, Stat, Version, When};
use autopgo_core::port::bus::Topic;
use futures_util::stream::BoxStream;

use super::executor::Process;

/// A rule that is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// The ledger of the base is not looked at.
    NoLedgerCheck,
    /// `profile.merged` is published before the base is written.
    MergedBeforeWrite,
    /// An upload is set aside by removing it first and writing the copy then.
    RemoveThenCopy,
    /// Staged objects are read before the base.
    StagedBeforeBase,
    /// Bases are written without a condition.
    UnconditionalWrite,
    /// Which ids are still staged is found out before the base is read.
    ListBeforeBase,
    /// What does not fit is set aside before the write has won.
    RejectBeforeWrite,
    /// Bases carry no unique comment.
    NoUniqueComment,
    /// A deletion reads the base before it lists staging.
    DeletionReadsBaseFirst,
    /// The empty base of a deleted application has no ledger.
    EmptyWithoutLedger,
    /// A write with an unknown outcome is taken as done.
    UnknownIsSuccess,
    /// An id leaves the ledger as soon as its staged object is gone.
    NoGrace,
    /// What was put with a ticket is removed before it is staged.
    RemovedBeforeStaged,
    /// A completion that finds nothing looks at the ledger first and at what is staged then.
    LedgerBeforeStaged,
    /// A ticket can be completed for ever (see `actors.rs`).
    EndlessTicket,
}

impl Mutant {
    /// `blobs` as a core with this rule taken out sees it.
    pub(crate) fn over(
        self,
        process: Process,
        blobs: Arc<dyn Blobs>,
        topic: Arc<dyn Topic>,
    ) -> Arc<dyn Blobs> {
        fn twisted(inner: Arc<dyn Blobs>, twist: impl Twist + 'static) -> Arc<dyn Blobs> {
            Arc::new(Twisted { inner, twist })
        }
        match self {
            Self::NoLedgerCheck => twisted(blobs, bytes::NoLedgerCheck),
            Self::NoUniqueComment => twisted(blobs, bytes::NoUniqueComment),
            // The base of an idle service is empty too.
            Self::EmptyWithoutLedger if process.0 != "server" => blobs,
            Self::EmptyWithoutLedger => twisted(blobs, bytes::EmptyWithoutLedger),
            Self::NoGrace => twisted(blobs, bytes::NoGrace),
            Self::MergedBeforeWrite => twisted(blobs, order::MergedBeforeWrite(topic)),
            Self::RemoveThenCopy => twisted(blobs, order::RemoveThenCopy),
            Self::StagedBeforeBase => twisted(blobs, order::StagedBeforeBase::default()),
            Self::ListBeforeBase => twisted(blobs, order::ListBeforeBase::default()),
            Self::RejectBeforeWrite => twisted(blobs, order::RejectBeforeWrite::default()),
            // Workers list before they read for another reason too.
            Self::DeletionReadsBaseFirst if process.0 != "server" => blobs,
            Self::DeletionReadsBaseFirst => twisted(blobs, order::DeletionReadsBaseFirst::default()),
            Self::RemovedBeforeStaged => twisted(blobs, order::RemovedBeforeStaged),
            Self::LedgerBeforeStaged if process.0 != "server" => blobs,
            Self::LedgerBeforeStaged => twisted(blobs, order::LedgerBeforeStaged::default()),
            Self::EndlessTicket => blobs,
            Self::UnconditionalWrite => twisted(blobs, outcome::UnconditionalWrite),
            Self::UnknownIsSuccess => twisted(blobs, outcome::UnknownIsSuccess),
        }
    }
}

/// What is done differently; the rest goes through.
#[async_trait]
trait Twist: Send + Sync {
    async fn read(&self, inner: &dyn Blobs, key: &str, limit: u64) -> Result<Option<Object>> {
        inner.read(key, limit).await
    }

    async fn stat(&self, inner: &dyn Blobs, key: &str) -> Result<Option<Stat>> {
        inner.stat(key).await
    }

    async fn write(&self, inner: &dyn Blobs, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        inner.write(key, bytes, when).await
    }

    async fn copy(&self, inner: &dyn Blobs, from: &str, to: &str) -> Result<bool> {
        inner.copy(from, to).await
    }

    fn list<'a>(
        &'a self,
        inner: &'a dyn Blobs,
        prefix: &str,
        after: Option<&str>,
    ) -> BoxStream<'a, Result<Entry>> {
        inner.list(prefix, after)
    }
}

struct Twisted<T> {
    inner: Arc<dyn Blobs>,
    twist: T,
}

#[async_trait]
impl<T: Twist> Blobs for Twisted<T> {
    async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        self.twist.read(&*self.inner, key, limit).await
    }

    async fn stat(&self, key: &str) -> Result<Option<Stat>> {
        self.twist.stat(&*self.inner, key).await
    }

    async fn write(&self, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        self.twist.write(&*self.inner, key, bytes, when).await
    }

    async fn copy(&self, from: &str, to: &str) -> Result<bool> {
        self.twist.copy(&*self.inner, from, to).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.inner.delete(key).await
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'_, Result<Entry>> {
        self.twist.list(&*self.inner, prefix, after)
    }

    async fn sign_put(&self, key: &str, size: u64, lasts: Duration) -> Result<Option<Signed>> {
        self.inner.sign_put(key, size, lasts).await
    }

    async fn sign_get(&self, key: &str, lasts: Duration) -> Result<Option<Signed>> {
        self.inner.sign_get(key, lasts).await
    }

    async fn check(&self) -> Result<()> {
        self.inner.check().await
    }
}

/// The key, if it is a base's.
fn base(key: &str) -> Option<Key> {
    Key::parse(key).filter(|key| key.place == Place::Base)
}

/// Whether the key is that of what was put with a ticket.
fn incoming(key: &str) -> bool {
    Key::parse(key).is_some_and(|key| matches!(key.place, Place::Incoming(_)))
}

/// The key, if it is a staged upload's.
fn staged(key: &str) -> Option<Key> {
    Key::parse(key).filter(|key| matches!(key.place, Place::Staged(_)))
}
