//! A store of a story's own, whatever is behind it, seen past autopgo.

use autopgo_fakes::gcs;

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
    /// On the fake in this repository.
    Google(gcs::Fake),
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
        Self::Google(fake)
    }

    /// As `--blob-store-url` has it.
    pub fn url(&self) -> String {
        match self {
            Self::S3(bucket) => bucket.url.clone(),
            Self::Azure(container) => container.url(),
            Self::Google(_) => format!("gs://{GOOGLE}"),
        }
    }

    /// The variables that open it.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::S3(_) => Vec::new(),
            Self::Azure(container) => vec![container.key()],
            Self::Google(fake) => vec![("STORAGE_EMULATOR_HOST", fake.address().to_string())],
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
            Self::Google(fake) => {
                fake.objects(GOOGLE).iter().filter(|(name, _)| name.starts_with(&folder)).count()
            }
        }
    }
}
