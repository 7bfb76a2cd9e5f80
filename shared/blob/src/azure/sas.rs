//! Signatures of single requests with a key of the account: a service SAS for one blob (Microsoft Learn, "Create a
//! service SAS", version 2020-12-06 and later).
//!
//! `object_store` signs too, but names the blob percent-encoded where the service wants it decoded, so that it refuses
//! keys with a space in them; and it begins a signature now, which another clock may not have reached.

use autopgo_core::error::{Error, Kind, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use sha2::Sha256;

use super::key;
use super::settings::Secret;

/// Of the service, whose rules these are.
const VERSION: &str = "2023-11-03";

/// What a request may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Put,
}

/// Signs for one container.
pub(super) struct Signer {
    service: String,
    account: String,
    container: String,
    key: Vec<u8>,
}

impl Signer {
    pub(super) fn new(service: &str, account: &str, container: &str, key: &Secret) -> Result<Self> {
        let key = BASE64_STANDARD.decode(key.reveal()).map_err(|error| {
            Error::new(Kind::Invalid, format!("azblob://{container}: the key of the account is not base64"))
                .because(error)
        })?;
        let (service, account) = (service.to_owned(), account.to_owned());
        Ok(Self { service, account, container: container.to_owned(), key })
    }

    /// The URL of the blob `name`, with the right to do this and nothing else until `expires`, a whole second.
    pub(super) fn sign(&self, verb: Verb, name: &str, expires: Timestamp) -> Result<String> {
        let Self { service, account, container, key } = self;
        let permissions = match verb {
            Verb::Get => "r",
            Verb::Put => "w",
        };
        let protocol = if service.starts_with("https://") { "https" } else { "" };
        let expires = expires.to_string();
        // In order: permissions, start, expiry, resource, identifier, IP, protocol, version, kind of resource, snapshot,
        // encryption scope, and five headers of the answer.
        let resource = format!("/blob/{account}/{container}/{name}");
        let text = [
            permissions,
            "",
            &expires,
            &resource,
            "",
            "",
            protocol,
            VERSION,
            "b",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
        ]
        .join("\n");
        let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|error| {
            Error::new(Kind::Internal, "the key of the account signs nothing").because(error)
        })?;
        mac.update(text.as_bytes());
        let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        let mut query = format!("sv={VERSION}&sr=b&sp={permissions}&se={}", key::encode(&expires));
        if !protocol.is_empty() {
            query.push_str("&spr=https");
        }
        // A slash may stand in a query as it is; what else base64 has is encoded.
        let signature = key::encode(&signature);
        Ok(format!("{service}/{container}/{}?{query}&sig={signature}", key::encode(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(service: &str) -> Signer {
        Signer::new(service, "acme", "profiles", &Secret::new("a2V5")).expect("a key")
    }

    /// The signatures are those of Microsoft's `azure-storage-blob` 12.31.1 for Python, `generate_blob_sas`.
    #[test]
    fn signatures_are_those_of_microsofts_own() {
        let expires: Timestamp = "2026-01-02T03:04:05Z".parse().expect("a time");
        let signed = signer("https://acme.blob.core.windows.net");
        assert_eq!(
            signed.sign(Verb::Put, "checkout/incoming/1", expires).expect("signed"),
            "https://acme.blob.core.windows.net/profiles/checkout/incoming/1?sv=2023-11-03&sr=b&sp=w\
             &se=2026-01-02T03%3A04%3A05Z&spr=https&sig=akhvw9YFA0McaAXJo4ZCOSTZsQjUVTDUqGocF7iug%2BQ%3D"
        );
        let local = signer("http://127.0.0.1:10000/acme");
        assert_eq!(
            local.sign(Verb::Get, "a b/d\u{e9}j\u{e0}+vu", expires).expect("signed"),
            "http://127.0.0.1:10000/acme/profiles/a%20b/d%C3%A9j%C3%A0%2Bvu?sv=2023-11-03&sr=b&sp=r\
             &se=2026-01-02T03%3A04%3A05Z&sig=B4xWQWFkLFUIxt2My8kJjCMUc1%2BTcgaOy9MoOKTxTOg%3D"
        );
    }

    #[test]
    fn a_key_that_is_none_is_refused_and_not_shown() {
        let refused =
            Signer::new("https://h", "acme", "profiles", &Secret::new("hunter2!")).err().expect("no key");
        assert!(
            refused.kind() == Kind::Invalid && !refused.chain().contains("hunter2"),
            "{}",
            refused.chain()
        );
    }
}
