//! Where the API is: a base URL that may carry a path (an API Gateway stage, a prefix of a proxy), which is kept.

use std::fmt;

use autopgo_core::error::{Error, Kind, Result};
use reqwest::Url;

/// A base URL that was checked: `http` or `https`, a host, perhaps a path; nothing behind it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Base(Url);

impl Base {
    /// Reads `http://host:port/path`, with or without a slash at the end.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let invalid = |problem: &str| {
            // The text itself is not repeated where it may hold a password.
            let shown = if text.contains('@') { String::new() } else { format!(" {text:?}") };
            Error::new(
                Kind::Invalid,
                format!(
                    "the API URL{shown} {problem}; --api-url takes for example https://host or https://host/prod"
                ),
            )
        };
        let text = text.trim();
        if !["http://", "https://"].iter().any(|scheme| starts_with(text, scheme)) {
            return Err(invalid("does not start with http:// or https://"));
        }
        let url = Url::parse(text).map_err(|error| invalid(&format!("is none: {error}")))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid(
                "has a user name in it, and a URL is no place for a secret: use AUTOPGO_API_TOKEN or --header",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("has a query or a fragment behind it"));
        }
        Ok(Self(url))
    }

    /// The base itself.
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// The URL of `path` (which starts with a slash) below the base.
    pub(crate) fn join(&self, path: &str, query: Option<&str>) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path().trim_end_matches('/')));
        url.set_query(query);
        url
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// A URL as it may be shown: what is behind the `?` can be a signature.
pub(crate) fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

fn starts_with(text: &str, scheme: &str) -> bool {
    text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_kept_with_or_without_a_slash_behind_it() {
        for (base, joined, display) in [
            ("http://localhost:8080", "http://localhost:8080/api/profile", "http://localhost:8080"),
            ("http://localhost:8080/", "http://localhost:8080/api/profile", "http://localhost:8080"),
            ("https://host/prod", "https://host/prod/api/profile", "https://host/prod"),
            ("https://host/prod/", "https://host/prod/api/profile", "https://host/prod"),
            ("https://host/a/b//", "https://host/a/b/api/profile", "https://host/a/b"),
            (" HTTP://Host:80/x ", "http://host/x/api/profile", "http://host/x"),
            ("http://[::1]:9", "http://[::1]:9/api/profile", "http://[::1]:9"),
        ] {
            let parsed = Base::parse(base).expect(base);
            assert_eq!(parsed.join("/api/profile", None).as_str(), joined);
            assert_eq!(parsed.to_string(), display);
        }
        let query = Base::parse("http://h/p").expect("base").join("/x", Some("form=compact"));
        assert_eq!(query.as_str(), "http://h/p/x?form=compact");
        assert_eq!(shown(&query), "http://h/p/x");
    }

    #[test]
    fn what_is_no_base_url_says_why() {
        for (base, says) in [
            ("", "does not start with http"),
            ("localhost:8080", "does not start with http"),
            ("ftp://host", "does not start with http"),
            ("http://", "is none"),
            ("http://host:99999", "is none"),
            ("http://host?x=1", "a query"),
            ("http://host/#x", "a fragment"),
            ("https://me:hunter2@host", "no place for a secret"),
        ] {
            let error = Base::parse(base).err().expect(base);
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.what().contains(says), "{base}: {error}");
            assert!(!error.what().contains("hunter2"), "{error}");
        }
    }
}
