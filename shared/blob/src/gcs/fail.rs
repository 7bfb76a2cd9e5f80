//! What can go wrong between us and the store, and what it means to us. Statuses and reasons: "HTTP status and error
//! codes for JSON", <https://cloud.google.com/storage/docs/json_api/v1/status-codes>.

use std::error::Error as StdError;

use autopgo_core::error::{Error, Kind};
use google_cloud_auth::errors::CredentialsError;
use google_cloud_gax::error::Error as GaxError;
use serde::Deserialize;

/// Why one try of a request came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// The service answered, with an error.
    Refused(Refusal),
    /// There are no credentials, or who gives them did not.
    Nobody(CredentialsError),
    /// The credentials of this machine cannot be read.
    Unreadable(String),
    /// It could not be reached, or its answer broke off.
    Unanswered(Box<dyn StdError + Send + Sync>),
    /// It did not answer in time.
    Late,
    /// The object was replaced while it was looked at.
    Changed,
    /// It answered, and not as this API does.
    Strange(String),
    /// What is wrong is none of the above.
    Ours(Error),
}

/// The service's own words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) reason: Option<String>,
    pub(super) message: String,
}

/// `{"error": {"code": 404, "message": "…", "errors": [{"reason": "notFound", …}]}}`
#[derive(Deserialize)]
struct Body {
    error: Details,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    reason: Option<String>,
}

/// As much of an answer in other words as is worth repeating.
const WORDS: usize = 200;

impl Refusal {
    /// Reads the body of an answer. That of a download is plain text at times.
    pub(super) fn of(status: u16, body: &[u8]) -> Self {
        match serde_json::from_slice::<Body>(body) {
            Ok(Body { error }) => {
                let reason = error.errors.into_iter().find_map(|error| error.reason);
                Self { status, reason, message: error.message }
            }
            Err(_) => {
                let text = String::from_utf8_lossy(body);
                let message = text.trim().chars().take(WORDS).collect();
                Self { status, reason: None, message }
            }
        }
    }

    /// A missing bucket and a missing object have one status and one reason; only the message tells them apart.
    fn is_no_bucket(&self) -> bool {
        let message = self.message.to_ascii_lowercase();
        self.status == 404 && message.contains("bucket") && message.contains("not exist")
    }
}

impl Failure {
    /// Whether this says that there is no such object.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 404 && !refusal.is_no_bucket())
    }

    /// Whether a write was refused because of its condition, so that nothing was written.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 412)
    }

    /// Whether it may help to try again (<https://cloud.google.com/storage/docs/retry-strategy>).
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Refused(refusal) => matches!(refusal.status, 408 | 429 | 500..),
            Self::Nobody(error) => error.is_transient(),
            Self::Unanswered(_) | Self::Late | Self::Changed => true,
            Self::Unreadable(_) | Self::Strange(_) | Self::Ours(_) => false,
        }
    }

    /// Whether it is asked too often, for which it wants a longer pause.
    pub(super) fn is_haste(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 429)
    }

    /// The error of ours for what happened to a request to `bucket`.
    pub(super) fn classify(self, bucket: &str) -> Error {
        let (kind, what): (Kind, String) = match &self {
            Self::Refused(refusal) => refused(refusal),
            Self::Nobody(error) => (
                if error.is_transient() { Kind::Unavailable } else { Kind::Denied },
                "no credentials could be had; set GOOGLE_APPLICATION_CREDENTIALS, or run where there is a metadata \
                 server"
                    .to_owned(),
            ),
            Self::Unreadable(why) => (
                Kind::Denied,
                format!("the credentials cannot be read; correct GOOGLE_APPLICATION_CREDENTIALS ({why})"),
            ),
            Self::Unanswered(_) => {
                (Kind::Unavailable, "it cannot be reached, or its answer broke off".to_owned())
            }
            Self::Late => (Kind::Unavailable, "it did not answer in time".to_owned()),
            Self::Changed => (Kind::Unavailable, "it was replaced again and again while it was read".to_owned()),
            Self::Strange(what) => {
                (Kind::Internal, format!("{what}; it does not speak the JSON API as it should"))
            }
            Self::Ours(error) => (error.kind(), String::new()),
        };
        let error = Error::new(kind, format!("gs://{bucket}: {what}"));
        match self {
            Self::Ours(error) => error,
            Self::Nobody(cause) => error.because(cause),
            Self::Unanswered(cause) => error.because(cause),
            _ => error,
        }
    }
}

fn refused(refusal: &Refusal) -> (Kind, String) {
    let (kind, what) = match refusal.status {
        404 if refusal.is_no_bucket() => {
            (Kind::NotFound, "there is no such bucket; make it, or correct the URL")
        }
        404 => (Kind::NotFound, "there is no such thing"),
        401 => (Kind::Denied, "the credentials were refused; check GOOGLE_APPLICATION_CREDENTIALS"),
        403 => (
            Kind::Denied,
            "access is denied; grant the identity roles/storage.objectUser on the bucket (without \
             storage.objects.list, what is not there looks denied too)",
        ),
        408 | 429 => (Kind::Unavailable, "it is too slow or too busy now"),
        409 => (Kind::Unavailable, "something else is being done to it"),
        412 => (Kind::Conflict, "a condition did not hold"),
        413 => (Kind::TooLarge, "it takes no object of this size"),
        501 => (Kind::Invalid, "it does not know what was asked of it"),
        500.. => (Kind::Unavailable, "it cannot answer now"),
        400 => (Kind::Invalid, "it refused the request"),
        300..=399 => (Kind::Invalid, "it sends us elsewhere; correct the URL's endpoint="),
        _ => (Kind::Internal, "it answered in a way that was not expected"),
    };
    let reason = refusal.reason.as_deref().unwrap_or("no reason given");
    let (status, message) = (refusal.status, &refusal.message);
    let words = if message.is_empty() { String::new() } else { format!(": {message}") };
    (kind, format!("{what} (status {status}, {reason}{words})"))
}

