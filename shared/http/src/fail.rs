//! What a failed request is answered with: a status and `{"message", "code"}`.
//!
//! The message of a 5xx is fixed, so that no cause leaks: it goes to the log, here and nowhere else, inside the
//! request's span and so with the request's id.

use std::borrow::Cow;

use autopgo_core::api;
use autopgo_core::error::{Error, Kind};
use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// Seconds after which a store or a bus that did not answer may be asked again.
const LATER: u32 = 5;

/// The answer to a request that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    status: StatusCode,
    message: Cow<'static, str>,
    retry_after: Option<u32>,
}

impl Failure {
    /// `status` with a message for the client: lower case, no full stop.
    pub fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, message: message.into(), retry_after: None }
    }

    /// The same, with `Retry-After: seconds`.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// A bug of ours; whoever makes it has logged what happened.
    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server failed; its log says more under this answer's x-request-id",
        )
    }
}

/// `Kind` to status; a 5xx is logged with its cause.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            Kind::Invalid | Kind::Unusable => StatusCode::BAD_REQUEST,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::Internal => {
                tracing::error!(error = error.chain(), "a request failed");
                return Self::internal();
            }
            // Refused was this server, by what it stands on: the client can neither cause nor mend it.
            Kind::Denied => {
                tracing::error!(
                    error = error.chain(),
                    "a request failed: the server's credentials were refused"
                );
                return Self::new(
                    StatusCode::BAD_GATEWAY,
                    "the server was refused by its store or bus; its log says more under this answer's x-request-id",
                );
            }
            Kind::Unavailable => {
                tracing::warn!(error = error.chain(), "a request failed for now");
                return Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the server cannot reach its store or bus, or lost too many races there; try again",
                )
                .retry_after(LATER);
            }
        };
        Self::new(status, error.what().to_owned())
    }
}

/// Why a request was refused, carried beside the response for the request's log line.
#[derive(Clone, Debug)]
pub(crate) struct Reason(pub(crate) Cow<'static, str>);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = api::Failure { message: self.message.clone().into_owned(), code: self.status.as_u16() };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            // Each answer with this status has to say by what one gets in (RFC 9110 15.5.2).
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(Reason(self.message));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_status() {
        for (kind, status) in [
            (Kind::Conflict, 409),
            (Kind::Denied, 502),
            (Kind::Internal, 500),
            (Kind::Invalid, 400),
            (Kind::NotFound, 404),
            (Kind::TooLarge, 413),
            (Kind::Unavailable, 503),
            (Kind::Unusable, 400),
        ] {
            let error =
                Error::new(kind, "reading secret/key").because(std::io::Error::other("password=1234"));
            let failure = Failure::from(error);
            assert_eq!(failure.status.as_u16(), status, "{kind:?}");
            assert!(!failure.message.contains("1234"), "{kind:?}: {}", failure.message);
            assert_eq!(failure.message.contains("secret"), status < 500, "{kind:?}: {}", failure.message);
            assert_eq!(failure.retry_after.is_some(), status == 503, "{kind:?}");
        }
    }
}
