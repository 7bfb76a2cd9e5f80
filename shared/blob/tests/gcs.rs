//! The laws of a blob store, and what only GCS has to show: on the fake of this repository, which keeps all of its rules
//! and runs everywhere, and on fake-gcs-server, which others have written and `tests/services up` starts.

#![expect(clippy::expect_used, clippy::panic, reason = "all of it is a test")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_blob::open::{Environment, open};
use autopgo_blob::probe::honours_conditions;
use autopgo_conformance::proxy::{Fault, Proxy};
use autopgo_conformance::wire::Request;
use autopgo_conformance::{Gap, blob_laws, blobs::Harness, gaps, skip};
use autopgo_core::clock::{Clock, System};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::blobs::{Blobs, When};
use autopgo_fakes::gcs::Fake;
use futures_util::TryStreamExt;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::OnceCell;

blob_laws! { fake: OnFake::new("") }
blob_laws! { fake_with_prefix: OnFake::new("&prefix=team-") }
blob_laws! { fake_gcs_server: Emulated::new() }

/// One fake for all tests, with the key files of its account and of a stranger.
struct Place {
    fake: Fake,
    folder: TempDir,
}

static PLACE: LazyLock<Place> = LazyLock::new(|| {
    let (fake, folder) = (Fake::start().expect("a fake"), tempfile::tempdir().expect("a folder"));
    let stranger = fake.stranger().expect("a stranger");
    for (name, account) in [("account", fake.account()), ("stranger", &stranger)] {
        std::fs::write(folder.path().join(name), account.credentials().to_string()).expect("written");
    }
    std::fs::write(folder.path().join("key.pem"), fake.account().private_key()).expect("written");
    Place { fake, folder }
});

impl Place {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A bucket of its own on the fake.
struct OnFake {
    bucket: String,
    more: &'static str,
}

impl OnFake {
    fn new(more: &'static str) -> Self {
        let bucket = format!("laws-{:016x}", System.random());
        PLACE.fake.make(&bucket);
        Self { bucket, more }
    }

    async fn open_as(&self, bucket: &str, address: SocketAddr, who: &str) -> Result<Arc<dyn Blobs>> {
        let environment = Environment::new(Arc::new(System)).with_google_key(PLACE.file(who));
        open(&format!("gs://{bucket}?endpoint=http://{address}{}", self.more), &environment).await
    }
}

#[async_trait]
impl Harness for OnFake {
    async fn open(&self) -> Result<Arc<dyn Blobs>> {
        self.open_at(PLACE.fake.address()).await
    }

    async fn missing(&self) -> Result<(Arc<dyn Blobs>, String)> {
        let bucket = format!("{}-missing", self.bucket);
        Ok((self.open_as(&bucket, PLACE.fake.address(), "account").await?, bucket))
    }

    fn signs(&self) -> bool {
        true
    }

    async fn stranger(&self) -> Result<Option<Arc<dyn Blobs>>> {
        Ok(Some(self.open_as(&self.bucket, PLACE.fake.address(), "stranger").await?))
    }

    fn remote(&self) -> Option<SocketAddr> {
        Some(PLACE.fake.address())
    }

    async fn open_at(&self, address: SocketAddr) -> Result<Arc<dyn Blobs>> {
        self.open_as(&self.bucket, address, "account").await
    }
}

/// A bucket of its own on fake-gcs-server, as an emulator: it asks nobody who they are.
struct Emulated {
    address: Option<SocketAddr>,
    bucket: String,
    made: OnceCell<()>,
}

const FAKE_GCS_SERVER: &str = "AUTOPGO_TEST_FAKE_GCS_SERVER_URL";

impl Emulated {
    fn new() -> Self {
        let url = std::env::var(FAKE_GCS_SERVER).ok().filter(|url| !url.is_empty());
        if url.is_none() {
            let why = format!("{FAKE_GCS_SERVER} names no server; `tests/run services` starts one");
            skip("fake-gcs-server", &why);
        }
        let parse = |url: String| url.trim_start_matches("http://").parse();
        let address = url.map(|url| {
            parse(url).unwrap_or_else(|error| panic!("{FAKE_GCS_SERVER} is no http://IP:PORT: {error}"))
        });
        Self { address, bucket: format!("laws-{:016x}", System.random()), made: OnceCell::new() }
    }

    fn reached(&self) -> Result<SocketAddr> {
        self.address.ok_or_else(|| Error::new(Kind::Internal, "there is no fake-gcs-server"))
    }

