//! The laws of a blob store, and what only S3 has to show, on real servers: `tests/services up` starts them, and
//! `tests/run services` does it all.

#![expect(clippy::expect_used, clippy::panic, reason = "all of it is a test")]

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use autopgo_aws::access::Access;
use autopgo_blob::open::{Environment, open};
use autopgo_blob::probe::honours_conditions;
use autopgo_conformance::proxy::Proxy;
use autopgo_conformance::{Gap, blob_laws, blobs::Harness, gaps, skip};
use autopgo_core::clock::{Clock, System};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::blobs::{Blobs, When};
use aws_sdk_s3::Client;
use futures_util::TryStreamExt;
use tokio::sync::OnceCell;

blob_laws! { minio: S3::new(&MINIO, "") }
blob_laws! { minio_with_prefix: S3::new(&MINIO, "&prefix=team-") }
blob_laws! { s3s_fs: S3::new(&S3S_FS, "") }

/// A server that `tests/services` starts: under its name there is a profile with its credentials, and another, with
/// `-stranger` behind it, whose secret is wrong.
struct Server {
    name: &'static str,
    /// The variable that holds its endpoint.
    variable: &'static str,
    gaps: &'static [Gap],
}

const MINIO: Server = Server { name: "minio", variable: "AUTOPGO_TEST_MINIO_URL", gaps: gaps::MINIO };
const S3S_FS: Server = Server { name: "s3s-fs", variable: "AUTOPGO_TEST_S3S_FS_URL", gaps: gaps::S3S_FS };

impl Server {
    /// `host:port`, or `None`, said aloud.
    fn address(&self) -> Option<SocketAddr> {
        let url = std::env::var(self.variable).ok().filter(|url| !url.is_empty());
        if url.is_none() {
            skip(self.name, &format!("{} names no server; `tests/run services` starts one", self.variable));
        }
        let address = url?.trim_start_matches("http://").parse();
        Some(address.unwrap_or_else(|error| panic!("{} is no http://IP:PORT: {error}", self.variable)))
    }
}

/// A bucket of its own on a server.
struct S3 {
    server: &'static Server,
    address: Option<SocketAddr>,
    bucket: String,
    made: OnceCell<()>,
    more: &'static str,
}

impl S3 {
    fn new(server: &'static Server, more: &'static str) -> Self {
        let bucket = format!("laws-{:016x}", System.random());
        Self { server, address: server.address(), bucket, made: OnceCell::new(), more }
    }

    fn url(&self, bucket: &str, address: SocketAddr, profile: &str) -> String {
        format!(
            "s3://{bucket}?region=us-east-1&endpoint=http://{address}&use_path_style=true&profile={profile}"
        )
    }

    async fn open_as(&self, bucket: &str, address: SocketAddr, profile: &str) -> Result<Arc<dyn Blobs>> {
        let url = self.url(bucket, address, profile) + self.more;
        open(&url, &Environment::new(Arc::new(System))).await
    }

    fn reached(&self) -> Result<SocketAddr> {
        self.address.ok_or_else(|| Error::new(Kind::Internal, format!("there is no {}", self.server.name)))
    }

    /// The server's own client, for what a store does not do.
    async fn client(&self) -> Result<Client> {
        let access = Access {
            region: Some("us-east-1".to_owned()),
            profile: Some(self.server.name.to_owned()),
            ..Access::default()
        };
        let config = access.load(self.server.name).await?;
        let endpoint = format!("http://{}", self.reached()?);
        let config =
            aws_sdk_s3::config::Builder::from(&config).endpoint_url(endpoint).force_path_style(true).build();
        Ok(Client::from_conf(config))
    }

    async fn make(&self) -> Result<()> {
        let make = || async {
            let made = self.client().await?.create_bucket().bucket(&self.bucket).send().await;
            made.map(drop).map_err(|error| Error::new(Kind::Internal, "making a bucket").because(error))
        };
        self.made.get_or_try_init(make).await.map(drop)
    }
}

#[async_trait]
impl Harness for S3 {
    async fn open(&self) -> Result<Arc<dyn Blobs>> {
        self.open_at(self.reached()?).await
    }

    async fn missing(&self) -> Result<(Arc<dyn Blobs>, String)> {
        let bucket = format!("{}-missing", self.bucket);
        Ok((self.open_as(&bucket, self.reached()?, self.server.name).await?, bucket))
    }

    fn signs(&self) -> bool {
        true
    }

    async fn stranger(&self) -> Result<Option<Arc<dyn Blobs>>> {
        self.make().await?;
        let profile = format!("{}-stranger", self.server.name);
        Ok(Some(self.open_as(&self.bucket, self.reached()?, &profile).await?))
    }

    fn remote(&self) -> Option<SocketAddr> {
        self.address
    }

