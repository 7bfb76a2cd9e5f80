//! HTTP clients on a machine that may have no root certificates, as a container with one program in it.

use autopgo_core::error::{Error, Kind, Result};
use reqwest::{Client, ClientBuilder};

/// What to do about it.
const HINT: &str =
    "https:// needs the root certificates of this machine: install ca-certificates, or set SSL_CERT_FILE";

/// The client that `builder` makes. Where there are no root certificates it is one that reaches `http://` alone.
///
/// # Errors
/// `Internal` when there can be no client for another reason.
pub fn lenient_client(builder: impl Fn() -> ClientBuilder) -> Result<Client> {
    client(&builder).or_else(|error| match builder().tls_certs_only([]).build() {
        Ok(client) => {
            tracing::warn!(
                error = error.chain(),
                "no root certificates were found, and nothing can be reached but http://"
            );
            Ok(client)
        }
        Err(_) => Err(error),
    })
}

/// The client that `builder` makes.
///
/// # Errors
/// `Internal`, saying what is missing.
pub(crate) fn client(builder: impl Fn() -> ClientBuilder) -> Result<Client> {
    let said =
        |error| Error::new(Kind::Internal, format!("setting up the HTTP client; {HINT}")).because(error);
    builder().build().map_err(said)
}
