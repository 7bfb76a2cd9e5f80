//! What a failure means to us. Statuses: each operation's page below
//! <https://learn.microsoft.com/rest/api/servicebus/service-bus-runtime-rest>, and
//! <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-messaging-exceptions>.
//!
//! What 404 and 410 are about depends on what was asked. Of a topic or a subscription, they say that it is not there. Of a
//! lock, the pages of today say 404 of the lock and 410 of what it is in; that of renewing a lock said of a subscription
//! that never was 404 as well (<https://msdn.microsoft.com/library/windowsazure/jj839746.aspx>). So there the words
//! count, and whatever they do not settle is about the lock.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::patience::Failed;
use autopgo_core::error::{Error, Kind};

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// Somebody answered, and not with what was asked for.
    Refused(Refused),
    /// Nobody answered in time.
    Late,
    /// The service could not be reached, or the connection broke.
    Network(reqwest::Error),
    /// An answer that is none.
    Strange(&'static str),
    /// The service was not even asked: there is no token for it. Others may have waited for the same one.
    NoToken(Arc<Failure>),
    /// The file with the proof of a workload.
    File(io::Error),
}

/// What was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A topic or a subscription as a whole: to publish, to receive, to look at it.
    Entity,
    /// A lock on a message.
    Lock,
}

/// An answer that is a refusal.
#[derive(Debug)]
pub(super) struct Refused {
    asked: Asked,
    pub(super) status: u16,
    /// The first line of its words.
    pub(super) message: Option<String>,
}

impl Refused {
    /// Reads the beginning of an answer's body.
    pub(super) fn of(asked: Asked, status: u16, body: &[u8]) -> Self {
        Self { asked, status, message: message(&String::from_utf8_lossy(body)) }
    }

    fn says(&self, words: &str) -> bool {
        self.message.as_deref().is_some_and(|message| message.to_ascii_lowercase().contains(words))
    }

    /// It is the topic, or the subscription, that is not there.
    fn is_no_entity(&self) -> bool {
        match (self.asked, self.status) {
            (Asked::Entity, 404 | 410) => true,
            (Asked::Lock, 410) => !self.names_a_lock(),
            (Asked::Lock, 404) => {
                self.says("40400: endpoint not found")
                    || self.says("the messaging entity") && self.says("could not be found")
            }
            _ => false,
        }
    }

    /// It is the lock that is not there, or not ours any more.
    fn is_no_lock(&self) -> bool {
        match (self.asked, self.status) {
            (Asked::Lock, 404 | 410) => !self.is_no_entity(),
            // As <https://github.com/Azure/azure-sdk-for-js/issues/1592> had it.
            (Asked::Lock, 409) => self.names_a_lock(),
            _ => false,
        }
    }