    async fn open_at(&self, address: SocketAddr) -> Result<Arc<dyn Blobs>> {
        self.make().await?;
        self.open_as(&self.bucket, address, self.server.name).await
    }

    fn lacking(&self) -> Option<String> {
        self.address.is_none().then(|| self.server.name.to_owned())
    }

    fn gaps(&self) -> &[Gap] {
        self.server.gaps
    }
}

/// A store with its harness, for what is tried on MinIO alone.
async fn minio() -> Option<(S3, Arc<dyn Blobs>)> {
    let harness = S3::new(&MINIO, "");
    harness.address?;
    let store = harness.open().await.expect("opened");
    Some((harness, store))
}

#[tokio::test]
async fn minio_honours_conditions_and_keeps_nothing_of_the_probe() {
    let Some((_, store)) = minio().await else { return };
    honours_conditions("s3://bucket", &*store).await.expect("a good store");
    let left: Vec<_> = store.list("", None).try_collect().await.expect("listed");
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_probe_of_a_missing_bucket_names_it() {
    let Some((harness, _)) = minio().await else { return };
    let (store, bucket) = harness.missing().await.expect("opened");
    let error = honours_conditions("s3://bucket", &*store).await.expect_err("no bucket");
    assert!(error.kind() == Kind::NotFound && error.what().contains(&bucket), "{error}");
}

#[tokio::test]
async fn gzip_has_the_content_type_of_the_original() {
    let Some((harness, store)) = minio().await else { return };
    let client = harness.client().await.expect("a client");
    for (bytes, expected) in
        [(&b"\x1f\x8b\x08\x00rest"[..], "application/x-gzip"), (b"{}", "application/octet-stream")]
    {
        store.write("app/1", bytes.into(), When::Always).await.expect("written");
        let head = client.head_object().bucket(&harness.bucket).key("app/1").send().await.expect("there");
        assert_eq!(head.content_type(), Some(expected));
    }
}

#[tokio::test]
async fn keys_stand_in_the_bucket_as_the_original_escapes_them() {
    let Some((harness, store)) = minio().await else { return };
    let client = harness.client().await.expect("a client");
    store.write("a/../b\n", "x".into(), When::Always).await.expect("written");
    let listed = client.list_objects_v2().bucket(&harness.bucket).send().await.expect("listed");
    let keys: Vec<_> = listed.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(keys, ["a/..__0x2f__b__0xa__"]);
    let listed: Vec<_> =
        store.list("a/../", None).map_ok(|entry| entry.key).try_collect().await.expect("listed");
    assert_eq!(listed, ["a/../b\n"]);
    assert!(store.stat("a/../b\n").await.expect("looked").is_some());
}

#[tokio::test]
async fn a_page_of_a_listing_is_one_call_and_a_write_is_one() {
    let Some((harness, store)) = minio().await else { return };
    let proxy = Proxy::before(harness.address.expect("an address")).await.expect("a proxy");
    let through = harness.open_at(proxy.address()).await.expect("opened");
    let calls = |before: usize| proxy.requests() - before;
    let before = proxy.requests();
    for n in 0..20 {
        through.write(&format!("app/{n:04}"), "x".into(), When::Always).await.expect("written");
    }
    assert_eq!(calls(before), 20, "for 20 writes");
    drop(store);
    let before = proxy.requests();
    let listed: Vec<_> = through.list("app/", None).try_collect().await.expect("listed");
    assert_eq!((listed.len(), calls(before)), (20, 1), "for a listing of one page");
    let before = proxy.requests();
    through.read("app/0001", 10).await.expect("read").expect("there");
    assert_eq!(calls(before), 1, "for a read");
}

#[tokio::test]
async fn without_credentials_it_is_denied_and_says_what_to_set() {
    let Some((harness, _)) = minio().await else { return };
    let url = harness.url(&harness.bucket, harness.address.expect("an address"), "no-such-profile");
    let store = open(&url, &Environment::new(Arc::new(System))).await.expect("opened");
    let error = store.check().await.expect_err("no credentials");
    assert!(error.kind() == Kind::Denied && error.what().contains("AWS_ACCESS_KEY_ID"), "{}", error.chain());
}

#[tokio::test]
async fn what_is_wrong_in_a_url_is_refused_by_name() {
    let environment = Environment::new(Arc::new(System));
    for (url, says) in [
        ("s3://", "names no bucket"),
        ("s3://b?region=x&use_path_stlye=true", "unknown parameter \"use_path_stlye\""),
        ("s3://b?region=x&s3ForcePathStyle=true", "write use_path_style=true"),
    ] {
        let error = open(url, &environment).await.err().unwrap_or_else(|| panic!("{url} was opened"));
        assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{url}: {error}");
    }
}
