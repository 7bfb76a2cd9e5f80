//! A container on the Azurite that `tests/services` starts, seen past autopgo.

use futures_util::TryStreamExt;
use object_store::azure::{
    AzureAccessKey, AzureAuthorizer, AzureCredential, MicrosoftAzure, MicrosoftAzureBuilder,
};
use object_store::client::{HttpConnector, HttpRequestBody, ReqwestConnector};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore};

use crate::skip;

/// A container of its own.
pub struct Container {
    client: MicrosoftAzure,
    name: String,
    account: String,
    secret: String,
    address: String,
}

impl Container {
    /// Makes one; `None`, said aloud, where there is no Azurite.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn new() -> Option<Self> {
        let endpoint = skip::server("azurite")?;
        let variable = |name| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
        let account = variable("AUTOPGO_TEST_AZURITE_KEY");
        let secret = variable("AUTOPGO_TEST_AZURITE_SECRET");
        let name = format!("story-{:016x}", fastrand::u64(..));

        let url = format!("{endpoint}/{account}/{name}?restype=container");
        let mut request = http::Request::put(url)
            .header("content-length", "0")
            .body(HttpRequestBody::empty())
            .expect("a request");
        let key = AzureCredential::AccessKey(AzureAccessKey::try_new(&secret).expect("a key"));
        AzureAuthorizer::new(&key, &account).try_authorize(&mut request).expect("signed");
        let http = ReqwestConnector::default().connect(&ClientOptions::new().with_allow_http(true));
        let answer = http.expect("a client").execute(request).await.expect("an answer");
        assert_eq!(answer.status(), 201, "making a container");

        let client = MicrosoftAzureBuilder::new()
            .with_account(&account)
            .with_access_key(&secret)
            .with_container_name(&name)
            .with_endpoint(format!("{endpoint}/{account}"))
            .with_allow_http(true)
            .build()
            .expect("a client");
        let address = endpoint.trim_start_matches("http://").to_owned();
        Some(Self { client, name, account, secret, address })
    }

    /// As a store's URL.
    pub fn url(&self) -> String {
        self.url_by(&self.address)
    }

    /// The same by another way to its server, `IP:PORT`.
    pub fn url_by(&self, address: &str) -> String {
        format!("azblob://{}?storage_account={}&domain={address}&protocol=http", self.name, self.account)
    }

    /// Where its server is, `IP:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What opens it, as a variable.
    pub fn key(&self) -> (&'static str, String) {
        ("AZURE_STORAGE_KEY", self.secret.clone())
    }

    /// The names of the blobs below the folder `folder`.
    ///
    /// # Panics
    /// When it cannot be listed.
    pub async fn names(&self, folder: &str) -> Vec<String> {
        let folder = Path::parse(folder).expect("a path");
        let listed = self.client.list(Some(&folder)).map_ok(|object| object.location.to_string());
        listed.try_collect().await.expect("a listing")
    }
}
