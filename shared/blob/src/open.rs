//! From a URL to a store: the only place that matches the scheme.

use std::collections::BTreeMap;
#[cfg(feature = "gcp")]
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use autopgo_core::address::{Address, Params, Resource};
use autopgo_core::clock::Clock;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::memory::blobs::MemoryBlobs;
use autopgo_core::port::blobs::Blobs;

#[cfg(feature = "azure")]
use crate::azure;
use crate::file;
#[cfg(feature = "gcp")]
use crate::gcs;
use crate::prefix::{Prefixed, SingleKey};
#[cfg(feature = "aws")]
use crate::s3;

/// The schemes of this build.
pub const SCHEMES: &[&str] = &[
    file::SCHEME,
    MEM,
    #[cfg(feature = "gcp")]
    gcs::SCHEME,
    #[cfg(feature = "azure")]
    azure::SCHEME,
    #[cfg(feature = "aws")]
    s3::SCHEME,
];
/// The schemes that other builds have, and the cargo feature that brings each.
const BY_FEATURE: [(&str, &str); 3] = [("azblob", "azure"), ("gs", "gcp"), ("s3", "aws")];

const MEM: &str = "mem";
/// Names an emulator in the place of every `gs://` store. Google's own clients and the Go original know it too.
const GOOGLE_EMULATOR: &str = "STORAGE_EMULATOR_HOST";

/// Where the value of a variable comes from.
type Variables = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What the stores of one process share: its clock, the variables that their providers have names for, and the stores in
/// memory by their names. Whoever opens two stores with one environment and one `mem://name` has the same store twice.
pub struct Environment {
    clock: Arc<dyn Clock>,
    variables: Box<Variables>,
    memory: Mutex<BTreeMap<String, Arc<MemoryBlobs>>>,
    #[cfg(feature = "gcp")]
    google_key: Option<PathBuf>,
}

impl Environment {
    /// One with no stores yet, in which no variable is set.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            variables: Box::new(|_| None),
            memory: Mutex::default(),
            #[cfg(feature = "gcp")]
            google_key: None,
        }
    }

    /// The same, with the variables that `lookup` finds.
    #[must_use]
    pub fn with_variables(mut self, lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.variables = Box::new(lookup);
        self
    }

    /// The same, with the key file of a service account in the place of Google's chain of credentials, whose variables
    /// are the process's and no lookup's.
    #[cfg(feature = "gcp")]
    #[must_use]
    pub fn with_google_key(mut self, file: PathBuf) -> Self {
        self.google_key = Some(file);
        self
    }

    /// The value of a variable, if it is set.
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.variables)(name)
    }

    /// Whether a variable leads to another place than the provider's own for the store that `url` names: an emulator, or
    /// a store that only speaks the provider's protocol.
    pub fn leads_elsewhere(&self, url: &str) -> bool {
        let Ok(address) = Address::of(Resource::Bucket, url) else { return false };
        let variables: &[&str] = match address.scheme() {
            "azblob" => &["AZURE_STORAGE_DOMAIN"],
            "gs" => &[GOOGLE_EMULATOR],
            "s3" => &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"],
            _ => &[],
        };
        variables.iter().any(|name| self.variable(name).is_some_and(|value| !value.trim().is_empty()))
    }

    /// The store in memory of this name, made when it is first asked for. Without a name it is a fresh one each time,
    /// as with gocloud.dev.
    fn memory(&self, name: &str) -> Arc<MemoryBlobs> {
        let fresh = || Arc::new(MemoryBlobs::new(Arc::clone(&self.clock)));
        if name.is_empty() {
            return fresh();
        }
        // Nothing panics while it holds the lock, so what it guards is always whole.
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(memory.entry(name.to_owned()).or_insert_with(fresh))
    }
}

/// Opens the store that `url` names. Every scheme takes `prefix=` and `key=` (see [`crate::prefix`]).
///
/// # Errors
/// `Invalid`: no URL of a store, a scheme that is not in this build, an unknown parameter or a bad value. Those of the
/// adapter, where opening looks at the store: a folder that is not there is `NotFound`.
pub async fn open(url: &str, environment: &Environment) -> Result<Arc<dyn Blobs>> {
    let address = Address::of(Resource::Bucket, url)?;
    let mut params = address.params();
    let prefix = given(&mut params, "prefix")?;
    let key = given(&mut params, "key")?;
    let mut store: Arc<dyn Blobs> = match address.scheme() {
        file::SCHEME => Arc::new(file::open(&address, params).await?),
        MEM => {
            params.finish()?;
            environment.memory(&address.name())
        }
        #[cfg(feature = "gcp")]
        gcs::SCHEME => {
            let emulator = environment.variable(GOOGLE_EMULATOR);
            Arc::new(
                gcs::open(&address, params, emulator.as_deref(), environment.google_key.as_deref()).await?,
            )
        }
        #[cfg(feature = "azure")]
        azure::SCHEME => Arc::new(azure::open(&address, params, &|name| environment.variable(name))?),
        #[cfg(feature = "aws")]
        s3::SCHEME => Arc::new(s3::open(&address, params, environment.leads_elsewhere(url)).await?),
        other => return Err(not_here(other)),
    };
    // As gocloud.dev nests them: the key is one below the prefix.
    if let Some(prefix) = prefix {
        store = Arc::new(Prefixed::new(store, prefix));
    }
    if let Some(key) = key {
        store = Arc::new(SingleKey::new(store, key));
    }
    Ok(store)
}

