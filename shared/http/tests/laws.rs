//! The laws of a blob store, on the URLs that a process signs for its own store and serves itself.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autopgo_blob::open::{Environment, open};
use autopgo_conformance::{Gap, blob_laws, blobs::Harness};
use autopgo_core::clock::System;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::health::Checks;
use autopgo_core::host::Host;
use autopgo_core::limits::Limits;
use autopgo_core::memory::bus::{ACK_DEADLINE, MemoryBus};
use autopgo_core::port::blobs::{Blobs, Entry, Object, Signed, Stat, Version, When};
use autopgo_core::port::cpu::Threads;
use autopgo_core::server::Server;
use autopgo_http::process::listen;
use autopgo_http::{Access, Api, Objects};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio_util::sync::{CancellationToken, DropGuard};

blob_laws! { local_mem: Local::memory() }
blob_laws! { local_file: Local::folder() }

/// A store that one process serves.
struct Local {
    /// `None`: it is in memory.
    folder: Option<std::io::Result<TempDir>>,
    environment: Environment,
    serving: OnceCell<Serving>,
}

struct Serving {
    store: Arc<dyn Blobs>,
    _until: DropGuard,
}

impl Local {
    fn memory() -> Self {
        Self { folder: None, environment: Environment::new(Arc::new(System)), serving: OnceCell::new() }
    }

    fn folder() -> Self {
        Self { folder: Some(tempfile::tempdir()), ..Self::memory() }
    }

    fn path(&self) -> Result<Option<PathBuf>> {
        let lost =
            |error: &std::io::Error| Error::new(Kind::Internal, format!("no temporary folder: {error}"));
        let Some(folder) = &self.folder else { return Ok(None) };
        folder.as_ref().map(|folder| Some(folder.path().join("store"))).map_err(lost)
    }

    async fn serve(&self) -> Result<Serving> {
        let url = match self.path()? {
            Some(path) => format!("file://{}?create_dir=1", path.display()),
            None => "mem://laws".to_owned(),
        };
        let clock = Arc::new(System);
        let objects = Objects::over(open(&url, &self.environment).await?, clock.clone());
        let blobs: Arc<dyn Blobs> = Arc::new(objects.clone());
        let bus = Arc::new(MemoryBus::new(clock.clone(), ACK_DEADLINE));
        let limits = Limits::default();
        let host = Host::new(blobs, bus, clock, Arc::new(Threads::per_core()), limits.clone());
        let router =
            Api::new(Server::new(host), Checks::default(), Access::open()).objects(objects.clone()).router();
        let listener = listen::bind(([127, 0, 0, 1], 0).into()).await?;
        let address =
            listener.local_addr().map_err(|error| Error::new(Kind::Internal, "listening").because(error))?;
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let grace = Duration::from_secs(1);
        tokio::spawn(async move { listen::run(listener, router, &limits, stopped, grace).await });
        Ok(Serving { store: Arc::new(Found { objects, address }), _until: stop.drop_guard() })
    }
}

/// The store as a client of the API finds it: URLs without a host are relative to where they were asked for.
struct Found {
    objects: Objects,
    address: SocketAddr,
}

impl Found {
    fn absolute(&self, at: &str, signed: Option<Signed>) -> Result<Option<Signed>> {
        let Some(signed) = signed else { return Ok(None) };
        let asked = reqwest::Url::parse(&format!("http://{}{at}", self.address));
        let url = asked.and_then(|asked| asked.join(&signed.url));
        let url = url.map_err(|error| Error::new(Kind::Internal, "a signed URL is none").because(error))?;
        Ok(Some(Signed { url: url.into(), ..signed }))
    }
}

#[async_trait]
impl Blobs for Found {
    async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>> {
        self.objects.read(key, limit).await
    }

    async fn stat(&self, key: &str) -> Result<Option<Stat>> {
        self.objects.stat(key).await
    }

    async fn write(&self, key: &str, bytes: Bytes, when: When) -> Result<Version> {
        self.objects.write(key, bytes, when).await
    }

    async fn copy(&self, from: &str, to: &str) -> Result<bool> {
        self.objects.copy(from, to).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.objects.delete(key).await
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'_, Result<Entry>> {
        self.objects.list(prefix, after)
    }

    async fn sign_put(&self, key: &str, size: u64, lasts: Duration) -> Result<Option<Signed>> {
        self.absolute("/api/profile/app/uploads", self.objects.sign_put(key, size, lasts).await?)
    }

    async fn sign_get(&self, key: &str, lasts: Duration) -> Result<Option<Signed>> {
        self.absolute("/api/profile/app", self.objects.sign_get(key, lasts).await?)
    }

    async fn check(&self) -> Result<()> {
        self.objects.check().await
    }
}

#[async_trait]
impl Harness for Local {
    async fn open(&self) -> Result<Arc<dyn Blobs>> {
        let serving = self.serving.get_or_try_init(|| self.serve()).await?;
        Ok(Arc::clone(&serving.store))
    }

    async fn missing(&self) -> Result<(Arc<dyn Blobs>, String)> {
        let store = self.open().await?;
        let Some(folder) = self.path()? else {
            return Err(Error::new(Kind::Invalid, "a store in memory is made by asking for it"));
        };
        std::fs::remove_dir_all(&folder)
            .map_err(|error| Error::new(Kind::Internal, "removing the store").because(error))?;
        Ok((store, folder.display().to_string()))
    }

    fn signs(&self) -> bool {
        true
    }

    async fn stranger(&self) -> Result<Option<Arc<dyn Blobs>>> {
        Ok(None)
    }

    fn remote(&self) -> Option<SocketAddr> {
        None
    }

    fn gaps(&self) -> &[Gap] {
        const MEMORY: &[Gap] =
            &[Gap::always("a_missing_store_is_named", "a store in memory is made by asking for it")];
        if self.folder.is_some() { &[] } else { MEMORY }
    }
}