    fn names_a_lock(&self) -> bool {
        self.says("the lock supplied is invalid")
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        self.message.iter().try_for_each(|message| write!(f, ": {message}"))
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() { Self::Late } else { Self::Network(error.without_url()) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::Late => f.write_str("no answer in time"),
            Self::Network(error) => error.fmt(f),
            Self::Strange(what) => f.write_str(what),
            Self::NoToken(_) => f.write_str("no token from Entra"),
            Self::File(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Network(error) => error.source(),
            Self::NoToken(failure) => Some(&**failure),
            _ => None,
        }
    }
}

impl Failed for Failure {
    fn may_pass(&self) -> bool {
        Self::may_pass(self)
    }
}

impl Failure {
    /// Whether another try may help.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Refused(refused) => matches!(refused.status, 408 | 429 | 500 | 502..),
            Self::Late | Self::Network(_) => true,
            Self::NoToken(failure) => failure.may_pass(),
            Self::Strange(_) | Self::File(_) => false,
        }
    }

    /// Whether a lock is not ours any more, or what it was on is gone.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Self::Refused(refused) => {
                refused.is_no_lock() || refused.asked == Asked::Lock && refused.is_no_entity()
            }
            _ => false,
        }
    }

    /// Whether a topic or a subscription is not there.
    pub(super) fn is_no_entity(&self) -> bool {
        matches!(self, Self::Refused(refused) if refused.is_no_entity())
    }

    /// Whether the service knows who asked and lets nobody do this but those who manage the topic.
    pub(super) fn is_for_managers(&self) -> bool {
        match self {
            Self::Refused(refused) => {
                matches!(refused.status, 401 | 403)
                    && refused.says("manage")
                    && refused.says("claims required")
            }
            _ => false,
        }
    }

    /// The error of ours for what `name`, a topic or a subscription, was asked.
    pub(super) fn of(self, name: &str) -> Error {
        let (kind, what) = match &self {
            Self::Refused(refused) => refusal(refused),
            Self::NoToken(why) => without_token(why),
            Self::Late => (Kind::Unavailable, "it did not answer in time".to_owned()),
            Self::Network(error) if error.is_connect() => {
                (Kind::Unavailable, "it cannot be reached".to_owned())
            }
            Self::Network(error) if error.is_builder() => {
                (Kind::Internal, "the request cannot be made".to_owned())
            }
            Self::Network(_) => (Kind::Unavailable, "the connection to it broke".to_owned()),
            Self::Strange(what) => (Kind::Internal, (*what).to_owned()),
            Self::File(_) => (Kind::Internal, "a file cannot be read".to_owned()),
        };
        Error::new(kind, format!("{name}: {what}")).because(self)
    }
}

fn refusal(refused: &Refused) -> (Kind, String) {
    let (kind, what) = match refused.status {
        _ if refused.is_no_entity() => {
            (Kind::NotFound, "there is no such topic or subscription; make it, or correct the URL")
        }
        _ if refused.is_no_lock() => (Kind::NotFound, "the lock on the message is lost"),
        401 | 403 if refused.says("claim") && refused.says("required") => (
            Kind::Denied,
            "access is denied; a rule needs the claim Send on the topic to publish and Listen on the subscription to \
             receive, an identity the role Azure Service Bus Data Sender or Data Receiver",
        ),
        // Of a message that is sent, 403 is about its size and the topic's.
        403 if refused.says("size") || refused.says("too large") => {
            (Kind::TooLarge, "it takes no message of this size")
        }
        403 if refused.says("quota") => {
            (Kind::Unavailable, "the topic is full; see that its subscriptions are read")
        }
        401 | 403 => (
            Kind::Denied,
            "the credentials were refused; check the connection string or the identity's roles (Azure Service Bus Data \
             Sender, Data Receiver), that a signature has not expired, that the clock here is right, and that the \
             namespace's network rules let this host in",
        ),
        413 => (Kind::TooLarge, "it takes no message of this size"),
        408 | 429 => (Kind::Unavailable, "it is too slow or too busy now"),
        501 => (Kind::Invalid, "it does not know what was asked of it"),
        500.. => (Kind::Unavailable, "it cannot answer now"),
        400 => (Kind::Invalid, "it refused the request"),
        _ => (Kind::Internal, "it answered in a way that was not expected"),
    };
    (kind, format!("{what} ({refused})"))
}

/// Whoever gives tokens gave none: Entra, the metadata service, a file.
fn without_token(why: &Failure) -> (Kind, String) {
    match why {
        Failure::Refused(refused) if !why.may_pass() => (
            Kind::Denied,
            format!(
                "Entra refused the credentials; check AZURE_TENANT_ID, AZURE_CLIENT_ID and what proves them ({refused})"
            ),
        ),
        Failure::File(_) => (
            Kind::Denied,
            "the token of the workload cannot be read; check AZURE_FEDERATED_TOKEN_FILE".to_owned(),
        ),
        Failure::Strange(what) => (Kind::Internal, (*what).to_owned()),
        _ => (
            Kind::Unavailable,
            "the credentials could not be fetched; where there is no managed identity, set \
             SERVICEBUS_CONNECTION_STRING, AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE"
                .to_owned(),
        ),
    }
}

