//! The client: endpoint, credentials, how long to wait and how often to try.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::error::{Error, Kind, Result};
use object_store::azure::{
    AzureConfigKey, AzureCredential, AzureCredentialProvider, MicrosoftAzure, MicrosoftAzureBuilder,
};
use object_store::client::HttpConnector;
use object_store::{BackoffConfig, ClientOptions, CredentialProvider, RetryConfig};

use super::remove::Remover;
use super::settings::{Entra, Identity, Proof, Settings};
use super::wire::Connector;

/// To reach the service.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a connection waits for the next request. The other side may close one that waits longer (Azurite does after
/// 5 s), and what is sent once must not be lost in that.
const IDLE: Duration = Duration::from_secs(3);
/// Every try of a request together, and the waits between.
pub(super) const OPERATION: Duration = Duration::from_secs(25);
/// How often a request is sent again at the most.
pub(super) const RETRIES: usize = 3;
/// The wait before the second try, at the most; it doubles with each.
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(200);
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// The same container twice.
pub(super) struct Stores {
    /// Tries again where that may help.
    pub(super) patient: MicrosoftAzure,
    /// Sends everything once.
    pub(super) once: MicrosoftAzure,
    /// Deletes, and tries again too.
    pub(super) remover: Remover,
}

/// Clients for `container`. Nothing is sent yet.
pub(super) fn stores(container: &str, settings: &Settings) -> Result<Stores> {
    let wrong = |error: object_store::Error| {
        let what = match settings.identity {
            Identity::Key(_) => "the key of the account cannot be read; it is base64, as the portal shows it",
            _ => "the client cannot be made",
        };
        Error::new(Kind::Invalid, format!("azblob://{container}: {what}")).because(error)
    };
    let options = ClientOptions::new()
        .with_allow_http(settings.service.starts_with("http://"))
        .with_connect_timeout(CONNECT)
        .with_pool_idle_timeout(IDLE)
        // A limit on a whole request would be one on large bodies; `wire.rs` and the adapter have others.
        .with_timeout_disabled();
    // Only keys are signed with the account's name; of the others, nobody may have said it.
    let account = if settings.account.is_empty() { "account" } else { &settings.account };
    let base = MicrosoftAzureBuilder::new()
        .with_container_name(container)
        .with_endpoint(settings.service.clone())
        .with_account(account)
        .with_client_options(options.clone())
        .with_http_connector(Connector)
        .with_retry(retry(RETRIES));
    let known = match &settings.identity {
        Identity::Key(key) => base.clone().with_access_key(key.reveal()),
        Identity::Sas(token) => base.clone().with_config(AzureConfigKey::SasKey, token.reveal()),
        Identity::Entra(entra) => {
            let tokens = Tokens(credentials(base.clone(), entra).map_err(wrong)?);
            base.clone().with_credentials(Arc::new(tokens))
        }
    };
    let patient = known.build().map_err(wrong)?;
    // One token for both.
    let credentials = Arc::clone(patient.credentials());
    let once = base.with_credentials(credentials).with_retry(retry(0)).build().map_err(wrong)?;
    let remover = Remover {
        client: Connector.connect(&options).map_err(wrong)?,
        credentials: Arc::clone(patient.credentials()),
        account: account.to_owned(),
        container: format!("{}/{container}", settings.service),
    };
    Ok(Stores { patient, once, remover })
}

fn retry(max_retries: usize) -> RetryConfig {
    let backoff = BackoffConfig { init_backoff: FIRST_WAIT, max_backoff: LONGEST_WAIT, base: 2.0 };
    RetryConfig { backoff, max_retries, retry_timeout: OPERATION }
}

/// Who fetches tokens from Entra.
fn credentials(base: MicrosoftAzureBuilder, entra: &Entra) -> object_store::Result<AzureCredentialProvider> {
    let base = match &entra.authority {
        Some(authority) => base.with_authority_host(authority),
        None => base,
    };
    let of = |builder: MicrosoftAzureBuilder| Ok(Arc::clone(builder.build()?.credentials()));
    match &entra.proof {
        Proof::Secret { tenant, client, secret } => {
            of(base.with_client_secret_authorization(client, secret.reveal(), tenant))
        }
        Proof::Workload { tenant, client, file } => {
            of(base.with_client_id(client).with_tenant_id(tenant).with_federated_token_file(file))
        }
        Proof::Managed { client, endpoint } => {
            let managed = base.clone().with_credential_type("managed_identity");
            let managed = client.iter().fold(managed, MicrosoftAzureBuilder::with_client_id);
            if let Some(endpoint) = endpoint {
                return of(managed.with_msi_endpoint(endpoint));
            }
            let cli = of(base.with_credential_type("azure_cli"))?;
            Ok(Arc::new(Ambient { managed: of(managed)?, cli, known: AtomicU8::new(NOBODY) }))
        }
    }
}

/// Tokens of Entra, and errors that say what they are about.
#[derive(Debug)]
struct Tokens(AzureCredentialProvider);

#[async_trait]
impl CredentialProvider for Tokens {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AzureCredential>> {
        self.0.get_credential().await.map_err(|error| generic(NoToken(error)))
    }
}

/// The service was not even asked.
#[derive(Debug)]
pub(super) struct NoToken(pub(super) object_store::Error);

impl fmt::Display for NoToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no token from Entra")
    }
}

impl std::error::Error for NoToken {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// The identity of the machine, or where it has none, of who sits at it.
#[derive(Debug)]
struct Ambient {
    managed: AzureCredentialProvider,
    cli: AzureCredentialProvider,
    /// Who gave a token before: the others are not asked again.
    known: AtomicU8,
}

const NOBODY: u8 = 0;
const MANAGED: u8 = 1;
const CLI: u8 = 2;

#[async_trait]
impl CredentialProvider for Ambient {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AzureCredential>> {
        match self.known.load(Ordering::Relaxed) {
            MANAGED => return self.managed.get_credential().await,
            CLI => return self.cli.get_credential().await,
            _ => {}
        }
        let managed = match self.managed.get_credential().await {
            Ok(credential) => {
                self.known.store(MANAGED, Ordering::Relaxed);
                return Ok(credential);
            }
            Err(error) => error,
        };
        match self.cli.get_credential().await {
            Ok(credential) => {
                self.known.store(CLI, Ordering::Relaxed);
                Ok(credential)
            }
            Err(cli) => Err(generic(NoIdentity { managed, cli })),
        }
    }
}

/// Neither the place nor the Azure CLI knows who this is.
#[derive(Debug)]
pub(super) struct NoIdentity {
    managed: object_store::Error,
    cli: object_store::Error,
}

impl fmt::Display for NoIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no managed identity ({}) and none of the Azure CLI ({})", self.managed, self.cli)
    }
}

impl std::error::Error for NoIdentity {}

/// An error of ours as one of `object_store`, to be found among its causes.
pub(super) fn generic(source: impl std::error::Error + Send + Sync + 'static) -> object_store::Error {
    object_store::Error::Generic { store: super::SCHEME, source: Box::new(source) }
}
