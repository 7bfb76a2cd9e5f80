//! Connection strings: `DefaultEndpointsProtocol=https;AccountName=...;AccountKey=...;EndpointSuffix=core.windows.net`,
//! as the portal shows them and as Azurite's manual writes them (Microsoft Learn, "Configure Azure Storage connection
//! strings"). No error repeats any part of one but names.

use std::collections::BTreeMap;

use autopgo_core::error::{Error, Kind, Result};

use super::settings::{Identity, Secret};

/// What a connection string says of a blob service.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Connection {
    /// Its URL, without a slash at the end.
    pub(super) service: String,
    /// The account's name; not always said beside a shared access signature, and not needed there.
    pub(super) account: String,
    pub(super) identity: Identity,
}

/// Reads the connection string that the variable `name` holds. With a key and a signature the key counts, as with
/// Azure's SDK for Go.
pub(super) fn read(name: &str, text: &str) -> Result<Connection> {
    let wrong = |what: &str| Error::new(Kind::Invalid, format!("azblob://: {name} {what}"));
    let mut parts = BTreeMap::new();
    for part in text.trim().split(';').filter(|part| !part.trim().is_empty()) {
        let (key, value) = part
            .split_once('=')
            .ok_or_else(|| wrong("is no connection string: it has a part without a ="))?;
        parts.insert(key.trim(), value.trim());
    }
    let part = |key: &str| parts.get(key).copied().filter(|value| !value.is_empty());

    let account = part("AccountName");
    let service = match (part("BlobEndpoint"), account) {
        (Some(endpoint), _) => endpoint.trim_end_matches('/').to_owned(),
        (None, Some(account)) => {
            let protocol = part("DefaultEndpointsProtocol").unwrap_or("https");
            let suffix = part("EndpointSuffix").unwrap_or("core.windows.net");
            format!("{protocol}://{account}.blob.{suffix}")
        }
        (None, None) => return Err(wrong("has neither AccountName nor BlobEndpoint")),
    };
    let host = service.strip_prefix("https://").or_else(|| service.strip_prefix("http://"));
    if host.is_none_or(|host| host.is_empty() || host.contains(['@', '?', '#', ' '])) {
        return Err(wrong("names no blob service by http:// or https://; write BlobEndpoint=https://HOST"));
    }
    let identity = match (part("AccountKey"), part("SharedAccessSignature")) {
        (Some(_), _) if account.is_none() => return Err(wrong("has an AccountKey and no AccountName")),
        (Some(key), _) => Identity::Key(Secret::new(key)),
        (None, Some(signature)) => Identity::Sas(Secret::new(signature)),
        (None, None) => return Err(wrong("has neither AccountKey nor SharedAccessSignature")),
    };
    Ok(Connection { service, account: account.unwrap_or_default().to_owned(), identity })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, service: &str, account: &str, identity: Identity) {
        let read = read("V", text).expect(text);
        assert_eq!(read, Connection { service: service.to_owned(), account: account.to_owned(), identity });
    }

    #[test]
    fn the_endpoint_comes_from_the_string() {
        let key = || Identity::Key(Secret::new("a2V5=="));
        let sas = || Identity::Sas(Secret::new("sv=2023-11-03&sig=x%3D"));
        check("AccountName=acme;AccountKey=a2V5==", "https://acme.blob.core.windows.net", "acme", key());
        check(
            "DefaultEndpointsProtocol=http;AccountName=acme;AccountKey=a2V5==;EndpointSuffix=core.chinacloudapi.cn;",
            "http://acme.blob.core.chinacloudapi.cn",
            "acme",
            key(),
        );
        check(
            "AccountName=dev;AccountKey=a2V5==;BlobEndpoint=http://127.0.0.1:10000/dev/;QueueEndpoint=http://x",
            "http://127.0.0.1:10000/dev",
            "dev",
            key(),
        );
        check(
            "BlobEndpoint=https://acme.blob.core.windows.net/;SharedAccessSignature=sv=2023-11-03&sig=x%3D",
            "https://acme.blob.core.windows.net",
            "",
            sas(),
        );
        check(
            "AccountName=acme;SharedAccessSignature=sv=2023-11-03&sig=x%3D",
            "https://acme.blob.core.windows.net",
            "acme",
            sas(),
        );
        check(
            " AccountName=acme; AccountKey=a2V5==; SharedAccessSignature=s ",
            "https://acme.blob.core.windows.net",
            "acme",
            key(),
        );
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_is_repeated() {
        for (text, says) in [
            ("hunter2", "V is no connection string"),
            ("AccountName=hunter2", "neither AccountKey nor SharedAccessSignature"),
            ("AccountKey=hunter2", "neither AccountName nor BlobEndpoint"),
            ("AccountName=;AccountKey=hunter2", "neither AccountName nor BlobEndpoint"),
            ("BlobEndpoint=https://h;AccountKey=hunter2", "an AccountKey and no AccountName"),
            ("BlobEndpoint=hunter2;AccountName=a;AccountKey=k", "write BlobEndpoint=https://HOST"),
            (
                "BlobEndpoint=https://a:hunter2@h;AccountName=a;AccountKey=k",
                "write BlobEndpoint=https://HOST",
            ),
            ("DefaultEndpointsProtocol=ftp;AccountName=a;AccountKey=hunter2", "names no blob service"),
            ("UseDevelopmentStorage=true", "neither AccountName nor BlobEndpoint"),
            (";", "neither AccountName nor BlobEndpoint"),
        ] {
            let error = read("V", text).expect_err(text);
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{text}: {error}");
            assert!(!error.what().contains("hunter2"), "{error}");
        }
    }
}