/// What Google's client ran into.
impl From<GaxError> for Failure {
    fn from(error: GaxError) -> Self {
        if let Some(status) = error.http_status_code() {
            // Where it could read the body, it kept the message alone.
            let refusal = match (error.status(), error.http_payload()) {
                (Some(words), _) => Refusal { status, reason: None, message: words.message.clone() },
                (None, body) => Refusal::of(status, body.map(AsRef::as_ref).unwrap_or_default()),
            };
            return Self::Refused(refusal);
        }
        match credentials(&error) {
            Some(transient) => Self::Nobody(CredentialsError::from_source(transient, error)),
            None if error.is_deserialization() => {
                Self::Strange(format!("its answer cannot be read ({error})"))
            }
            None if error.is_timeout() => Self::Late,
            None => Self::Unanswered(Box::new(error)),
        }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        // The URL is ours to name.
        let error = error.without_url();
        match () {
            () if error.is_timeout() => Self::Late,
            () if error.is_decode() => Self::Strange(format!("its answer cannot be read ({error})")),
            () => Self::Unanswered(Box::new(error)),
        }
    }
}

/// Whether the cause is that there are no credentials, and then whether that may pass.
pub(super) fn credentials(error: &(dyn StdError + 'static)) -> Option<bool> {
    causes(error)
        .find_map(|error| error.downcast_ref::<CredentialsError>())
        .map(CredentialsError::is_transient)
}

/// The status with which a service of Google's refused, anywhere among the causes.
pub(super) fn status(error: &(dyn StdError + 'static)) -> Option<u16> {
    causes(error).find_map(|error| error.downcast_ref::<GaxError>().and_then(GaxError::http_status_code))
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(message: &str, reason: &str) -> Vec<u8> {
        let errors = serde_json::json!([{"message": message, "domain": "global", "reason": reason}]);
        serde_json::json!({"error": {"code": 0, "message": message, "errors": errors}})
            .to_string()
            .into_bytes()
    }

    #[test]
    fn statuses_are_told_apart() {
        let no_bucket = "The specified bucket does not exist.";
        for (status, message, reason, kind, says) in [
            (404, no_bucket, "notFound", Kind::NotFound, "gs://b: there is no such bucket"),
            (404, "Not Found", "notFound", Kind::NotFound, "no such thing"),
            (401, "Invalid Credentials", "authError", Kind::Denied, "credentials were refused"),
            (403, "me does not have access", "forbidden", Kind::Denied, "roles/storage.objectUser"),
            (412, "At least one", "conditionNotMet", Kind::Conflict, "conditionNotMet"),
            (408, "", "uploadBrokenConnection", Kind::Unavailable, "too slow or too busy"),
            (429, "slow down", "rateLimitExceeded", Kind::Unavailable, "rateLimitExceeded: slow down"),
            (500, "oh", "backendError", Kind::Unavailable, "cannot answer now"),
            (503, "oh", "backendError", Kind::Unavailable, "cannot answer now"),
            (400, "no", "invalid", Kind::Invalid, "refused the request"),
            (413, "no", "uploadTooLarge", Kind::TooLarge, "of this size"),
            (501, "no", "notImplemented", Kind::Invalid, "does not know"),
            (302, "no", "found", Kind::Invalid, "correct the URL's endpoint="),
            (418, "no", "teapot", Kind::Internal, "not expected"),
        ] {
            let failure = Failure::Refused(Refusal::of(status, &body(message, reason)));
            assert_eq!(failure.may_pass(), matches!(status, 408 | 429 | 500..), "{status}");
            assert_eq!(failure.is_conflict(), status == 412, "{status}");
            let error = failure.classify("b");
            assert_eq!(error.kind(), kind, "{status} {message}");
            assert!(error.what().contains(says), "{status} {message}: {error}");
        }
    }

    #[test]
    fn a_missing_bucket_is_no_missing_object() {
        for (text, absence) in [
            ("No such object: b/k", true),
            ("Not Found", true),
            ("", true),
            ("The specified bucket does not exist.", false),
            ("The requested bucket does not exist", false),
        ] {
            for body in [body(text, "notFound"), text.as_bytes().to_vec()] {
                assert_eq!(Failure::Refused(Refusal::of(404, &body)).is_absence(), absence, "{text}");
            }
            assert!(!Failure::Refused(Refusal::of(403, text.as_bytes())).is_absence(), "{text}");
        }
    }

    #[test]
    fn what_googles_client_says_means_the_same() {
        let answered = |status, body: &[u8]| {
            Failure::from(GaxError::http(status, http::HeaderMap::new(), body.to_vec().into()))
        };
        assert!(answered(412, &body("no", "conditionNotMet")).is_conflict());
        assert_eq!(
            answered(404, b"The specified bucket does not exist.").classify("b").kind(),
            Kind::NotFound
        );
        assert!(answered(503, b"").may_pass());
        for (transient, kind) in [(true, Kind::Unavailable), (false, Kind::Denied)] {
            let nobody = GaxError::io(CredentialsError::from_msg(transient, "no file"));
            let failure = Failure::from(nobody);
            assert_eq!(failure.may_pass(), transient);
            let error = failure.classify("b");
            assert!(
                error.kind() == kind && error.what().contains("GOOGLE_APPLICATION_CREDENTIALS"),
                "{error}"
            );
        }
        assert!(Failure::from(GaxError::io("broken pipe")).may_pass());
        assert!(!Failure::from(GaxError::deser("no JSON")).may_pass());
    }
}
