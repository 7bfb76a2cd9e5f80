//! The laws of a blob store, and what only Azure has to show, on Azurite: `tests/services up` starts it, and
//! `tests/run services` does it all. What Azurite cannot do (Entra, copies that take their time) is tried on a server
//! that says what the documentation says.

#![expect(clippy::expect_used, clippy::panic, reason = "all of it is a test")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autopgo_blob::open::{Environment, open};
use autopgo_blob::probe::honours_conditions;
use autopgo_conformance::proxy::Proxy;
use autopgo_conformance::wire::Request;
use autopgo_conformance::{Gap, blob_laws, blobs::Harness, gaps, skip};
use autopgo_core::clock::{Clock, System};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::port::blobs::{Blobs, When};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::TryStreamExt;
use hmac::{Hmac, Mac};
use object_store::azure::{
    AzureAccessKey, AzureAuthorizer, AzureCredential, MicrosoftAzure, MicrosoftAzureBuilder,
};
use object_store::client::{HttpConnector, HttpRequestBody, ReqwestConnector};
use object_store::path::Path;
use object_store::{Attribute, ClientOptions, GetOptions, ObjectStore};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::OnceCell;

blob_laws! { azurite: Azurite::new(By::Key, "") }
blob_laws! { azurite_by_sas: Azurite::new(By::Sas, "") }

/// As whom a container is opened.
#[derive(Clone, Copy)]
enum By {
    Key,
    ConnectionString,
    /// A signature for the whole account, which signs nothing itself.
    Sas,
}

/// A container of its own on the server that `tests/services` starts.
struct Azurite {
    address: Option<SocketAddr>,
    account: String,
    secret: String,
    container: String,
    made: OnceCell<()>,
    by: By,
    more: &'static str,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Azurite {
    fn new(by: By, more: &'static str) -> Self {
        let url = variable("AUTOPGO_TEST_AZURITE_URL");
        if url.is_none() {
            skip("azurite", "AUTOPGO_TEST_AZURITE_URL names no server; `tests/run services` starts one");
        }
        let address = |url: String| {
            let address = url.trim_start_matches("http://").parse();
            address.unwrap_or_else(|error| panic!("AUTOPGO_TEST_AZURITE_URL is no http://IP:PORT: {error}"))
        };
        Self {
            address: url.map(address),
            account: variable("AUTOPGO_TEST_AZURITE_KEY").unwrap_or_default(),
            secret: variable("AUTOPGO_TEST_AZURITE_SECRET").unwrap_or_default(),
            container: format!("laws-{:016x}", System.random()),
            made: OnceCell::new(),
            by,
            more,
        }
    }

    async fn open_as(&self, container: &str, address: SocketAddr, secret: &str) -> Result<Arc<dyn Blobs>> {
        let account = &self.account;
        let place = format!("storage_account={account}&domain={address}&protocol=http");
        let endpoint = format!("http://{address}/{account}");
        let (place, (name, value)) = match self.by {
            By::Key => (place, ("AZURE_STORAGE_KEY", secret.to_owned())),
            By::Sas => (place, ("AZURE_STORAGE_SAS_TOKEN", account_sas(account, secret))),
            By::ConnectionString => (
                String::new(),
                (
                    "AZURE_STORAGE_CONNECTION_STRING",
                    format!("AccountName={account};AccountKey={secret};BlobEndpoint={endpoint}/"),
                ),
            ),
        };
        open_with(&format!("azblob://{container}?{place}{}", self.more), &[(name, &value)]).await
    }

    fn reached(&self) -> Result<SocketAddr> {
        self.address.ok_or_else(|| Error::new(Kind::Internal, "there is no Azurite"))
    }

    /// A client of its own, for what a store does not do.
    fn client(&self) -> Result<MicrosoftAzure> {
        let endpoint = format!("http://{}/{}", self.reached()?, self.account);
        let client = MicrosoftAzureBuilder::new()
            .with_account(&self.account)
            .with_access_key(&self.secret)
            .with_container_name(&self.container)
            .with_endpoint(endpoint)
            .with_allow_http(true);
        client.build().map_err(internal)
    }

