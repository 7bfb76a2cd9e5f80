//! A token's text, which its holder has, and its SHA-256, which is all that the server has of it.
//!
//! A text of 32 random bytes cannot be guessed from its hash, so there is nothing that a slow hash would add. It stands in
//! the headers of RFC 6750 as it is, and begins so that whoever finds it somewhere knows what it is.

use std::fmt;

use autopgo_core::error::{Error, Kind, Result};
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::hex;

/// How a token of ours begins.
pub(super) const PREFIX: &str = "autopgo_";
/// Random bytes of a token.
const BYTES: usize = 32;

/// The text of a token. It is shown where that is asked for by name, and nowhere else.
pub struct Secret(String);

impl Secret {
    /// One that nobody can guess, from the system's own randomness.
    ///
    /// # Errors
    /// `Internal` where the system has none.
    pub fn fresh() -> Result<Self> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(|error| {
            Error::new(Kind::Internal, "asking the system for random bytes, for a token").because(error)
        })?;
        Ok(Self(format!("{PREFIX}{}", hex::encode(&bytes))))
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A text's SHA-256. It is no secret as the text is one, but it is nobody's business either: not shown by `Debug`.
#[derive(Clone, Copy)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Reads 64 hex digits.
    pub(super) fn parse(digits: &str) -> Option<Self> {
        hex::decode(digits).map(Self)
    }

    /// Whether the two are the same; it takes as long whatever of them is.
    pub(super) fn is(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_fresh_one_is_long_known_and_never_the_same() {
        let texts: HashSet<String> = (0..100).map(|_| Secret::fresh().expect("random").0).collect();
        assert_eq!(texts.len(), 100);
        for text in &texts {
            assert!(text.starts_with("autopgo_") && text.len() == 8 + 64, "{text}");
        }
    }

    #[test]
    fn the_hash_is_that_of_sha256sum_and_nothing_shows_itself() {
        // `printf %s abc | sha256sum`
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let digest = Digest::of("abc");
        assert_eq!(serde_json::to_string(&digest).expect("JSON"), format!("{hex:?}"));
        assert!(bool::from(Digest::parse(hex).expect("hex").is(&digest)));
        assert!(!bool::from(Digest::of("abd").is(&digest)));
        let secret = Secret("abc".to_owned());
        assert_eq!(format!("{secret:?} {digest:?}"), "Secret Digest");
    }
}