/// A parameter that must have a value if it is there: an empty one is most often a variable that was not set.
fn given(params: &mut Params, key: &'static str) -> Result<Option<String>> {
    match params.text(key)? {
        Some(value) if value.is_empty() => Err(Error::new(
            Kind::Invalid,
            format!("parameter {key} of the store's URL is empty; leave it out"),
        )),
        value => Ok(value),
    }
}

fn not_here(scheme: &str) -> Error {
    let here: Vec<String> = SCHEMES.iter().map(|scheme| format!("{scheme}://")).collect();
    let here = here.join(", ");
    let what = match BY_FEATURE.iter().find(|(known, _)| *known == scheme) {
        Some((_, feature)) => {
            format!("{scheme}:// comes with the cargo feature {feature}, which this build does not have")
        }
        None => format!("{scheme}:// is no scheme of a blob store"),
    };
    Error::new(Kind::Invalid, format!("{what}; here are {here}"))
}

#[cfg(test)]
mod tests {
    use autopgo_core::clock::System;
    use autopgo_core::port::blobs::When;

    use super::*;

    async fn refused(url: &str) -> String {
        let opened = open(url, &Environment::new(Arc::new(System))).await;
        let error = opened.err().unwrap_or_else(|| panic!("{url} was opened"));
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
        error.to_string()
    }

    #[tokio::test]
    async fn schemes_that_are_not_here_say_so() {
        #[cfg(not(feature = "aws"))]
        {
            let says = "s3:// comes with the cargo feature aws, which this build does not have; here are file://, mem://";
            assert!(refused("s3://bucket?region=eu-west-1").await.starts_with(says));
        }
        #[cfg(not(feature = "gcp"))]
        assert!(refused("gs://bucket").await.contains("feature gcp"));
        #[cfg(not(feature = "azure"))]
        assert!(refused("blob+azblob://container").await.contains("feature azure"));
        let unknown = refused("ftp://host/dir").await;
        assert!(
            unknown.starts_with("ftp:// is no scheme of a blob store; here are file://, mem://"),
            "{unknown}"
        );
        assert!(refused("pubsub+mem://x").await.contains("opens no bucket"));
        assert!(refused("/var/lib/autopgo").await.contains("no scheme"));
    }

    #[tokio::test]
    async fn parameters_are_known_or_refused() {
        assert!(refused("mem://x?metadata=skip").await.contains("unknown parameter \"metadata\""));
        assert!(refused("mem://x?prefix=").await.contains("prefix of the store's URL is empty"));
        assert!(refused("mem://x?key=").await.contains("key of the store's URL is empty"));
        assert!(refused("mem://x?prefix=a/&prefix=b/").await.contains("more than once"));
    }

    #[tokio::test]
    async fn stores_in_memory_are_shared_by_name_and_environment() {
        let (here, there) = (Environment::new(Arc::new(System)), Environment::new(Arc::new(System)));
        let store = open("mem://one", &here).await.expect("opened");
        store.write("k", "v".into(), When::Absent).await.expect("written");
        for (url, environment, shared) in [
            ("mem://one", &here, true),
            ("blob+bucket+mem://one/", &here, true),
            ("mem://two", &here, false),
            ("mem://one", &there, false),
            ("mem://", &here, false),
        ] {
            let store = open(url, environment).await.expect(url);
            assert_eq!(store.stat("k").await.expect(url).is_some(), shared, "{url}");
        }
        let nameless = open("mem://", &here).await.expect("opened");
        nameless.write("k", "v".into(), When::Absent).await.expect("written");
        assert!(open("mem://", &here).await.expect("opened").stat("k").await.expect("looked").is_none());
    }

    #[test]
    fn each_provider_has_variables_that_lead_elsewhere() {
        let environment = Environment::new(Arc::new(System));
        assert!(!environment.leads_elsewhere("gs://b"));
        for (variable, host, url, elsewhere) in [
            ("STORAGE_EMULATOR_HOST", "localhost:1", "gs://b", true),
            ("STORAGE_EMULATOR_HOST", "localhost:1", "blob+gs://b?prefix=x/", true),
            ("STORAGE_EMULATOR_HOST", "localhost:1", "s3://b", false),
            ("STORAGE_EMULATOR_HOST", "localhost:1", "no URL", false),
            ("STORAGE_EMULATOR_HOST", " ", "gs://b", false),
            ("AWS_ENDPOINT_URL_S3", "http://localhost:1", "s3://b", true),
            ("AWS_ENDPOINT_URL", "http://localhost:1", "s3://b", true),
            ("AWS_ENDPOINT_URL_SQS", "http://localhost:1", "s3://b", false),
            ("AZURE_STORAGE_DOMAIN", "localhost:1", "azblob://b", true),
        ] {
            let lookup = move |name: &str| (name == variable).then(|| host.to_owned());
            let environment = Environment::new(Arc::new(System)).with_variables(lookup);
            assert_eq!(environment.leads_elsewhere(url), elsewhere, "{variable}={host} {url}");
        }
    }

    #[tokio::test]
    async fn a_key_lies_below_a_prefix() {
        let environment = Environment::new(Arc::new(System));
        let one = open("mem://s?prefix=a/&key=b", &environment).await.expect("opened");
        one.write("whatever", "v".into(), When::Absent).await.expect("written");
        let whole = open("mem://s", &environment).await.expect("opened");
        assert!(whole.stat("a/b").await.expect("looked").is_some());
    }
}