/// The first line of what the service (in XML) or Entra (in JSON) says.
fn message(body: &str) -> Option<String> {
    let between = |start: &str, end: &str| Some(body.split_once(start)?.1.split_once(end)?.0);
    let text = between("<Detail>", "</Detail>").or_else(|| between("\"error_description\":\"", "\""))?;
    let line = text.split(['\r', '\n', '\\']).next().unwrap_or_default().trim();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    use Asked::{Entity, Lock};

    fn refused(asked: Asked, status: u16, detail: &str) -> Failure {
        let body = format!("<Error><Code>{status}</Code><Detail>{detail}</Detail></Error>");
        Failure::Refused(Refused::of(asked, status, body.as_bytes()))
    }

    /// Of a subscription that is not there, as <https://github.com/Azure/azure-functions-host/issues/1250> shows it.
    const NEVER_WAS: &str = "40400: Endpoint not found., Resource:sb://acme.servicebus.windows.net/pgo/subscriptions/worker. \
        TrackingId:1_G5, SystemTracker:acme.servicebus.windows.net:pgo/Subscriptions/worker, Timestamp:3/1/2017 9:52:22 PM";
    /// The same, as <https://github.com/Azure/azure-service-bus/issues/451> shows it.
    const NOT_FOUND: &str = "The messaging entity 'sb://acme.servicebus.windows.net/pgo' could not be found. To know more \
        visit https://aka.ms/sbResourceMgrExceptions.  TrackingId:1_G11, SystemTracker:acme.servicebus.windows.net:pgo, \
        Timestamp:2021-10-20T11:07:04";
    /// Of a lock, as <https://github.com/Azure/azure-sdk-for-java/issues/25121> shows it, for a topic of another name.
    const LOST: &str = "The lock supplied is invalid. Either the lock expired, or the message has already been removed \
        from the queue. For more information please see https://aka.ms/ServiceBusExceptions . Reference:1, \
        TrackingId:1_B31, SystemTracker:acme:Topic:identity-entity|could not be found, Timestamp:2021-11-01T01:50:37";
    /// Of a lock, as the pages describe it.
    const NO_MESSAGE: &str = "No message was found with the specified MessageId or LockToken.";

    /// A wrong guess of a subscription lets a worker that is deaf pass for healthy, and one of a lock has it say that there
    /// is no subscription.
    #[test]
    fn what_is_not_there_is_known_by_what_was_asked() {
        for (asked, status, detail, entity) in [
            (Entity, 410, NOT_FOUND, true),
            (Entity, 404, NEVER_WAS, true),
            (Entity, 404, "", true),
            (Entity, 410, "Der Endpunkt wurde nicht gefunden.", true),
            (Lock, 410, NOT_FOUND, true),
            (Lock, 410, "", true),
            (Lock, 404, NEVER_WAS, true),
            (Lock, 404, NOT_FOUND, true),
            (Lock, 404, NO_MESSAGE, false),
            (Lock, 404, LOST, false),
            (Lock, 410, LOST, false),
            (Lock, 409, LOST, false),
            (Lock, 404, "", false),
            (Lock, 404, "Die Sperre der Entity ist verloren.", false),
        ] {
            let failure = refused(asked, status, detail);
            assert_eq!(failure.is_no_entity(), entity, "{asked:?} {status} {detail}");
            assert_eq!(failure.is_lost(), asked == Lock, "{asked:?} {status} {detail}");
            let error = failure.of("azuresb://t");
            let says =
                if entity { "there is no such topic or subscription" } else { "the lock on the message" };
            assert!(error.kind() == Kind::NotFound && error.what().contains(says), "{error}");
        }
        let conflict = refused(Lock, 409, "Another conflicting operation is in progress.");
        assert!(!conflict.is_lost() && !conflict.is_no_entity());
    }

    #[test]
    fn refusals_are_told_apart() {
        for (status, detail, kind, says) in [
            (410, "", Kind::NotFound, "azuresb://t: there is no such topic"),
            (401, "claim is empty or token is invalid.", Kind::Denied, "the clock here is right"),
            (401, "40103: Invalid authorization token signature", Kind::Denied, "credentials were refused"),
            (
                401,
                "'Send' claim(s) are required to perform this operation.",
                Kind::Denied,
                "needs the claim Send",
            ),
            (403, "Ip has been prevented to connect to the endpoint.", Kind::Denied, "network rules"),
            (403, "The maximum entity size has been reached or exceeded", Kind::TooLarge, "of this size"),
            (403, "QuotaExceeded", Kind::Unavailable, "is full"),
            (413, "", Kind::TooLarge, "of this size"),
            (429, "", Kind::Unavailable, "too busy"),
            (500, "", Kind::Unavailable, "cannot answer now"),
            (
                503,
                "50009: The server is busy.",
                Kind::Unavailable,
                "(status 503: 50009: The server is busy.)",
            ),
            (501, "", Kind::Invalid, "does not know"),
            (400, "x", Kind::Invalid, "(status 400: x)"),
            (418, "", Kind::Internal, "not expected"),
        ] {
            let error = refused(Entity, status, detail).of("azuresb://t");
            assert_eq!(error.kind(), kind, "{status} {detail}: {error}");
            assert!(error.what().contains(says), "{status} {detail}: {error}");
        }
    }

    #[test]
    fn what_may_pass_is_known() {
        for (status, passes) in
            [(500, true), (503, true), (429, true), (408, true), (501, false), (401, false), (404, false)]
        {
            assert_eq!(refused(Lock, status, "").may_pass(), passes, "{status}");
            let without_token = Failure::NoToken(Arc::new(refused(Entity, status, "")));
            assert_eq!(without_token.may_pass(), passes, "{status}");
        }
        assert!(Failure::Late.may_pass());
        assert!(!refused(Lock, 401, "").is_lost());
        assert!(!Failure::NoToken(Arc::new(refused(Lock, 404, ""))).is_lost(), "that is another's word");
    }

    #[test]
    fn who_may_not_manage_is_somebody_all_the_same() {
        for (status, detail, known) in [
            (401, "Manage,EntityRead claims required for this operation. TrackingId:1", true),
            (403, "Manage,EntityRead claims required for this operation.", true),
            (401, "claim is empty or token is invalid.", false),
            (401, "40103: Invalid authorization token signature", false),
            (500, "Manage,EntityRead claims required for this operation.", false),
        ] {
            assert_eq!(refused(Entity, status, detail).is_for_managers(), known, "{status} {detail}");
        }
    }

    #[test]
    fn tokens_that_cannot_be_had_are_no_fault_of_the_service() {
        let entra =
            r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid secret.\r\nTrace"}"#;
        for (why, kind, says) in [
            (
                Failure::Refused(Refused::of(Entity, 401, entra.as_bytes())),
                Kind::Denied,
                "Entra refused the credentials; check AZURE_TENANT_ID, AZURE_CLIENT_ID and what proves them (status 401: \
                 AADSTS7000215: Invalid secret.)",
            ),
            (Failure::Refused(Refused::of(Entity, 503, b"")), Kind::Unavailable, "could not be fetched"),
            (Failure::Late, Kind::Unavailable, "no managed identity"),
            (Failure::File(io::Error::other("gone")), Kind::Denied, "AZURE_FEDERATED_TOKEN_FILE"),
            (Failure::Strange("odd"), Kind::Internal, "odd"),
        ] {
            let error = Failure::NoToken(Arc::new(why)).of("azuresb://t");
            assert!(error.kind() == kind && error.what().contains(says), "{}", error.chain());
        }
    }
}
