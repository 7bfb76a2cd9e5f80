//! Who asks, as the header `Authorization` says it.

use autopgo_core::error::Result;
use jiff::Timestamp;
use reqwest::header::HeaderValue;

use super::entra::Entra;
use super::fail::Failure;
use super::sas::Signer;
use super::settings::{Access, Secret, Settings, invalid};
use super::wire::encode;

/// Who asks.
pub(super) enum Identity {
    /// Whoever has the key of a rule.
    Key(Signer),
    /// Whoever has this signature.
    Signature(Secret),
    /// Somebody that Entra knows.
    Entra(Entra),
}

impl Identity {
    /// Who uses `topic`, and what lies below it.
    pub(super) fn new(topic: &str, settings: Settings) -> Result<Self> {
        Ok(match settings.access {
            Access::Key { rule, key } => {
                let resource = format!("{}/{}", settings.base, encode(topic, true));
                Self::Key(Signer::new(&resource, &rule, &key))
            }
            Access::Signature(signature) => {
                let text = signature.reveal();
                let whole = match text.strip_prefix("SharedAccessSignature ") {
                    Some(_) => text.to_owned(),
                    None => format!("SharedAccessSignature {text}"),
                };
                if HeaderValue::from_str(&whole).is_err() {
                    return Err(invalid("the SharedAccessSignature of the connection string is none"));
                }
                Self::Signature(Secret::new(whole))
            }
            Access::Entra { authority, proof } => Self::Entra(Entra::new(authority, proof)?),
        })
    }

    pub(super) async fn authorization(&self) -> Result<HeaderValue, Failure> {
        let text = match self {
            Self::Key(signer) => signer
                .signature(Timestamp::now())
                .ok_or(Failure::Strange("the key of the rule signs nothing"))?,
            Self::Signature(signature) => signature.reveal().to_owned(),
            Self::Entra(entra) => format!("Bearer {}", entra.token().await?),
        };
        let mut value =
            HeaderValue::from_str(&text).map_err(|_| Failure::Strange("the token can stand in no header"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}
