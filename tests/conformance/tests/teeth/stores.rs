//! Stores with one fault each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autopgo_conformance::{Gap, blobs};
use autopgo_core::clock::System;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::memory::blobs::MemoryBlobs;
use autopgo_core::port::blobs::{Blobs, Entry, Object, Signed, Stat, Version, When};
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    WritesUnconditionally,
    CreatesByIs,
    ConflictIsInternal,
    LooksThenWrites,
    KeepsVersions,
    AfterIsInclusive,
    AfterIsIgnored,
    PrefixIsAFolder,
    OnePageOnly,
    FolderOrder,
    DeletesFail,
    CopiesNothing,
    CopyCreates,
    LimitIsOneMore,
    CutsTheLarge,
    EmptyIsNone,
    StatLags,
    StripsSlashes,
    DeleteIsPrefix,
    CheckLeavesAFile,
}

struct Faulty {
    fault: Fault,
    inner: Arc<MemoryBlobs>,
}

#[async_trait]
impl Blobs for Faulty {
    async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        let limit = if self.fault == Fault::LimitIsOneMore { limit + 1 } else { limit };
        let object = self.inner.read(self.key(key), limit).await?;
        Ok(object
            .filter(|object| self.fault != Fault::EmptyIsNone || !object.bytes.is_empty())
            .map(|object| Object { version: self.version(object.version), ..object }))
    }

    async fn stat(&self, key: &str) -> Result<Option<Stat>> {
        let stat = self.inner.stat(self.key(key)).await?;
        let lag = u64::from(self.fault == Fault::StatLags);
        Ok(stat.map(|stat| Stat { version: self.version(stat.version), size: stat.size + lag, ..stat }))
    }

    async fn write(&self, key: &str, mut bytes: Bytes, when: When) -> Result<Version> {
        if self.fault == Fault::CutsTheLarge {
            bytes.truncate(5 << 20);
        }
        let when = match (self.fault, when) {
            (Fault::WritesUnconditionally | Fault::KeepsVersions, _) => When::Always,
            (Fault::CreatesByIs, When::Is(_)) if self.inner.stat(key).await?.is_none() => When::Always,
            (Fault::LooksThenWrites, when) => {
                let now = self.inner.stat(key).await?.map(|stat| stat.version);
                let holds = match &when {
                    When::Always => true,
                    When::Absent => now.is_none(),
                    When::Is(version) => now.as_ref() == Some(version),
                };
                if !holds {
                    return Err(Error::new(Kind::Conflict, "written meanwhile"));
                }
                tokio::task::yield_now().await;
                When::Always
            }
            (_, when) => when,
        };
        let written = self.inner.write(self.key(key), bytes, when).await;
        match written {
            Err(error) if self.fault == Fault::ConflictIsInternal => {
                Err(Error::new(Kind::Internal, error.what()))
            }
            written => Ok(self.version(written?)),
        }
    }

    async fn copy(&self, from: &str, to: &str) -> Result<bool> {
        match self.fault {
            Fault::CopiesNothing => Ok(self.inner.stat(from).await?.is_some()),
            Fault::CopyCreates if self.inner.stat(from).await?.is_none() => {
                self.inner.write(to, Bytes::new(), When::Always).await.map(|_| true)
            }
            _ => self.inner.copy(self.key(from), self.key(to)).await,
        }
    }

    async fn delete(&self, key: &str) -> Result<()> {
        match self.fault {
            Fault::DeletesFail if self.inner.stat(key).await?.is_none() => {
                Err(Error::new(Kind::NotFound, "there is no such object"))
            }
            Fault::DeleteIsPrefix => {
                let keys: Vec<_> = self.inner.list(key, None).collect().await;
                for entry in keys {
                    self.inner.delete(&entry?.key).await?;
                }
                Ok(())
            }
            _ => self.inner.delete(self.key(key)).await,
        }
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'_, Result<Entry>> {
        let all = self.inner.list("", None);
        let (fault, prefix, after) = (self.fault, prefix.to_owned(), after.map(str::to_owned));
        let first = match fault {
            Fault::AfterIsIgnored => None,
            _ => after,
        };
        let chosen = all.filter(move |entry| {
            let key = entry.as_ref().map_or("", |entry| entry.key.as_str());
            let folder = fault == Fault::PrefixIsAFolder && !prefix.is_empty() && !prefix.ends_with('/');
            let within =
                if folder { key.starts_with(&format!("{prefix}/")) } else { key.starts_with(&prefix) };
            let behind = first
                .as_deref()
                .is_none_or(|after| key > after || (fault == Fault::AfterIsInclusive && key == after));
            std::future::ready(within && behind)
        });
        match fault {
            Fault::OnePageOnly => chosen.take(1000).boxed(),
            Fault::FolderOrder => futures_util::stream::once(async move {
                let mut entries: Vec<_> = chosen.collect().await;
                entries.sort_by_key(|entry| {
                    entry
                        .as_ref()
                        .map_or(Vec::new(), |entry| entry.key.split('/').map(str::to_owned).collect())
                });
                futures_util::stream::iter(entries)
            })
            .flatten()
            .boxed(),
            _ => chosen.boxed(),
        }
    }

    async fn sign_put(&self, _: &str, _: u64, _: Duration) -> Result<Option<Signed>> {
        Ok(None)
    }

    async fn sign_get(&self, _: &str, _: Duration) -> Result<Option<Signed>> {
        Ok(None)
    }

    async fn check(&self) -> Result<()> {
        if self.fault == Fault::CheckLeavesAFile {
            self.inner.write("probe", Bytes::new(), When::Always).await?;
        }
        Ok(())
    }
}