    async fn open_bucket(&self, bucket: &str, address: SocketAddr) -> Result<Arc<dyn Blobs>> {
        open(&format!("gs://{bucket}"), &emulated(&address.to_string())).await
    }

    async fn make(&self) -> Result<()> {
        let failed = |error: reqwest::Error| Error::new(Kind::Internal, "making a bucket").because(error);
        let make = || async {
            let url = format!("http://{}/storage/v1/b?project=laws", self.reached()?);
            let body = format!("{{\"name\": \"{}\"}}", self.bucket);
            let made = reqwest::Client::new().post(url).body(body).send().await.map_err(failed)?;
            made.error_for_status().map(drop).map_err(failed)
        };
        self.made.get_or_try_init(make).await.map(drop)
    }
}

fn emulated(host: &str) -> Environment {
    let host = host.to_owned();
    let lookup = move |name: &str| (name == "STORAGE_EMULATOR_HOST").then(|| host.clone());
    Environment::new(Arc::new(System)).with_variables(lookup)
}

#[async_trait]
impl Harness for Emulated {
    async fn open(&self) -> Result<Arc<dyn Blobs>> {
        self.open_at(self.reached()?).await
    }

    async fn missing(&self) -> Result<(Arc<dyn Blobs>, String)> {
        let bucket = format!("{}-missing", self.bucket);
        Ok((self.open_bucket(&bucket, self.reached()?).await?, bucket))
    }

    fn signs(&self) -> bool {
        false
    }

    async fn stranger(&self) -> Result<Option<Arc<dyn Blobs>>> {
        Ok(None)
    }

    fn remote(&self) -> Option<SocketAddr> {
        self.address
    }

    async fn open_at(&self, address: SocketAddr) -> Result<Arc<dyn Blobs>> {
        self.make().await?;
        self.open_bucket(&self.bucket, address).await
    }

    fn lacking(&self) -> Option<String> {
        self.address.is_none().then(|| "fake-gcs-server".to_owned())
    }

