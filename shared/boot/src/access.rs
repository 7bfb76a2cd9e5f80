//! Who may use the API, by the configuration's tokens.

use std::fs;
use std::net::IpAddr;

use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::jsonc;
use autopgo_http::Access;
use autopgo_http::access::Tokens;

use crate::config::{Config, Hidden, TOKENS, TOKENS_FILE};

/// From where a server can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// From its own machine.
    Loopback,
    /// From elsewhere too, as every function can.
    Beyond,
}

impl Reach {
    /// That of a server that listens at `address`.
    pub fn of(address: IpAddr) -> Self {
        if address.is_loopback() { Self::Loopback } else { Self::Beyond }
    }
}

/// Who may use a server of this `reach`. One that is open to everybody, and that not this machine alone can reach, says so
/// loudly.
///
/// # Errors
/// `Invalid`, with file, line and column, for a list that cannot be read: a server never starts with half of it. The text
/// never shows a token or a hash.
pub fn access(config: &Config, reach: Reach) -> Result<Access> {
    let tokens = match (&config.tokens_file, &config.tokens) {
        (None, None) => {
            if reach == Reach::Beyond {
                tracing::warn!(
                    "anybody who reaches this server can upload, download and delete profiles, because no tokens are set; \
                     set {TOKENS_FILE} or {TOKENS} (`autopgo token` makes what stands in them), or let only those reach it \
                     who may"
                );
            }
            return Ok(Access::open());
        }
        (Some(_), Some(_)) => {
            let what = format!(
                "there are two lists of tokens; set either {TOKENS_FILE} (--tokens-file) or {TOKENS}"
            );
            return Err(Error::new(Kind::Invalid, what));
        }
        (Some(path), None) => {
            let name = path.display().to_string();
            let bytes = fs::read(path).map_err(|error| {
                Error::new(Kind::Invalid, format!("reading the tokens {name} ({TOKENS_FILE}): {error}"))
            })?;
            Tokens::parse(jsonc::text(&bytes, &name)?, &name)?
        }
        (None, Some(Hidden(text))) => Tokens::parse(text, TOKENS)?,
    };
    tracing::info!(
        tokens = tokens.names().join(", "),
        "requests are answered to those who have one of the tokens"
    );
    Ok(Access::by(tokens))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const LIST: &str = r#"[{"name": "ci", "scopes": ["download"], // a token
        "sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}]"#;

    fn inline(text: &str) -> Config {
        Config { tokens: Some(Hidden(text.to_owned())), ..Config::default() }
    }

    #[test]
    fn a_list_is_a_file_or_the_variable_itself() {
        assert!(access(&Config::default(), Reach::Loopback).expect("no tokens").is_open());
        assert!(!access(&inline(LIST), Reach::Beyond).expect("a list").is_open());
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(LIST.as_bytes()).expect("written");
        let from_file = Config { tokens_file: Some(file.path().to_owned()), ..Config::default() };
        assert!(!access(&from_file, Reach::Beyond).expect("a list").is_open());
        let both = Config { tokens: Some(Hidden(LIST.to_owned())), ..from_file };
        let error = access(&both, Reach::Beyond).expect_err("two lists");
        assert_eq!(
            error.what(),
            "there are two lists of tokens; set either AUTOPGO_TOKENS_FILE (--tokens-file) or AUTOPGO_TOKENS"
        );
        assert!(!format!("{both:?}").contains("aaaa"), "{both:?}");
    }

    #[test]
    fn a_list_that_cannot_be_read_lets_nobody_in() {
        let error = access(&inline("[]"), Reach::Loopback).expect_err("an empty list");
        assert!(
            error.kind() == Kind::Invalid && error.what().starts_with("AUTOPGO_TOKENS:1:1: the list has no"),
            "{error}"
        );
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(b"[\n \xff]").expect("written");
        let path = file.path().to_owned();
        let config = Config { tokens_file: Some(path.clone()), ..Config::default() };
        let error = access(&config, Reach::Loopback).expect_err("no text");
        assert!(error.what().starts_with(&format!("{}:2:2: not UTF-8", path.display())), "{error}");
        drop(file);
        let error = access(&config, Reach::Loopback).expect_err("no file");
        assert!(error.what().contains("(AUTOPGO_TOKENS_FILE): No such file"), "{error}");
    }

    #[test]
    fn loopback_is_this_machine() {
        for (address, reach) in [
            (IpAddr::from(Ipv4Addr::LOCALHOST), Reach::Loopback),
            (Ipv6Addr::LOCALHOST.into(), Reach::Loopback),
            (Ipv4Addr::UNSPECIFIED.into(), Reach::Beyond),
            (Ipv6Addr::UNSPECIFIED.into(), Reach::Beyond),
            (Ipv4Addr::new(10, 0, 0, 7).into(), Reach::Beyond),
        ] {
            assert_eq!(Reach::of(address), reach, "{address}");
        }
    }
}