impl Faulty {
    fn key<'a>(&self, key: &'a str) -> &'a str {
        if self.fault == Fault::StripsSlashes { key.trim_end_matches('/') } else { key }
    }

    fn version(&self, version: Version) -> Version {
        if self.fault == Fault::KeepsVersions { Version::new("1") } else { version }
    }
}

#[async_trait]
impl blobs::Harness for Faulty {
    async fn open(&self) -> Result<Arc<dyn Blobs>> {
        Ok(Arc::new(Self { fault: self.fault, inner: Arc::clone(&self.inner) }))
    }

    async fn missing(&self) -> Result<(Arc<dyn Blobs>, String)> {
        Ok((self.open().await?, "nowhere".to_owned()))
    }

    /// What signs, and what is far away, has its own test of the laws: `teeth_remote.rs`.
    fn signs(&self) -> bool {
        false
    }

    async fn stranger(&self) -> Result<Option<Arc<dyn Blobs>>> {
        Ok(None)
    }

    fn remote(&self) -> Option<SocketAddr> {
        None
    }

    fn gaps(&self) -> &[Gap] {
        const { &[Gap::always("a_missing_store_is_named", "memory is always there")] }
    }
}

async fn store_breaks(fault: Fault, law: &str) -> bool {
    let harness = Faulty { fault, inner: Arc::new(MemoryBlobs::new(Arc::new(System))) };
    blobs::prove(law, &harness).await.is_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_a_store_is_found() {
    for (fault, found_by) in [
        (Fault::WritesUnconditionally, "absent_creates_once"),
        (Fault::CreatesByIs, "is_on_nothing_is_a_conflict"),
        (Fault::ConflictIsInternal, "a_stale_version_is_a_conflict"),
        (Fault::LooksThenWrites, "no_increment_is_lost"),
        (Fault::KeepsVersions, "every_write_of_other_bytes_is_another_version"),
        (Fault::AfterIsInclusive, "prefix_and_after_narrow_a_listing"),
        (Fault::AfterIsIgnored, "a_listing_goes_past_a_page"),
        (Fault::PrefixIsAFolder, "prefix_and_after_narrow_a_listing"),
        (Fault::OnePageOnly, "a_listing_goes_past_a_page"),
        (Fault::FolderOrder, "a_listing_is_in_the_order_of_bytes"),
        (Fault::DeletesFail, "deleting_nothing_is_fine"),
        (Fault::CopiesNothing, "a_copy_is_the_same_bytes"),
        (Fault::CopyCreates, "copying_nothing_is_false"),
        (Fault::LimitIsOneMore, "the_limit_of_a_read_is_exact"),
        (Fault::CutsTheLarge, "a_large_object_is_whole"),
        (Fault::EmptyIsNone, "an_empty_object_is_an_object"),
        (Fault::StatLags, "a_look_agrees_with_a_read"),
        (Fault::StripsSlashes, "nothing_there_is_none"),
        (Fault::DeleteIsPrefix, "a_deleted_object_is_gone"),
        (Fault::CheckLeavesAFile, "check_answers"),
    ] {
        assert!(store_breaks(fault, found_by).await, "{fault:?} passes {found_by}");
    }
    for law in blobs::LAWS {
        assert!(!store_breaks(Fault::None, law).await, "a good store breaks {law}");
    }
}
