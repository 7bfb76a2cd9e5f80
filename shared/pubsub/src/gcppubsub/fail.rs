//! What a failure means to us (<https://cloud.google.com/pubsub/docs/reference/error-codes>).

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;

use autopgo_core::error::{Error, Kind};
use google_cloud_auth::errors::CredentialsError;
use tonic::{Code, Status};

use super::SCHEME;
use super::settings::What;
use super::wire;
use crate::patience::Failed;

/// Why a call came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// The service answered, with an error.
    Refused(Box<Refusal>),
    /// There are no credentials, or who gives them did not.
    Nobody(CredentialsError),
    /// The credentials of this machine cannot be read.
    Unreadable(String),
    /// It could not be reached, or the connection broke.
    Unanswered(Box<Status>),
    /// It did not answer in time.
    Late,
    /// The call cannot be made.
    Unmade(String),
}

/// The service's own words.
#[derive(Debug)]
pub(super) struct Refusal {
    code: Code,
    message: String,
    /// What became of some of the messages that were to be settled, by their ack ids.
    fates: HashMap<String, String>,
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        // What was answered has no cause; what went wrong here, or on the way, has.
        if status.source().is_some() {
            return match status.code() {
                // The limit that the service is told of, kept here too.
                Code::Cancelled => Self::Late,
                _ => Self::Unanswered(Box::new(status)),
            };
        }
        let fates = wire::fates(status.details());
        Self::Refused(Box::new(Refusal { code: status.code(), message: status.message().to_owned(), fates }))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "{:?}: {}", refusal.code, refusal.message),
            Self::Nobody(error) => error.fmt(f),
            Self::Unreadable(why) | Self::Unmade(why) => f.write_str(why),
            Self::Unanswered(status) => f.write_str(status.message()),
            Self::Late => f.write_str("no answer in time"),
        }
    }
}

impl Failed for Failure {
    fn may_pass(&self) -> bool {
        Self::may_pass(self)
    }
}

impl Failure {
    fn code(&self) -> Option<Code> {
        match self {
            Self::Refused(refusal) => Some(refusal.code),
            _ => None,
        }
    }

    /// Whether it may help to try again, as Google's own client thinks.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Refused(refusal) => match refusal.code {
                Code::Aborted
                | Code::DeadlineExceeded
                | Code::Internal
                | Code::ResourceExhausted
                | Code::Unavailable
                | Code::Unknown => true,
                _ => refusal.fates.values().any(|fate| is_transient(fate)),
            },
            Self::Nobody(error) => error.is_transient(),
            Self::Unanswered(_) | Self::Late => true,
            Self::Unreadable(_) | Self::Unmade(_) => false,
        }
    }

    /// Whether nothing came in the time that there was.
    pub(super) fn is_late(&self) -> bool {
        matches!(self, Self::Late) || self.code() == Some(Code::DeadlineExceeded)
    }

    /// Whether who asked may not do this.
    pub(super) fn is_denied(&self) -> bool {
        self.code() == Some(Code::PermissionDenied)
    }

    /// Whether what was asked made no sense.
    pub(super) fn is_invalid(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.code == Code::InvalidArgument && refusal.fates.is_empty(),
            _ => false,
        }
    }

    /// What became of the message with this ack id, of a call that was refused for some of several.
    pub(super) fn fate(&self, ack_id: &str) -> Fate {
        let Self::Refused(refusal) = self else { return Fate::Unknown };
        match refusal.fates.get(ack_id) {
            Some(fate) if is_transient(fate) => Fate::Unknown,
            Some(_) => Fate::Lost,
            None if refusal.fates.is_empty() => Fate::Unknown,
            None => Fate::Settled,
        }
    }

    /// The error of ours for what was asked of `what`, whose full name is `name`.
    pub(super) fn of(self, what: What, name: &str) -> Error {
        let (kind, why) = match &self {
            Self::Refused(refusal) => refused(refusal, what),
            Self::Nobody(error) => (
                if error.is_transient() { Kind::Unavailable } else { Kind::Denied },
                "no credentials could be had; set GOOGLE_APPLICATION_CREDENTIALS, or run where there is a metadata server"
                    .to_owned(),
            ),
            Self::Unreadable(why) => (
                Kind::Denied,
                format!("the credentials cannot be read; correct GOOGLE_APPLICATION_CREDENTIALS ({why})"),
            ),
            Self::Unanswered(_) => {
                (Kind::Unavailable, "it cannot be reached, or the connection broke".to_owned())
            }
            Self::Late => (Kind::Unavailable, "it did not answer in time".to_owned()),
            Self::Unmade(why) => (Kind::Internal, format!("the call cannot be made ({why})")),
        };
        let error = Error::new(kind, format!("{SCHEME}://{name}: {why}"));
        match self {
            Self::Nobody(cause) => error.because(cause),
            Self::Unanswered(cause) => error.because(cause),
            _ => error,
        }
    }
}

