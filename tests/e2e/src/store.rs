//! A store of a story's own, whatever is behind it, seen past autopgo.

use std::io::Write;

use autopgo_fakes::gcs;
use tempfile::NamedTempFile;

use crate::azurite::Container;
use crate::s3::Bucket;

/// The bucket in the fake of Google Cloud Storage.
const GOOGLE: &str = "story";

/// A store that is empty at first.
pub enum Store {
    /// On a server that speaks S3.
    S3(Bucket),
    /// On Azurite.
    Azure(Container),
    /// On the fake in this repository, with the file that says who one is.
    Google(gcs::Fake, NamedTempFile),
}

impl Store {
    /// One on the server of this name that speaks S3; `None`, said aloud, where there is none.
    pub async fn s3(server: &'static str) -> Option<Self> {
        Bucket::on(server).await.map(Self::S3)
    }

    /// One on Azurite; `None`, said aloud, where there is none.
    pub async fn azure() -> Option<Self> {
        Container::new().await.map(Self::Azure)
    }

    /// One on the fake of Google Cloud Storage.
    ///
    /// # Panics
    /// When it does not start.
    pub fn google() -> Self {
        let fake = gcs::Fake::start().expect("a fake of Google Cloud Storage");
        fake.make(GOOGLE);
        let mut key = NamedTempFile::new().expect("a file");
        key.write_all(fake.account().credentials().to_string().as_bytes()).expect("written");
        Self::Google(fake, key)
    }

    /// As `--blob-store-url` has it.
    pub fn url(&self) -> String {
        match self {
            Self::S3(bucket) => bucket.url.clone(),
            Self::Azure(container) => container.url(),
            Self::Google(fake, _) => format!("gs://{GOOGLE}?endpoint=http://{}", fake.address()),
        }
    }

    /// The variables that open it.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::S3(_) => Vec::new(),
            Self::Azure(container) => vec![container.key()],
            Self::Google(_, key) => {
                vec![("GOOGLE_APPLICATION_CREDENTIALS", key.path().display().to_string())]
            }
        }
    }

    /// How many uploads of `app` are staged; a thousand stand for all that are more.
    ///
    /// # Panics
    /// When it cannot be listed.
    pub async fn staged(&self, app: &str) -> usize {
        let folder = format!("{app}/staging/");
        match self {
            Self::S3(bucket) => bucket.keys(&folder).await.len(),
            Self::Azure(container) => container.names(folder.trim_end_matches('/')).await.len(),
            Self::Google(fake, _) => {
                fake.objects(GOOGLE).iter().filter(|(name, _)| name.starts_with(&folder)).count()
            }
        }
    }
}
