//! Shared access signatures with the key of a rule
//! (<https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas#generate-a-shared-access-signature-token>): an
//! HMAC-SHA256 of the resource's encoded URI and the end of its validity, one line each. The key is the text that the portal
//! shows, and not what that may be the base64 of.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use autopgo_core::clock::since;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use sha2::Sha256;

use super::settings::Secret;
use super::wire::encode;

/// How long a signature is good for.
const LIFE: Duration = Duration::from_secs(3600);
/// What is left of it when another is made: clocks differ.
const MARGIN: Duration = Duration::from_secs(600);

/// Signs for one topic and what lies below it.
pub(super) struct Signer {
    resource: String,
    rule: String,
    key: Secret,
    made: Mutex<Option<(String, Timestamp)>>,
}

impl Signer {
    /// For what lies at `resource`, a URL.
    pub(super) fn new(resource: &str, rule: &str, key: &Secret) -> Self {
        let resource = encode(&resource.to_lowercase(), false);
        Self { resource, rule: encode(rule, false), key: key.clone(), made: Mutex::default() }
    }

    /// A signature that is good at `now` and for some time after; `None` if the key signs nothing.
    pub(super) fn signature(&self, now: Timestamp) -> Option<String> {
        // Nothing panics while it holds the lock, so what it guards is always whole.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((signature, end)) = &*made
            && (MARGIN..=LIFE).contains(&since(now, *end))
        {
            return Some(signature.clone());
        }
        let end = now + LIFE;
        let signature = self.sign(end.as_second())?;
        *made = Some((signature.clone(), end));
        Some(signature)
    }

    fn sign(&self, end: i64) -> Option<String> {
        let Self { resource, rule, key, .. } = self;
        let mut mac = Hmac::<Sha256>::new_from_slice(key.reveal().as_bytes()).ok()?;
        mac.update(format!("{resource}\n{end}").as_bytes());
        let signature = encode(&BASE64_STANDARD.encode(mac.finalize().into_bytes()), false);
        Some(format!("SharedAccessSignature sr={resource}&sig={signature}&se={end}&skn={rule}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> Signer {
        Signer::new("https://Acme.servicebus.windows.net/pgo", "Root Rule", &Secret::new("a2V5"))
    }

    #[test]
    fn a_signature_serves_until_near_its_end() {
        let signer = signer();
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().expect("a time");
        let first = signer.signature(now).expect("signed");
        assert_eq!(signer.signature(now + Duration::from_secs(3000)).expect("signed"), first);
        let second = signer.signature(now + Duration::from_secs(3001)).expect("signed");
        assert_ne!(second, first, "it is made anew in time");
        assert!(second.contains(&format!("&se={}&", now.as_second() + 3001 + 3600)), "{second}");
        // A clock that was put back must not leave one that begins to be good only some day.
        let early = signer.signature(now - Duration::from_secs(86_400)).expect("signed");
        assert!(early.contains(&format!("&se={}&", now.as_second() - 86_400 + 3600)), "{early}");
    }
}