    async fn make(&self) -> Result<()> {
        let make = || async {
            let url =
                format!("http://{}/{}/{}?restype=container", self.reached()?, self.account, self.container);
            let request = http::Request::put(url).header("content-length", "0");
            let mut request = request.body(HttpRequestBody::empty()).map_err(internal)?;
            let key = AzureAccessKey::try_new(&self.secret).map_err(internal)?;
            let key = AzureCredential::AccessKey(key);
            AzureAuthorizer::new(&key, &self.account).try_authorize(&mut request).map_err(internal)?;
            let client = ReqwestConnector::default().connect(&ClientOptions::new().with_allow_http(true));
            let answer = client.map_err(internal)?.execute(request).await.map_err(internal)?;
            match answer.status().as_u16() {
                201 => Ok(()),
                status => Err(Error::new(Kind::Internal, format!("making a container: {status}"))),
            }
        };
        self.made.get_or_try_init(make).await.map(drop)
    }

    /// The content type of a blob, by its name in the container.
    async fn content_type(&self, name: &str) -> Option<String> {
        let options = GetOptions { head: true, ..GetOptions::default() };
        let path = Path::parse(name).expect("a path");
        let got = self.client().expect("a client").get_opts(&path, options).await.expect("there");
        got.attributes.get(&Attribute::ContentType).map(|kind| kind.to_string())
    }
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Internal, "asking Azurite").because(error)
}

async fn open_with(url: &str, variables: &[(&'static str, &str)]) -> Result<Arc<dyn Blobs>> {
    let variables: BTreeMap<&str, String> =
        variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let environment =
        Environment::new(Arc::new(System)).with_variables(move |name| variables.get(name).cloned());
    open(url, &environment).await
}

/// A signature that lets everything be done in every container for an hour (Microsoft Learn, "Create an account SAS").
fn account_sas(account: &str, secret: &str) -> String {
    let end = System.now().checked_add(Duration::from_secs(3600)).expect("a time");
    let end = jiff::Timestamp::from_second(end.as_second()).expect("a time").to_string();
    let (version, permissions) = ("2023-11-03", "rwdlac");
    let text = [account, permissions, "b", "sco", "", &end, "", "", version, "", ""].join("\n");
    let key = BASE64_STANDARD.decode(secret).expect("a key");
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).expect("a key of any length");
    mac.update(text.as_bytes());
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    format!("?sv={version}&ss=b&srt=sco&sp={permissions}&se={}&sig={signature}", end.replace(':', "%3A"))
}

#[async_trait]
impl Harness for Azurite {
    async fn open(&self) -> Result<Arc<dyn Blobs>> {
        self.open_at(self.reached()?).await
    }

    async fn missing(&self) -> Result<(Arc<dyn Blobs>, String)> {
        let container = format!("{}-missing", self.container);
        Ok((self.open_as(&container, self.reached()?, &self.secret).await?, container))
    }

    fn signs(&self) -> bool {
        !matches!(self.by, By::Sas)
    }

    async fn stranger(&self) -> Result<Option<Arc<dyn Blobs>>> {
        self.make().await?;
        let wrong = BASE64_STANDARD.encode("not the secret");
        Ok(Some(self.open_as(&self.container, self.reached()?, &wrong).await?))
    }

    fn remote(&self) -> Option<SocketAddr> {
        self.address
    }

    async fn open_at(&self, address: SocketAddr) -> Result<Arc<dyn Blobs>> {
        self.make().await?;
        self.open_as(&self.container, address, &self.secret).await
    }

    fn lacking(&self) -> Option<String> {
        self.address.is_none().then(|| "azurite".to_owned())
    }

    /// It does one thing at a time, and not fast.
    fn patience(&self) -> Duration {
        Duration::from_secs(300)
    }

    fn gaps(&self) -> &[Gap] {
        match self.by {
            // It signs nothing, so it breaks no law of signatures.
            By::Sas => &[],
            By::Key | By::ConnectionString => gaps::AZURITE,
        }
    }
}

/// A store with its harness, for what is tried once.
async fn azurite() -> Option<(Azurite, Arc<dyn Blobs>)> {
    let harness = Azurite::new(By::Key, "");
    harness.address?;
    let store = harness.open().await.expect("opened");
    Some((harness, store))
}

/// A connection string has the endpoint in it, and a key to sign with; a prefix is a part of what is signed.
#[tokio::test]
async fn by_a_connection_string_and_with_a_prefix_it_is_the_same_container() {
    let Some((harness, plain)) = azurite().await else { return };
    let string = Azurite { by: By::ConnectionString, more: "&prefix=Team%20%25-", ..harness };
    let address = string.reached().expect("an address");
    let store = string.open_as(&string.container, address, &string.secret).await.expect("opened");
    let version = store.write("app/1", "x".into(), When::Absent).await.expect("written");
    let whole = plain.read("Team %-app/1", 10).await.expect("read").expect("there");
    assert_eq!((whole.version, whole.bytes.as_ref()), (version, &b"x"[..]));
    let listed: Vec<_> = store.list("app/", None).try_collect().await.expect("listed");
    assert_eq!(listed.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["app/1"]);
    let get = store.sign_get("app/1", Duration::from_secs(60)).await.expect("asked").expect("signed");
    let request = http::Request::get(get.url).body(HttpRequestBody::empty()).expect("a request");
    let client = ReqwestConnector::default().connect(&ClientOptions::new().with_allow_http(true));
    let answer = client.expect("a client").execute(request).await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 200);
}

