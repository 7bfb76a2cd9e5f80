//! Deleting one blob. `object_store` deletes in batches alone: not every signature that lets a blob be deleted lets a batch
//! be sent (Azurite takes none with one), and what is answered inside a batch has no code of Azure's.

use std::time::Duration;

use object_store::azure::{AzureAuthorizer, AzureCredentialProvider};
use object_store::client::{HttpClient, HttpErrorKind, HttpRequestBody};

use super::client::{FIRST_WAIT, LONGEST_WAIT, RETRIES, generic};
use super::key;

/// Deletes the blobs of one container.
pub(super) struct Remover {
    pub(super) client: HttpClient,
    pub(super) credentials: AzureCredentialProvider,
    pub(super) account: String,
    /// The URL of the container.
    pub(super) container: String,
}

impl Remover {
    /// Deletes the blob of this name and its snapshots (Microsoft Learn, "Delete Blob"), in as many tries as
    /// `object_store` has for other requests.
    pub(super) async fn remove(&self, name: &str) -> object_store::Result<()> {
        let url = format!("{}/{}", self.container, key::encode(name));
        let (mut left, mut wait) = (RETRIES, FIRST_WAIT);
        loop {
            let credential = self.credentials.get_credential().await?;
            let request = http::Request::delete(&url)
                .header("content-length", "0")
                .header("x-ms-delete-snapshots", "include");
            let mut request = request.body(HttpRequestBody::empty()).map_err(generic)?;
            AzureAuthorizer::new(&credential, &self.account).try_authorize(&mut request)?;
            match self.client.execute(request).await {
                Ok(_) => return Ok(()),
                Err(error) if left > 0 && is_worth_another(error.kind()) => {
                    tokio::time::sleep(wait).await;
                    (left, wait) = (left - 1, Duration::min(wait * 2, LONGEST_WAIT));
                }
                Err(error) => return Err(generic(error)),
            }
        }
    }
}

fn is_worth_another(kind: HttpErrorKind) -> bool {
    matches!(kind, HttpErrorKind::Connect | HttpErrorKind::Request)
}
