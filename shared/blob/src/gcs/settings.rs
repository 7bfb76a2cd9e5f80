//! The parameters of a `gs://` URL, those of gocloud.dev v0.40, `blob/gcsblob`, and `endpoint` beside them; and the one
//! variable that the original reads by itself.

use std::path::PathBuf;

use autopgo_core::address::Params;
use autopgo_core::error::{Error, Kind, Result};

/// What a URL and the environment ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// Where the store is, if not at Google: `http://HOST` or `https://HOST`, without a slash at its end.
    pub(super) endpoint: Option<String>,
    /// Whether requests say who they are.
    pub(super) anonymous: bool,
    /// Who signs.
    pub(super) access_id: Option<String>,
    /// With which key.
    pub(super) key: Key,
}

/// The key that signs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Key {
    /// That of the credentials, or none, and then IAM is asked to sign.
    #[default]
    Default,
    /// None: IAM is asked in the name of `access_id`.
    Cleared,
    /// The one in this file.
    File(PathBuf),
}

impl Settings {
    /// Takes every parameter. A repeated one counts the first time, as with gocloud.dev.
    pub(super) fn of(params: Params, emulator: Option<&str>) -> Result<Self> {
        let mut params = params.first_wins();
        let access_id = params.text("access_id")?.filter(|id| !id.is_empty());
        let key = match params.text("private_key_path")? {
            None => Key::Default,
            Some(path) if path.is_empty() => Key::Cleared,
            Some(path) => Key::File(path.into()),
        };
        let own = params.text("endpoint")?;
        params.finish()?;
        // The URL is more particular than the environment.
        let (endpoint, anonymous) = match (own, emulator.filter(|host| !host.trim().is_empty())) {
            (Some(text), _) => (Some(endpoint(&text)?), false),
            (None, Some(host)) => (Some(emulated(host)?), true),
            (None, None) => (None, false),
        };
        Ok(Self {
            endpoint,
            anonymous: anonymous || access_id.as_deref() == Some("-"),
            access_id: access_id.filter(|id| id != "-"),
            key,
        })
    }
}

fn endpoint(text: &str) -> Result<String> {
    let Some(host) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return Err(invalid(format!(
            "parameter endpoint is {text:?}, which has no scheme; write endpoint=https://{text}, or http:// for one \
             without encryption"
        )));
    };
    // Its text may hold a secret here, so it is not repeated.
    if host.contains('@') {
        return Err(invalid("parameter endpoint carries credentials; give them by the environment"));
    }
    bare(text, host).ok_or_else(|| {
        invalid(format!("parameter endpoint is {text:?}; write it as https://HOST or http://HOST:PORT"))
    })
}

/// The original writes `http://` before it and `/storage/v1/` behind, so that is how the variable is set for it.
/// Google's own clients want the scheme in it.
fn emulated(text: &str) -> Result<String> {
    let text = text.trim();
    let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    host.filter(|host| !host.contains('@')).and_then(|host| bare(&url, host)).ok_or_else(|| {
        // Without its text, for the same reason.
        invalid("STORAGE_EMULATOR_HOST is no HOST:PORT; set it as in STORAGE_EMULATOR_HOST=localhost:4443")
    })
}

/// `url` without a slash at its end, if there is nothing in it but a host.
fn bare(url: &str, host: &str) -> Option<String> {
    let host = host.trim_end_matches('/');
    (!host.is_empty() && !host.contains(['/', '?', '#', ' '])).then(|| url.trim_end_matches('/').to_owned())
}

pub(super) fn invalid(what: impl std::fmt::Display) -> Error {
    Error::new(Kind::Invalid, format!("gs://: {what}"))
}

#[cfg(test)]
mod tests {
    use autopgo_core::address::Address;

    use super::*;

    fn read(query: &str, emulator: Option<&str>) -> Result<Settings> {
        Settings::of(Address::parse(&format!("gs://bucket?{query}")).expect(query).params(), emulator)
    }

    fn check(query: &str, emulator: Option<&str>, expected: &Settings) {
        assert_eq!(&read(query, emulator).expect(query), expected, "{query}");
    }

    #[test]
    fn every_parameter_is_read() {
        let nothing = Settings::default();
        check("", None, &nothing);
        check("access_id=", Some(""), &nothing);
        check("access_id=-", None, &Settings { anonymous: true, ..nothing.clone() });
        let signer = Settings { access_id: Some("me@project".into()), ..nothing.clone() };
        check("access_id=me@project", None, &signer);
        check("private_key_path=", None, &Settings { key: Key::Cleared, ..nothing.clone() });
        check(
            "private_key_path=/etc/key.pem&access_id=me@project",
            None,
            &Settings { key: Key::File("/etc/key.pem".into()), ..signer.clone() },
        );
        for endpoint in ["http://127.0.0.1:4443", "https://storage-mine.p.googleapis.com"] {
            let expected = Settings { endpoint: Some(endpoint.into()), ..nothing.clone() };
            check(&format!("endpoint={endpoint}"), None, &expected);
            check(&format!("endpoint={endpoint}/"), Some("elsewhere:1"), &expected);
        }
    }

    #[test]
    fn an_emulator_is_found_with_a_scheme_and_without() {
        for (host, endpoint) in [
            ("localhost:4443", "http://localhost:4443"),
            ("http://localhost:4443", "http://localhost:4443"),
            ("http://localhost:4443/", "http://localhost:4443"),
            ("https://gcs.test ", "https://gcs.test"),
        ] {
            let expected =
                Settings { endpoint: Some(endpoint.into()), anonymous: true, ..Settings::default() };
            check("", Some(host), &expected);
        }
        for host in ["http://", "a/b", "ftp://x", "me:secret@host"] {
            let error = read("", Some(host)).expect_err(host);
            assert!(error.kind() == Kind::Invalid && !error.what().contains("secret"), "{host}: {error}");
            assert!(error.what().contains("STORAGE_EMULATOR_HOST=localhost:4443"), "{host}: {error}");
        }
    }

    #[test]
    fn of_a_repeated_parameter_the_first_counts() {
        check(
            "access_id=a&access_id=b",
            None,
            &Settings { access_id: Some("a".into()), ..Settings::default() },
        );
    }

    #[test]
    fn what_cannot_be_honoured_says_what_to_write() {
        for (query, says) in [
            ("endpoint=127.0.0.1:9000", "write endpoint=https://127.0.0.1:9000"),
            ("endpoint=http://", "write it as https://HOST"),
            ("endpoint=http://host/storage/v1", "write it as https://HOST"),
            ("anonymous=true", "unknown parameter \"anonymous\""),
            ("Access_id=x", "unknown parameter \"Access_id\""),
            ("region=eu", "those it takes here: access_id, endpoint, private_key_path"),
        ] {
            let error = read(query, None).expect_err(query);
            assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{query}: {error}");
        }
        let secret = read("endpoint=http://me:secret@host", None).expect_err("credentials");
        assert!(
            secret.what().contains("carries credentials") && !secret.what().contains("secret"),
            "{secret}"
        );
    }
}