    fn gaps(&self) -> &[Gap] {
        gaps::FAKE_GCS_SERVER
    }
}

async fn fake() -> (OnFake, Arc<dyn Blobs>) {
    let harness = OnFake::new("");
    let store = harness.open().await.expect("opened");
    (harness, store)
}

#[tokio::test]
async fn it_honours_conditions_and_keeps_nothing_of_the_probe() {
    let (_, store) = fake().await;
    honours_conditions("gs://bucket", &*store).await.expect("a good store");
    let left: Vec<_> = store.list("", None).try_collect().await.expect("listed");
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_missing_bucket_is_never_a_missing_object() {
    let (harness, _) = fake().await;
    let (store, bucket) = harness.missing().await.expect("opened");
    let outcomes = [
        ("read", store.read("k", 10).await.map(drop)),
        ("stat", store.stat("k").await.map(drop)),
        ("write", store.write("k", "x".into(), When::Always).await.map(drop)),
        ("create", store.write("k", "x".into(), When::Absent).await.map(drop)),
        ("copy", store.copy("k", "l").await.map(drop)),
        ("delete", store.delete("k").await),
        ("list", store.list("", None).try_collect::<Vec<_>>().await.map(drop)),
        ("check", store.check().await),
    ];
    let says = format!("gs://{bucket}: there is no such bucket; make it, or correct the URL");
    for (what, outcome) in outcomes {
        let error = outcome.expect_err(what);
        assert_eq!(error.kind(), Kind::NotFound, "{what}: {}", error.chain());
        assert!(error.what().starts_with(&says), "{what}: {error}");
    }
}

#[tokio::test]
async fn gzip_has_the_content_type_of_the_original() {
    let (harness, store) = fake().await;
    for (bytes, expected) in
        [(&b"\x1f\x8b\x08\x00rest"[..], "application/x-gzip"), (b"{}", "application/octet-stream")]
    {
        store.write("app/1", bytes.into(), When::Always).await.expect("written");
        let objects = PLACE.fake.objects(&harness.bucket);
        assert_eq!(objects, [("app/1".to_owned(), expected.to_owned())]);
        assert!(store.copy("app/1", "app/2").await.expect("copied"));
        assert_eq!(PLACE.fake.objects(&harness.bucket)[1].1, expected);
        store.delete("app/2").await.expect("deleted");
    }
}

#[tokio::test]
async fn keys_stand_in_the_bucket_as_the_original_escapes_them() {
    let (harness, store) = fake().await;
    let key = "a/../b\n\r/.";
    store.write(key, "x".into(), When::Always).await.expect("written");
    let names: Vec<String> = PLACE.fake.objects(&harness.bucket).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a/..__0x2f__b__0xa____0xd__/."]);
    let listed: Vec<_> =
        store.list("a/../", None).map_ok(|entry| entry.key).try_collect().await.expect("listed");
    assert_eq!(listed, [key]);
    assert!(store.stat(key).await.expect("looked").is_some());
    assert_eq!(store.read(key, 10).await.expect("read").expect("there").bytes, "x");
}

#[tokio::test]
async fn a_version_of_another_kind_of_store_is_a_conflict() {
    let (_, store) = fake().await;
    // 0 would mean that there is none.
    for version in ["0", "-1", "\"0123456789abcdef\"", ""] {
        let when = When::Is(autopgo_core::port::blobs::Version::new(version));
        let error = store.write("k", "x".into(), when).await.expect_err(version);
        assert_eq!(error.kind(), Kind::Conflict, "{version}: {}", error.chain());
    }
    assert!(store.stat("k").await.expect("looked").is_none());
}

#[tokio::test]
async fn what_is_large_is_copied_in_steps() {
    let (_, store) = fake().await;
    let bytes = vec![7; 1 << 20];
    store.write("from", bytes.clone().into(), When::Always).await.expect("written");
    assert!(store.copy("from", "to").await.expect("copied"));
    assert!(store.read("to", 2 << 20).await.expect("read").expect("there").bytes == bytes);
}

#[tokio::test]
async fn a_page_of_a_listing_is_one_call_and_a_write_is_one() {
    let harness = OnFake::new("");
    let proxy = Proxy::before(PLACE.fake.address()).await.expect("a proxy");
    let through = harness.open_at(proxy.address()).await.expect("opened");
    let calls = |before: usize| proxy.requests() - before;
    for n in 0..20 {
        let when = if n % 2 == 0 { When::Always } else { When::Absent };
        through.write(&format!("app/{n:04}"), "x".into(), when).await.expect("written");
    }
    // No call for a token either: the key of an account signs them.
    assert_eq!(calls(0), 20, "for 20 writes");
    let before = proxy.requests();
    through.write("large", vec![7; 20 << 20].into(), When::Absent).await.expect("written");
    assert_eq!(calls(before), 1, "for a large write");
    let before = proxy.requests();
    let listed: Vec<_> = through.list("app/", None).try_collect().await.expect("listed");
    assert_eq!((listed.len(), calls(before)), (20, 1), "for a listing of one page");
    let before = proxy.requests();
    through.read("app/0001", 10).await.expect("read").expect("there");
    assert_eq!(calls(before), 1, "for a read");
}

#[tokio::test]
async fn an_answer_that_was_lost_is_no_conflict_of_its_own() {
    let (harness, store) = fake().await;
    let proxy = Proxy::before(PLACE.fake.address()).await.expect("a proxy");
    let through = harness.open_at(proxy.address()).await.expect("opened");
    // A plain write is sent again, and it is the second that is answered.
    proxy.next(1, Fault::LosesTheAnswer);
    let version = through.write("k", "x".into(), When::Always).await.expect("written");
    assert_eq!(store.stat("k").await.expect("looked").expect("there").version, version);
    assert_eq!(proxy.requests(), 2);
    proxy.next(1, Fault::LosesTheAnswer);
    let error = through.write("k", "y".into(), When::Is(version)).await.expect_err("lost");
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
}

#[tokio::test]
async fn too_many_writes_a_second_are_given_time() {
    let harness = OnFake::new("");
    let proxy = Proxy::before(PLACE.fake.address()).await.expect("a proxy");
    let through = harness.open_at(proxy.address()).await.expect("opened");
    proxy.next(1, Fault::Answers(429));
    let begun = std::time::Instant::now();
    through.write("k", "x".into(), When::Always).await.expect("written");
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    proxy.next(1, Fault::Answers(429));
    let error = through.write("k", "x".into(), When::Absent).await.expect_err("sent once");
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
}

/// A store that does not say with an object's content when it was written, and where it is replaced after that, once.
async fn timeless() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut generation = 1;
        while let Ok((mut stream, _)) = listener.accept().await {
            let request = Request::read(&mut stream).await.expect("read").expect("a request");
            let (status, body) = match &request.target {
                target if target.contains("alt=media") => (200, format!("content {generation}")),
                // It was the first, and is gone.
                target if target.contains("generation=1") => {
                    generation = 2;
                    (404, "No such object: b/k".to_owned())
                }
                _ => {
                    let time = "2024-10-28T00:30:35.311Z";
                    (200, format!(r#"{{"size": "9", "generation": "{generation}", "updated": "{time}"}}"#))
                }
            };
            let head =
                format!("HTTP/1.1 {status} -\r\nx-goog-generation: {generation}\r\nconnection: close\r\n");
            let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.expect("answered");
        }
    });
    address
}

#[tokio::test]
async fn a_read_that_does_not_say_when_it_was_written_is_of_one_generation_still() {
    let address = timeless().await;
    let store = open("gs://b", &emulated(&address.to_string())).await.expect("opened");
    let object = store.read("k", 100).await.expect("read").expect("there");
    assert_eq!((object.bytes.as_ref(), object.version.as_str()), (&b"content 2"[..], "2"));
    assert_eq!(object.modified.to_string(), "2024-10-28T00:30:35Z");
}

#[tokio::test]
async fn nobody_in_particular_is_denied_and_told_what_to_set() {
    let harness = OnFake::new("");
    let url = format!("gs://{}?access_id=-&endpoint=http://{}", harness.bucket, PLACE.fake.address());
    let store = open(&url, &Environment::new(Arc::new(System))).await.expect("opened");
    let error = store.check().await.expect_err("nobody");
    assert!(
        error.kind() == Kind::Denied && error.what().contains("GOOGLE_APPLICATION_CREDENTIALS"),
        "{}",
        error.chain()
    );
    let lasts = Duration::from_secs(60);
    assert!(store.sign_get("k", lasts).await.expect("no error").is_none());
    assert!(store.sign_put("k", 1, lasts).await.expect("no error").is_none());
}

#[tokio::test]
async fn an_emulator_signs_with_a_key_alone() {
    let (_, store) = fake().await;
    store.write("k", "kept".into(), When::Always).await.expect("written");
    let (harness, store) = fake().await;
    store.write("k", "kept".into(), When::Always).await.expect("written");
    let address = PLACE.fake.address();
    let lasts = Duration::from_secs(60);
    let (pem, json) = (PLACE.file("key.pem"), PLACE.file("account"));
    let email = PLACE.fake.account().email();
    for (query, signs) in [
        (String::new(), false),
        ("private_key_path=".to_owned(), false),
        (format!("private_key_path={}&access_id={email}", pem.display()), true),
        (format!("private_key_path={}", json.display()), true),
        (format!("private_key_path={}&access_id=-", json.display()), true),
    ] {
        let url = format!("gs://{}?{query}", harness.bucket);
        let store = open(&url, &emulated(&format!("http://{address}"))).await.expect("opened");
        let signed = store.sign_get("k", lasts).await.expect("no error");
        assert_eq!(signed.is_some(), signs, "{query}");
        let Some(signed) = signed else { continue };
        let answer = reqwest::get(&signed.url).await.expect("answered");
        assert_eq!(answer.status().as_u16(), 200, "{query}");
        assert_eq!(answer.bytes().await.expect("read"), "kept");
    }
}

#[tokio::test]
async fn a_signature_names_its_end_and_lasts_a_week_at_the_most() {
    let (_, store) = fake().await;
    let lasts = Duration::from_secs(600);
    let before = System.now();
    let signed = store.sign_put("k", 7, lasts).await.expect("no error").expect("signed");
    let apart = signed.expires.duration_since(before).as_secs();
    assert!((599..=600).contains(&apart), "{apart}");
    assert_eq!(signed.headers, [("x-goog-content-length-range".to_owned(), "7,7".to_owned())]);
    for lasts in [Duration::from_millis(900), Duration::from_secs(604_801)] {
        let error = store.sign_get("k", lasts).await.expect_err("out of range");
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
    }
}

#[tokio::test]
async fn what_is_wrong_in_a_url_or_a_file_is_refused_by_name() {
    let environment = Environment::new(Arc::new(System));
    for (url, says) in [
        ("gs://", "names no bucket"),
        ("gs://b?acess_id=x", "unknown parameter \"acess_id\""),
        ("gs://b?private_key_path=/no/such/file", "private_key_path /no/such/file cannot be read"),
    ] {
        let error = open(url, &environment).await.err().unwrap_or_else(|| panic!("{url} was opened"));
        assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{url}: {error}");
    }
    let environment = Environment::new(Arc::new(System)).with_google_key(PLACE.file("none"));
    let error = open("gs://b", &environment).await.err().expect("no such file");
    assert!(error.what().contains("cannot be read"), "{error}");
}
