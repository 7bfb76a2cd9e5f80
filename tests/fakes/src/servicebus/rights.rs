//! Who may do what: shared access signatures
//! (<https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas>).

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use uuid::Uuid;

use super::broker::Refusal;

/// What a rule lets one do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    Send,
    Listen,
    Manage,
}

/// The rules of the namespace, with keys that were made for it just now.
pub(super) struct Rules(Vec<Rule>);

struct Rule {
    name: &'static str,
    key: String,
    claims: &'static [Claim],
}

impl Rules {
    pub(super) fn new() -> Self {
        use Claim::{Listen, Manage, Send};
        let of = |(name, claims): (&'static str, &'static [Claim])| {
            let bytes = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
            Rule { name, key: BASE64_STANDARD.encode(bytes), claims }
        };
        let rules: [(&str, &[Claim]); 3] =
            [("manager", &[Send, Listen, Manage]), ("sender", &[Send]), ("listener", &[Listen])];
        Self(rules.map(of).into())
    }

    pub(super) fn key(&self, name: &str) -> &str {
        self.0.iter().find(|rule| rule.name == name).map_or("", |rule| &rule.key)
    }

    /// A signature with the key of a rule, for what lies at `resource`, that is good until `end`.
    pub(super) fn sign(&self, rule: &str, resource: &str, end: Timestamp) -> String {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let (resource, end) = (encode(resource), end.as_second());
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.key(rule).as_bytes());
        let signed = hmac::sign(&key, format!("{resource}\n{end}").as_bytes());
        let signature = encode(&BASE64_STANDARD.encode(signed));
        format!("SharedAccessSignature sr={resource}&sig={signature}&se={end}&skn={rule}")
    }

    /// Whether `token`, without its `SharedAccessSignature`, gives `claim` on `path` at `host`.
    pub(super) fn allow(&self, token: &str, claim: Claim, host: &str, path: &str) -> Result<(), Refusal> {
        let field = |name: &str| {
            token.split('&').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('=')).ok_or_else(
                || Refusal::denied(format!("40102: Malformed authorization token: it has no {name}")),
            )
        };
        let (resource, signature, expiry, name) = (field("sr")?, field("sig")?, field("se")?, field("skn")?);
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let rule = self.0.iter().find(|rule| rule.name == decode(name));
        let rule = rule.ok_or_else(|| Refusal::denied("40103: Invalid authorization token signature"))?;
        // The key signs as text, whatever it may be the base64 of.
        let key = hmac::Key::new(hmac::HMAC_SHA256, rule.key.as_bytes());
        let signed = BASE64_STANDARD.decode(decode(signature)).unwrap_or_default();
        if hmac::verify(&key, format!("{resource}\n{expiry}").as_bytes(), &signed).is_err() {
            return Err(Refusal::denied("40103: Invalid authorization token signature"));
        }
        if expiry.parse::<i64>().is_ok_and(|end| end <= Timestamp::now().as_second()) {
            return Err(Refusal::denied("ExpiredToken: The token has expired"));
        }
        if !covers(&decode(resource), host, path) {
            return Err(Refusal::denied(
                "InvalidAudience: The authorization header contains a token for another resource",
            ));
        }
        if !rule.claims.contains(&claim) {
            return Err(Refusal::no_right(claim));
        }
        Ok(())
    }
}

/// Whether what is signed is what is asked for, or above it. Case counts for nothing, nor does the scheme, the port or, as
/// Microsoft's client signs it too, the query.
fn covers(resource: &str, host: &str, path: &str) -> bool {
    let resource = resource.to_ascii_lowercase();
    let resource = resource.split('?').next().unwrap_or_default();
    let resource = resource.split_once("://").map_or(resource, |(_, rest)| rest);
    let (signed_host, signed_path) = resource.split_once('/').unwrap_or((resource, ""));
    let without_port = |host: &str| host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let (path, signed_path) = (path.to_ascii_lowercase(), signed_path.trim_end_matches('/'));
    let below = path.trim_start_matches('/').strip_prefix(signed_path);
    without_port(signed_host) == without_port(host)
        && below.is_some_and(|rest| signed_path.is_empty() || rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_covers_what_lies_below() {
        for (resource, path, covered) in [
            ("https://h/pgo", "/pgo/messages", true),
            ("sb://H:443/PGO/", "/pgo/subscriptions/s", true),
            ("http://h", "/pgo/messages", true),
            ("h/pgo", "/pgo", true),
            ("https://h:443/pgo/messages/head?timeout=0", "/pgo/messages/head", true),
            ("https://h/pgo", "/pgo2/messages", false),
            ("https://h/pgo/subscriptions/a", "/pgo/subscriptions/b/messages/head", false),
            ("https://other/pgo", "/pgo/messages", false),
        ] {
            assert_eq!(covers(resource, "h:1234", path), covered, "{resource} {path}");
        }
    }
}