/// What became of one message of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was settled, though others were not.
    Settled,
    /// It is not ours any more.
    Lost,
    /// Nothing is said of it, or that it may be tried again.
    Unknown,
}

fn is_transient(fate: &str) -> bool {
    fate.starts_with("TRANSIENT_")
}

fn refused(refusal: &Refusal, end: What) -> (Kind, String) {
    let role = end.role();
    let (kind, what) = match refusal.code {
        _ if !refusal.fates.is_empty() => {
            (Kind::Unavailable, "it could not settle some of the messages now".to_owned())
        }
        Code::NotFound => (Kind::NotFound, format!("there is no such {end}; make it, or correct the URL")),
        Code::PermissionDenied => (
            Kind::Denied,
            format!("access is denied; grant the identity {role} on the {end}, if it is there"),
        ),
        Code::Unauthenticated => {
            (Kind::Denied, "the credentials were refused; check GOOGLE_APPLICATION_CREDENTIALS".to_owned())
        }
        Code::ResourceExhausted => {
            (Kind::Unavailable, "too much is asked of it; if that lasts, have the quota raised".to_owned())
        }
        Code::InvalidArgument | Code::OutOfRange => (Kind::Invalid, "it refused the request".to_owned()),
        Code::FailedPrecondition => {
            (Kind::Invalid, format!("the {end} is set up so that this cannot be done"))
        }
        Code::Unimplemented => (Kind::Invalid, "it does not speak Pub/Sub over gRPC".to_owned()),
        Code::Aborted
        | Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Internal
        | Code::Unavailable
        | Code::Unknown => (Kind::Unavailable, "it cannot answer now".to_owned()),
        Code::Ok | Code::AlreadyExists | Code::DataLoss => {
            (Kind::Internal, "it answered in a way that was not expected".to_owned())
        }
    };
    let words = if refusal.message.is_empty() { String::new() } else { format!(": {}", refusal.message) };
    (kind, format!("{what} ({:?}{words})", refusal.code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart() {
        for (code, kind, may_pass, says) in [
            (Code::NotFound, Kind::NotFound, false, "there is no such topic"),
            (Code::PermissionDenied, Kind::Denied, false, "grant the identity roles/pubsub.publisher"),
            (Code::Unauthenticated, Kind::Denied, false, "check GOOGLE_APPLICATION_CREDENTIALS"),
            (Code::ResourceExhausted, Kind::Unavailable, true, "have the quota raised"),
            (Code::InvalidArgument, Kind::Invalid, false, "refused the request (InvalidArgument: words)"),
            (Code::FailedPrecondition, Kind::Invalid, false, "is set up so that"),
            (Code::Unimplemented, Kind::Invalid, false, "does not speak Pub/Sub"),
            (Code::Unavailable, Kind::Unavailable, true, "cannot answer now"),
            (Code::Internal, Kind::Unavailable, true, "cannot answer now"),
            (Code::DeadlineExceeded, Kind::Unavailable, true, "cannot answer now"),
            (Code::Cancelled, Kind::Unavailable, false, "cannot answer now"),
            (Code::DataLoss, Kind::Internal, false, "not expected"),
        ] {
            let failure = Failure::from(Status::new(code, "words"));
            assert_eq!(failure.may_pass(), may_pass, "{code:?}");
            let error = failure.of(What::Topic, "projects/p/topics/t");
            assert_eq!(error.kind(), kind, "{code:?}");
            assert!(error.what().starts_with("gcppubsub://projects/p/topics/t: "), "{error}");
            assert!(error.what().contains(says), "{code:?}: {error}");
        }
        let denied = Failure::from(Status::permission_denied("")).of(What::Subscription, "s");
        assert!(denied.what().contains("grant the identity roles/pubsub.subscriber on the subscription"));
    }

    #[test]
    fn what_happens_on_the_way_is_no_answer() {
        let broken = Status::from_error("the pipe broke".into());
        let failure = Failure::from(broken);
        assert!(matches!(failure, Failure::Unanswered(_)) && failure.may_pass());
        assert_eq!(failure.of(What::Topic, "t").kind(), Kind::Unavailable);
    }

    #[test]
    fn credentials_that_are_not_there_may_come() {
        for (transient, kind) in [(true, Kind::Unavailable), (false, Kind::Denied)] {
            let failure = Failure::Nobody(CredentialsError::from_msg(transient, "no file"));
            assert_eq!(failure.may_pass(), transient);
            let error = failure.of(What::Topic, "t");
            assert!(error.kind() == kind && error.what().contains("GOOGLE_APPLICATION_CREDENTIALS"));
        }
    }
}
