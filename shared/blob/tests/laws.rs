//! The laws of a blob store, on the stores that are always built in.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use autopgo_blob::open::{Environment, open};
use autopgo_conformance::{Gap, blob_laws, blobs::Harness};
use autopgo_core::clock::System;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::blobs::Blobs;
use tempfile::TempDir;

blob_laws! { mem: Memory::new("") }
blob_laws! { mem_with_prefix: Memory::new("?prefix=team/") }
blob_laws! { file: Folder::new("create_dir=1") }
blob_laws! { file_with_prefix: Folder::new("create_dir=1&prefix=team-") }

struct Memory {
    environment: Environment,
    query: &'static str,
}

impl Memory {
    fn new(query: &'static str) -> Self {
        Self { environment: Environment::new(Arc::new(System)), query }
    }
}

#[async_trait]
impl Harness for Memory {
    async fn open(&self) -> Result<Arc<dyn Blobs>> {
        open(&format!("mem://laws{}", self.query), &self.environment).await
    }

    async fn missing(&self) -> Result<(Arc<dyn Blobs>, String)> {
        Err(Error::new(Kind::Invalid, "a store in memory is made by asking for it"))
    }

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
        const { &[Gap::always("a_missing_store_is_named", "a store in memory is made by asking for it")] }
    }
}

struct Folder {
    folder: std::io::Result<TempDir>,
    query: &'static str,
}

impl Folder {
    fn new(query: &'static str) -> Self {
        Self { folder: tempfile::tempdir(), query }
    }

    fn path(&self) -> Result<PathBuf> {
        let folder = self.folder.as_ref().map(|folder| folder.path().join("store"));
        folder.map_err(|error| Error::new(Kind::Internal, format!("no temporary folder: {error}")))
    }
}

#[async_trait]
impl Harness for Folder {
    async fn open(&self) -> Result<Arc<dyn Blobs>> {
        let url = format!("file://{}?{}", self.path()?.display(), self.query);
        // An environment each: nothing in the process is shared but the folder.
        open(&url, &Environment::new(Arc::new(System))).await
    }

    async fn missing(&self) -> Result<(Arc<dyn Blobs>, String)> {
        let (store, folder) = (self.open().await?, self.path()?);
        std::fs::remove_dir_all(&folder)
            .map_err(|error| Error::new(Kind::Internal, "removing the store").because(error))?;
        Ok((store, folder.display().to_string()))
    }

    fn signs(&self) -> bool {
        false
    }

    async fn stranger(&self) -> Result<Option<Arc<dyn Blobs>>> {
        Ok(None)
    }

    fn remote(&self) -> Option<SocketAddr> {
        None
    }
}
