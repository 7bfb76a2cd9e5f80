//! What makes a URL ours: an HMAC-SHA256 (RFC 2104) over all that it allows, by a secret of this process.

use hmac::{Hmac, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use uuid::Uuid;

use crate::hex;

/// The secret.
pub(crate) struct Seal([u8; 32]);

/// What a URL allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) method: &'a str,
    pub(crate) key: &'a str,
    /// Of what is put.
    pub(crate) size: Option<u64>,
    pub(crate) expires: Timestamp,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It was not signed here, or something was changed since.
    Forged,
    /// It was, and its time is over.
    Expired,
}

impl Seal {
    /// One that nobody can guess: version 4 of a UUID has 122 random bits.
    pub(crate) fn fresh() -> Self {
        let mut secret = [0; 32];
        let (first, second) = secret.split_at_mut(16);
        first.copy_from_slice(Uuid::new_v4().as_bytes());
        second.copy_from_slice(Uuid::new_v4().as_bytes());
        Self(secret)
    }

    /// The signature of `claim`, in hex.
    pub(crate) fn sign(&self, claim: Claim<'_>) -> String {
        hex::encode(&self.mac(claim).finalize().into_bytes())
    }

    /// Whether `signature` is that of `claim`, and `now` is before its end. The comparison takes as long whatever of it
    /// is right.
    pub(crate) fn check(&self, claim: Claim<'_>, signature: &str, now: Timestamp) -> Result<(), Refused> {
        let code: [u8; 32] = hex::decode(signature).ok_or(Refused::Forged)?;
        self.mac(claim).verify_slice(&code).map_err(|_| Refused::Forged)?;
        if now < claim.expires { Ok(()) } else { Err(Refused::Expired) }
    }

    /// The key comes last, and nothing before it can hold a line break: no two claims read the same.
    fn mac(&self, claim: Claim<'_>) -> Hmac<Sha256> {
        let Claim { method, key, size, expires } = claim;
        let size = size.map_or_else(|| "-".to_owned(), |size| size.to_string());
        let said = format!("{method}\n{}\n{size}\n{key}", expires.as_millisecond());
        let mut mac = keyed(&self.0);
        mac.update(said.as_bytes());
        mac
    }
}

#[expect(clippy::expect_used, reason = "an HMAC takes a key of any length")]
fn keyed(secret: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("a key of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_signed_passes_and_only_in_time() {
        let seal = Seal::fresh();
        let end = Timestamp::from_second(1000).expect("a time");
        let claim = Claim { method: "PUT", key: "a/incoming/1", size: Some(5), expires: end };
        let signature = seal.sign(claim);
        let before = Timestamp::from_millisecond(999_999).expect("a time");
        assert_eq!(seal.check(claim, &signature, before), Ok(()));
        assert_eq!(seal.check(claim, &signature, end), Err(Refused::Expired));
        let later = Timestamp::from_second(1001).expect("a time");
        for other in [
            Claim { method: "GET", ..claim },
            Claim { key: "a/incoming/2", ..claim },
            Claim { size: Some(6), ..claim },
            Claim { size: None, ..claim },
            Claim { expires: later, ..claim },
        ] {
            assert_eq!(seal.check(other, &signature, before), Err(Refused::Forged), "{other:?}");
        }
        let mut tampered = signature.clone();
        tampered.replace_range(63.., if signature.ends_with('0') { "1" } else { "0" });
        for wrong in ["", "0", "caf\u{e9}", &signature[..62], &format!("{signature}00"), &tampered] {
            assert_eq!(seal.check(claim, wrong, before), Err(Refused::Forged), "{wrong}");
        }
        assert_eq!(Seal::fresh().check(claim, &signature, before), Err(Refused::Forged));
    }
}
