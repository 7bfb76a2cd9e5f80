//! What an error of the SDK means to us, as far as it is the same for every service. Codes: "Common Error Types" of the
//! API references.

use std::error::Error as StdError;

use autopgo_core::error::Kind;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// What the service answered with, when it was an error.
pub struct Refusal<'a> {
    /// The status of the answer.
    pub status: u16,
    /// The service's word for what is wrong.
    pub code: Option<&'a str>,
    /// Its words for people.
    pub message: Option<&'a str>,
}

impl Refusal<'_> {
    /// The code, and the words behind it. Without a code, the status.
    pub fn words(&self) -> String {
        let code = self.code.map_or_else(|| format!("status {}", self.status), str::to_owned);
        match self.message {
            Some(message) => format!("{code}: {message}"),
            None => code,
        }
    }
}

/// The service's own words, if it was the service that refused.
pub fn refusal<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<Refusal<'_>> {
    let SdkError::ServiceError(service) = error else { return None };
    Some(Refusal {
        status: service.raw().status().as_u16(),
        code: service.err().code(),
        message: service.err().message(),
    })
}

/// What a refusal means whose code is none of the service's own. `needs` names what an identity must be allowed.
pub fn of_any_service(code: &str, status: u16, needs: &str) -> (Kind, String) {
    let (kind, what) = match (code, status) {
        (
            "InvalidAccessKeyId"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "IncompleteSignature"
            | "InvalidToken"
            | "InvalidSecurity",
            _,
        ) => (Kind::Denied, "the credentials were refused; check AWS_ACCESS_KEY_ID and its secret"),
        ("ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired", _) => {
            (Kind::Denied, "the credentials have expired")
        }
        ("RequestTimeTooSkewed" | "RequestExpired", _) => {
            (Kind::Denied, "the clock here is too far off; set it")
        }
        (
            "RequestTimeout"
            | "RequestTimeoutException"
            | "SlowDown"
            | "Throttling"
            | "ThrottlingException"
            | "Throttled"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestLimitExceeded",
            _,
        )
        | (_, 408 | 429) => (Kind::Unavailable, "it is too slow or too busy now"),
        ("NotImplemented" | "InvalidAction" | "UnknownOperationException", _) | (_, 501) => {
            (Kind::Invalid, "it does not know what was asked of it")
        }
        ("AccessDenied" | "AccessDeniedException" | "AuthorizationError", _) | (_, 401 | 403) => {
            return (Kind::Denied, format!("access is denied; the identity needs {needs}"));
        }
        (_, 500..) => (Kind::Unavailable, "it cannot answer now"),
        (_, 400) => (Kind::Invalid, "it refused the request"),
        _ => (Kind::Internal, "it answered in a way that was not expected"),
    };
    (kind, what.to_owned())
}

/// What it means that there was no answer of the service.
pub fn unanswered<E>(error: &SdkError<E, HttpResponse>) -> (Kind, &'static str)
where
    E: StdError + Send + Sync + 'static,
{
    if let Some(credentials) = credentials(error) {
        return credentials;
    }
    match error {
        SdkError::TimeoutError(_) => (Kind::Unavailable, "it did not answer in time"),
        SdkError::DispatchFailure(failure) if failure.is_user() => {
            (Kind::Invalid, "the request could not be sent")
        }
        SdkError::DispatchFailure(_) => (Kind::Unavailable, "it cannot be reached"),
        SdkError::ResponseError(_) => (Kind::Unavailable, "its answer could not be read"),
        SdkError::ConstructionFailure(_) => (Kind::Invalid, "the request could not be made"),
        _ => (Kind::Internal, "it failed in a way that was not expected"),
    }
}

/// What it means if the cause is that there are no credentials, or that who gives them did not.
pub fn credentials(error: &(dyn StdError + 'static)) -> Option<(Kind, &'static str)> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<CredentialsError>() {
            return Some(match error {
                CredentialsError::ProviderTimedOut(_) | CredentialsError::ProviderError(_) => {
                    (Kind::Unavailable, "the credentials could not be fetched")
                }
                CredentialsError::InvalidConfiguration(_) => {
                    (Kind::Denied, "the credentials cannot be read; correct the profile or the environment")
                }
                _ => (
                    Kind::Denied,
                    "no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role",
                ),
            });
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart_and_then_the_status() {
        for (code, status, kind, says) in [
            ("InvalidClientTokenId", 403, Kind::Denied, "credentials were refused"),
            ("UnrecognizedClientException", 400, Kind::Denied, "credentials were refused"),
            ("InvalidSignatureException", 400, Kind::Denied, "credentials were refused"),
            ("ExpiredTokenException", 400, Kind::Denied, "have expired"),
            ("RequestExpired", 400, Kind::Denied, "the clock here"),
            ("AccessDeniedException", 400, Kind::Denied, "the identity needs a:b"),
            ("AuthorizationError", 403, Kind::Denied, "the identity needs a:b"),
            ("", 403, Kind::Denied, "the identity needs a:b"),
            ("ThrottlingException", 400, Kind::Unavailable, "too busy"),
            ("RequestThrottled", 403, Kind::Unavailable, "too busy"),
            ("", 429, Kind::Unavailable, "too busy"),
            ("InvalidAction", 400, Kind::Invalid, "does not know"),
            ("InternalError", 500, Kind::Unavailable, "cannot answer now"),
            ("InvalidParameterValue", 400, Kind::Invalid, "refused the request"),
            ("", 418, Kind::Internal, "not expected"),
        ] {
            let (is, what) = of_any_service(code, status, "a:b");
            assert!(is == kind && what.contains(says), "{code} {status}: {is:?} {what}");
        }
    }
}