#[tokio::test]
async fn azurite_honours_conditions_and_keeps_nothing_of_the_probe() {
    let Some((_, store)) = azurite().await else { return };
    honours_conditions("azblob://container", &*store).await.expect("a good store");
    let left: Vec<_> = store.list("", None).try_collect().await.expect("listed");
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_missing_container_is_told_from_a_missing_blob() {
    let Some((harness, store)) = azurite().await else { return };
    assert!(store.read("app/1", 10).await.expect("read").is_none());
    let (missing, container) = harness.missing().await.expect("opened");
    let outcomes = [
        missing.read("app/1", 10).await.map(drop),
        missing.stat("app/1").await.map(drop),
        missing.write("app/1", "x".into(), When::Always).await.map(drop),
        missing.write("app/1", "x".into(), When::Absent).await.map(drop),
        missing.list("", None).try_collect::<Vec<_>>().await.map(drop),
        missing.check().await,
        honours_conditions("azblob://container", &*missing).await,
    ];
    for outcome in outcomes {
        let error = outcome.expect_err("no container");
        assert!(error.kind() == Kind::NotFound && error.what().contains(&container), "{}", error.chain());
        assert!(error.what().contains("make it, or correct the URL"), "{error}");
    }
}

#[tokio::test]
async fn gzip_has_the_content_type_of_the_original() {
    let Some((harness, store)) = azurite().await else { return };
    for (bytes, expected) in
        [(&b"\x1f\x8b\x08\x00rest"[..], "application/x-gzip"), (b"{}", "application/octet-stream")]
    {
        store.write("app/1", bytes.into(), When::Always).await.expect("written");
        store.copy("app/1", "app/2").await.expect("copied");
        for name in ["app/1", "app/2"] {
            assert_eq!(harness.content_type(name).await.as_deref(), Some(expected), "{name}");
        }
    }
}

#[tokio::test]
async fn keys_stand_in_the_container_as_the_original_escapes_them() {
    let Some((harness, store)) = azurite().await else { return };
    let key = "a/../b\n\"#%?\\\u{7f}/";
    store.write(key, "x".into(), When::Always).await.expect("written");
    let listed: Vec<_> = harness.client().expect("a client").list(None).try_collect().await.expect("listed");
    let names: Vec<_> = listed.iter().map(|meta| meta.location.as_ref()).collect();
    assert_eq!(names, ["a/..__0x2f__b__0xa____0x22____0x23____0x25____0x3f____0x5c____0x7f____0x2f__"]);
    let listed: Vec<_> =
        store.list("a/../", None).map_ok(|entry| entry.key).try_collect().await.expect("listed");
    assert_eq!(listed, [key]);
    assert!(store.stat(key).await.expect("looked").is_some());
    store.delete(key).await.expect("deleted");
    assert!(store.stat(key).await.expect("looked").is_none());
}

#[tokio::test]
async fn a_key_that_cannot_be_had_is_refused_and_no_other_is_taken_for_it() {
    let Some((_, store)) = azurite().await else { return };
    store.write("a/b", "x".into(), When::Always).await.expect("written");
    for key in ["", "/a/b", "a//b", "a/./b", "a/.."] {
        for outcome in [store.read(key, 10).await.map(drop), store.delete(key).await] {
            let error = outcome.expect_err(key);
            assert!(error.kind() == Kind::Invalid && error.what().contains("empty part"), "{key:?}: {error}");
        }
    }
    assert!(store.stat("a/b").await.expect("looked").is_some());
}

#[tokio::test]
async fn a_page_of_a_listing_is_one_call_and_so_is_everything_else() {
    let Some((harness, _)) = azurite().await else { return };
    let proxy = Proxy::before(harness.address.expect("an address")).await.expect("a proxy");
    let through = harness.open_at(proxy.address()).await.expect("opened");
    let calls = |before: usize| proxy.requests() - before;
    let before = proxy.requests();
    for n in 0..20 {
        through.write(&format!("app/{n:04}"), "x".into(), When::Absent).await.expect("written");
    }
    assert_eq!(calls(before), 20, "for 20 writes");
    let before = proxy.requests();
    let listed: Vec<_> = through.list("app/", None).try_collect().await.expect("listed");
    assert_eq!((listed.len(), calls(before)), (20, 1), "for a listing of one page");
    let before = proxy.requests();
    through.read("app/0001", 10).await.expect("read").expect("there");
    through.copy("app/0001", "app/copy").await.expect("copied");
    through.delete("app/copy").await.expect("deleted");
    assert_eq!(calls(before), 3, "for a read, a copy and a delete");
    let before = proxy.requests();
    through.sign_put("app/1", 5, Duration::from_secs(60)).await.expect("signed").expect("a signature");
    assert_eq!(calls(before), 0, "for a signature");
}

#[tokio::test]
async fn whoever_puts_says_that_it_is_a_block_blob() {
    let Some((_, store)) = azurite().await else { return };
    let lasts = Duration::from_secs(60);
    let put = store.sign_put("app/1", 5, lasts).await.expect("signed").expect("a signature");
    assert_eq!(put.headers, [("x-ms-blob-type".to_owned(), "BlockBlob".to_owned())]);
    let left = put.expires.duration_since(System.now()).unsigned_abs();
    assert!((59..=61).contains(&left.as_secs()), "{left:?}");
    let get = store.sign_get("app/1", lasts).await.expect("signed").expect("a signature");
    assert!(get.headers.is_empty());
}

/// What Microsoft's own client writes as the original does is read here, and the other way round.
#[tokio::test]
async fn microsofts_own_client_and_this_one_read_each_other() {
    let Some((harness, ours)) = azurite().await else { return };
    let Some(python) = variable("AUTOPGO_TEST_AZURE_SDK") else {
        skip(
            "azure-sdk",
            "AUTOPGO_TEST_AZURE_SDK names no Python with azure-storage-blob; `tests/run services` gets one",
        );
        return;
    };
    let run = |verb: &str, container: &str| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/azure/sdk.py");
        let output = Command::new(&python).args([script, verb, container]).output().expect("python");
        assert!(output.status.success(), "{verb}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let theirs = Azurite::new(By::Key, "");
    run("write", &theirs.container);
    theirs.made.set(()).expect("made by them");
    let store = theirs.open().await.expect("opened");
    let entries: Vec<_> = store.list("", None).try_collect().await.expect("listed");
    let mut keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
    keys.sort_unstable();
    let expected = [
        "checkout/default.pgo",
        "checkout/staging/1730075435311000000",
        "d\u{e9}j\u{e0}/vu",
        "odd/../x",
        "odd/a b\"c#d%e?f\\g\u{7f}h\nz/",
    ];
    assert_eq!(keys, expected);
    for entry in &entries {
        let object = store.read(&entry.key, 1 << 20).await.expect("read").expect("there");
        assert_eq!(object.bytes.len() as u64, entry.size);
        assert!(object.bytes.starts_with(b"\x1f\x8b\x08"), "{}", entry.key);
        ours.write(&entry.key, object.bytes.clone(), When::Absent).await.expect("written");
        // Theirs is replaced by whoever has read it, too.
        store.write(&entry.key, object.bytes, When::Is(object.version)).await.expect("replaced");
    }
    run("read", &harness.container);
    run("read", &theirs.container);
}

/// What a server says to a request: a status, headers and a body.
type Says = (u16, Vec<(&'static str, &'static str)>, String);

/// A server that says what it is told to say, until the test ends.
async fn serve(says: impl Fn(&Request) -> Says + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let says = Arc::new(says);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let says = Arc::clone(&says);
            tokio::spawn(async move {
                let Ok(Some(request)) = Request::read(&mut stream).await else { return };
                let (status, headers, body) = says(&request);
                let mut head = format!("HTTP/1.1 {status} -\r\nconnection: close\r\n");
                if request.method != "HEAD" {
                    head.push_str(&format!("content-length: {}\r\n", body.len()));
                }
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    address
}

const EMPTY: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs/><NextMarker/></EnumerationResults>";

/// A container at `address`, for whoever has the managed identity that is asked for there too.
async fn managed(address: SocketAddr) -> Arc<dyn Blobs> {
    let identity = format!("http://{address}/identity");
    let url = format!("azblob://c?storage_account=acme&domain={address}&protocol=http");
    open_with(&url, &[("IDENTITY_ENDPOINT", &identity)]).await.expect("opened")
}

fn token() -> Says {
    let end = System.now().as_second() + 3600;
    (200, vec![], format!("{{\"access_token\":\"secret\",\"expires_on\":\"{end}\"}}"))
}

#[tokio::test]
async fn an_identity_of_entra_reads_and_signs_by_a_delegation() {
    let address = serve(|request| {
        if request.target.starts_with("/identity") {
            return token();
        }
        assert_eq!(request.header("authorization"), Some("Bearer secret"), "{}", request.target);
        if request.target.contains("comp=userdelegationkey") {
            let body = "<UserDelegationKey><SignedOid>o</SignedOid><SignedTid>t</SignedTid>\
                 <SignedStart>2026-01-01T00:00:00Z</SignedStart><SignedExpiry>2099-01-01T00:00:00Z</SignedExpiry>\
                 <SignedService>b</SignedService><SignedVersion>2023-11-03</SignedVersion><Value>a2V5</Value>\
                 </UserDelegationKey>";
            return (200, vec![], body.to_owned());
        }
        (200, vec![], EMPTY.to_owned())
    })
    .await;
    let store = managed(address).await;
    store.check().await.expect("answers");
    let lasts = Duration::from_secs(60);
    let put = store.sign_put("app/1", 5, lasts).await.expect("signed").expect("a signature");
    for part in ["/acme/c/app/1?", "skoid=o", "sp=w", "sr=b", "sig="] {
        assert!(put.url.contains(part), "{part} in {}", put.url);
    }
    let left = put.expires.duration_since(System.now()).unsigned_abs();
    assert!((58..=60).contains(&left.as_secs()), "{left:?}");
    // What would be signed wrongly is not signed.
    assert_eq!(store.sign_put("app/a b", 5, lasts).await.expect("asked"), None);
}

#[tokio::test]
async fn without_the_right_to_a_delegation_nothing_is_signed() {
    let address = serve(|request| match request.target.starts_with("/identity") {
        true => token(),
        false => (403, vec![("x-ms-error-code", "AuthorizationPermissionMismatch")], String::new()),
    })
    .await;
    let store = managed(address).await;
    let lasts = Duration::from_secs(60);
    assert_eq!(store.sign_put("app/1", 5, lasts).await.expect("asked"), None);
    assert_eq!(store.sign_get("app/1", lasts).await.expect("asked"), None);
    let denied = store.check().await.expect_err("denied");
    assert!(
        denied.kind() == Kind::Denied && denied.what().contains("Storage Blob Data Contributor"),
        "{denied}"
    );
}

#[tokio::test]
async fn a_fault_while_signing_stays_an_error_and_a_missing_token_says_so() {
    let address = serve(|request| match request.target.starts_with("/identity") {
        true => token(),
        false => (503, vec![("x-ms-error-code", "ServerBusy")], String::new()),
    })
    .await;
    let store = managed(address).await;
    let error = store.sign_put("app/1", 5, Duration::from_secs(60)).await.expect_err("busy");
    assert!(error.kind() == Kind::Unavailable && error.what().contains("ServerBusy"), "{}", error.chain());

    let address = serve(|_| (400, vec![], "{\"error_description\":\"no such identity\"}".to_owned())).await;
    let error = managed(address).await.check().await.expect_err("no identity");
    assert!(error.kind() == Kind::Denied && error.what().contains("no such identity"), "{}", error.chain());
}

#[tokio::test]
async fn a_copy_that_takes_its_time_is_waited_for() {
    let looks = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = Arc::clone(&looks);
    let address = serve(move |request| {
        let state = |state| ("x-ms-copy-status", state);
        let headers = |state| {
            vec![
                state,
                ("etag", "\"1\""),
                ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT"),
                ("content-length", "0"),
            ]
        };
        match request.method.as_str() {
            "PUT" => (202, vec![state("pending")], String::new()),
            _ if request.target.contains("/failed") => (200, headers(state("failed")), String::new()),
            _ => match seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
                0..3 => (200, headers(state("pending")), String::new()),
                _ => (200, headers(state("success")), String::new()),
            },
        }
    })
    .await;
    let url = format!("azblob://c?storage_account=acme&domain={address}&protocol=http");
    let store = open_with(&url, &[("AZURE_STORAGE_KEY", "a2V5")]).await.expect("opened");
    assert!(store.copy("app/1", "app/2").await.expect("copied"));
    assert_eq!(looks.load(std::sync::atomic::Ordering::SeqCst), 4);
    let error = store.copy("app/1", "failed/2").await.expect_err("a failed copy");
    assert!(error.kind() == Kind::Unavailable && error.what().contains("came to nothing"), "{error}");
}

#[tokio::test]
async fn what_is_wrong_in_a_url_is_refused_by_name() {
    for (url, says) in [
        ("azblob://", "names no container"),
        ("azblob://c?storage_account=a&acount=b", "unknown parameter \"acount\""),
        ("azblob://c?storage_account=a&storage_account=b", "more than once"),
        ("azblob://c", "set AZURE_STORAGE_ACCOUNT"),
    ] {
        let error = open_with(url, &[]).await.err().unwrap_or_else(|| panic!("{url} was opened"));
        assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{url}: {error}");
    }
    let key = open_with("azblob://c?storage_account=a", &[("AZURE_STORAGE_KEY", "hunter2!")]).await;
    let error = key.err().expect("no key");
    assert!(error.what().contains("base64") && !error.chain().contains("hunter2"), "{}", error.chain());
}
