//! Errors, in the forms of both APIs: <https://cloud.google.com/storage/docs/json_api/v1/status-codes> and
//! <https://cloud.google.com/storage/docs/xml-api/reference-status>.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    /// For JSON.
    reason: &'static str,
    /// For XML.
    code: &'static str,
    message: String,
}

impl Refusal {
    pub(super) fn no_bucket() -> Self {
        Self::new(StatusCode::NOT_FOUND, "notFound", "NoSuchBucket", "The specified bucket does not exist.")
    }

    pub(super) fn no_object(bucket: &str, object: &str) -> Self {
        let message = format!("No such object: {bucket}/{object}");
        Self::new(StatusCode::NOT_FOUND, "notFound", "NoSuchKey", message)
    }

    /// A precondition did not hold.
    pub(super) fn condition() -> Self {
        let message = "At least one of the pre-conditions you specified did not hold.";
        Self::new(StatusCode::PRECONDITION_FAILED, "conditionNotMet", "PreconditionFailed", message)
    }

    /// What was to be not the same is.
    pub(super) fn unchanged() -> Self {
        Self::new(StatusCode::NOT_MODIFIED, "notModified", "NotModified", "")
    }

    pub(super) fn nobody() -> Self {
        let message = "Anonymous caller does not have storage access to the Google Cloud Storage object.";
        Self::new(StatusCode::UNAUTHORIZED, "required", "AccessDenied", message)
    }

    pub(super) fn stranger() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "authError", "AuthenticationRequired", "Invalid Credentials")
    }

    pub(super) fn signature(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "SignatureDoesNotMatch", message)
    }

    pub(super) fn expired() -> Self {
        let message = "The provided token has expired.";
        Self::new(StatusCode::BAD_REQUEST, "invalid", "ExpiredToken", message)
    }

    pub(super) fn unsigned_header(name: &str) -> Self {
        let message = format!("Header was included in request, but not in signedheaders: {name}");
        Self::new(StatusCode::BAD_REQUEST, "invalid", "MalformedSecurityHeader", message)
    }

    pub(super) fn size(too_large: bool) -> Self {
        let (code, word) =
            if too_large { ("EntityTooLarge", "larger") } else { ("EntityTooSmall", "smaller") };
        let message = format!("Your proposed upload is {word} than what the request allows.");
        Self::new(StatusCode::BAD_REQUEST, "invalid", code, message)
    }

    pub(super) fn taken() -> Self {
        let message = "Your previous request to create the named bucket succeeded and you already own it.";
        Self::new(StatusCode::CONFLICT, "conflict", "BucketAlreadyOwnedByYou", message)
    }

    pub(super) fn method() -> Self {
        let message = "The specified method is not allowed against this resource.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "methodNotAllowed", "MethodNotAllowed", message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", "InvalidArgument", message)
    }

    fn new(status: StatusCode, reason: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, reason, code, message: message.into() }
    }

    /// In the words of the XML API.
    pub(super) fn xml(self) -> Response {
        let message = self.message.replace('&', "&amp;").replace('<', "&lt;");
        let code = self.code;
        let body = format!(
            "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        );
        (self.status, [(header::CONTENT_TYPE, "application/xml; charset=UTF-8")], body).into_response()
    }
}

/// In the words of the JSON API.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if self.status == StatusCode::NOT_MODIFIED {
            return self.status.into_response();
        }
        let (reason, message) = (self.reason, &self.message);
        let errors = json!([{"message": message, "domain": "global", "reason": reason}]);
        let body = json!({"error": {"code": self.status.as_u16(), "message": message, "errors": errors}});
        (self.status, Json(body)).into_response()
    }
}
