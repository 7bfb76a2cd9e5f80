//! Who is asking: a bearer token, and whatever other headers a gateway in front of the API wants.
//!
//! All of it is treated as secret: it is never shown by `Debug`, never logged, and never sent on to another host.

use std::fmt;

use autopgo_core::error::{Error, Kind, Result};
use http::header::{self, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

/// Headers that this client sets itself, or that would break its messages.
const OURS: [HeaderName; 4] =
    [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::IF_NONE_MATCH];

/// How a request says who it is from.
#[derive(Clone, Default)]
pub enum Identity {
    /// It does not.
    #[default]
    Open,
    /// By `Authorization: Bearer`.
    Bearer(HeaderValue),
}

impl Identity {
    /// A bearer token; white space around it (a file's last line break) is not part of it.
    ///
    /// # Errors
    /// `Invalid` if it is empty or has a character that no header may have. The text does not show the token.
    pub fn bearer(token: &str) -> Result<Self> {
        let token = token.trim();
        if token.is_empty() {
            return Err(Error::new(Kind::Invalid, "the API token is empty"));
        }
        let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
            Error::new(Kind::Invalid, "the API token has a character that a header cannot carry")
        })?;
        value.set_sensitive(true);
        Ok(Self::Bearer(value))
    }

    pub(crate) fn sign(&self, headers: &mut HeaderMap) {
        match self {
            Self::Open => {}
            Self::Bearer(value) => {
                headers.insert(AUTHORIZATION, value.clone());
            }
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "Open",
            Self::Bearer(_) => "Bearer(secret)",
        })
    }
}

/// Further headers for every request to the API.
#[derive(Clone, Default)]
pub struct Headers(HeaderMap);

impl Headers {
    /// Adds one, written as `Name: value`. A name may come more than once.
    ///
    /// # Errors
    /// `Invalid`: not of that form, or a header that the client sets itself. The text never shows the value.
    pub fn add(&mut self, line: &str) -> Result<()> {
        let invalid =
            |problem: String| Error::new(Kind::Invalid, format!("{problem}; write it as `Name: value`"));
        let (name, value) =
            line.split_once(':').ok_or_else(|| invalid("a header without a colon".to_owned()))?;
        let name = name.trim();
        let parsed =
            HeaderName::try_from(name).map_err(|_| invalid(format!("{name:?} is no header name")))?;
        if OURS.contains(&parsed) || parsed == autopgo_core::api::IDEMPOTENCY_KEY {
            return Err(Error::new(Kind::Invalid, format!("the header {name} is set by autopgo itself")));
        }
        let mut value = HeaderValue::try_from(value.trim()).map_err(|_| {
            invalid(format!("the value of the header {name} has a character that it cannot carry"))
        })?;
        value.set_sensitive(true);
        self.0.append(parsed, value);
        Ok(())
    }

    /// Whether there is an `Authorization` among them.
    pub fn authorize(&self) -> bool {
        self.0.contains_key(AUTHORIZATION)
    }

    pub(crate) fn map(&self) -> &HeaderMap {
        &self.0
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let identity = Identity::bearer(" s3cret\n").expect("a token");
        let mut headers = Headers::default();
        headers.add("X-Api-Key: s3cret").expect("a header");
        let shown = format!("{identity:?} {headers:?}");
        assert_eq!(shown, r#"Bearer(secret) ["x-api-key"]"#);
        let mut map = headers.map().clone();
        identity.sign(&mut map);
        assert_eq!(map[AUTHORIZATION], "Bearer s3cret");
        assert!(!format!("{map:?}").contains("s3cret"));
    }

    #[test]
    fn bad_ones_say_why_and_not_what() {
        for (token, says) in [("", "is empty"), (" \n", "is empty"), ("s3\ncret", "a character")] {
            let error = Identity::bearer(token).expect_err(token);
            assert!(error.what().contains(says) && !error.what().contains("cret"), "{error}");
        }
        for (line, says) in [
            ("s3cret", "without a colon"),
            (": s3cret", "no header name"),
            ("a b: s3cret", "no header name"),
            ("X: s3\ncret", "a character"),
            ("Content-Length: 5", "by autopgo itself"),
            ("idempotency-key: s3cret", "by autopgo itself"),
        ] {
            let error = Headers::default().add(line).expect_err(line);
            assert!(error.what().contains(says) && !error.what().contains("cret"), "{error}");
        }
    }
}
