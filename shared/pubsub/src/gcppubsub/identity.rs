//! Who asks: nobody, or whoever Google's chain finds.

use google_cloud_auth::credentials::{self, CacheableResource, Credentials};
use http::Extensions;
use tonic::metadata::MetadataMap;

use super::fail::Failure;

/// What credentials reach (the scope of the original).
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const UNIVERSE: &str = "googleapis.com";

/// Who asks.
pub(super) enum Identity {
    /// Nobody in particular.
    Anonymous,
    /// Whoever the credentials say.
    Known(Credentials),
    /// The credentials cannot be read. As with a store, that is an error of each call and not of the start.
    Unreadable(String),
}

impl Identity {
    /// Whoever Google's chain finds.
    pub(super) fn found() -> Self {
        match credentials::Builder::default().with_scopes([SCOPE]).build() {
            Ok(credentials) => Self::Known(credentials),
            Err(error) => {
                let why = error.to_string();
                tracing::warn!(
                    error = why,
                    "gcppubsub://: the credentials cannot be read, so that every call will fail"
                );
                Self::Unreadable(why)
            }
        }
    }

    /// What stands behind the name of the service: of another universe than Google's own, the metadata server knows.
    pub(super) async fn universe(&self) -> String {
        let universe = match self {
            Self::Known(credentials) => credentials.universe_domain().await,
            Self::Anonymous | Self::Unreadable(_) => None,
        };
        universe.unwrap_or_else(|| UNIVERSE.to_owned())
    }

    /// The headers that say who asks, and who pays.
    pub(super) async fn metadata(&self) -> Result<MetadataMap, Failure> {
        let credentials = match self {
            Self::Known(credentials) => credentials,
            Self::Anonymous => return Ok(MetadataMap::new()),
            Self::Unreadable(why) => return Err(Failure::Unreadable(why.clone())),
        };
        match credentials.headers(Extensions::new()).await.map_err(Failure::Nobody)? {
            CacheableResource::New { data, .. } => Ok(MetadataMap::from_headers(data)),
            // Nothing was said of what is known, so this cannot be the answer.
            CacheableResource::NotModified => Ok(MetadataMap::new()),
        }
    }
}
