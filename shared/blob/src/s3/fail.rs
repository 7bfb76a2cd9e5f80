//! What an error of the SDK means to us. Codes: Amazon S3 API reference, "Error responses"; those of conditional writes
//! stand under `PutObject`.

use std::error::Error as StdError;

use autopgo_aws::fail::{Refusal, of_any_service, unanswered};
use autopgo_core::error::{Error, Kind};
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// The service's own words, if it was the service that refused.
pub(super) fn refusal<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<Refusal<'_>> {
    let mut refusal = autopgo_aws::fail::refusal(error)?;
    // The answer to a HEAD has no body to hold a code; MinIO puts it into a header.
    if let (None, Some(response)) = (refusal.code, error.raw_response()) {
        refusal.code = response.headers().get("x-minio-error-code");
    }
    Some(refusal)
}

/// Whether this says that there is no such object. A missing bucket is another thing, where the store tells.
pub(super) fn is_absence<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    refusal(error).is_some_and(|refusal| match refusal.code {
        Some(code) => matches!(code, "NoSuchKey" | "NotFound") || code == NO_SUCH_NAME,
        None => refusal.status == 404,
    })
}

/// MinIO's word for keys that it cannot have, such as those with `//` in them: there is nothing under such a key, nor is
/// there behind such a prefix.
pub(super) fn is_no_name<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    refusal(error).is_some_and(|refusal| refusal.code == Some(NO_SUCH_NAME))
}

/// What an identity must be allowed.
const NEEDS: &str = "s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket (without the last, what is not there \
                     looks denied too)";

const NO_SUCH_NAME: &str = "XMinioInvalidObjectName";

/// Whether a conditional write was refused because of its condition, so that nothing was written.
pub(super) fn is_conflict<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    refusal(error).is_some_and(|refusal| match refusal.code {
        Some("PreconditionFailed" | "ConditionalRequestConflict" | "OperationAborted") => true,
        // The version of an object that is gone.
        Some("NoSuchKey") => true,
        Some(_) => false,
        None => matches!(refusal.status, 404 | 409 | 412),
    })
}

/// The error of ours for what the SDK says of `bucket`.
pub(super) fn classify<E>(bucket: &str, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let (kind, what) = match refusal(&error) {
        Some(refusal) => {
            let (kind, what) = refused(&refusal);
            (kind, format!("{what} ({})", refusal.words()))
        }
        None => {
            let (kind, what) = unanswered(&error);
            (kind, what.to_owned())
        }
    };
    Error::new(kind, format!("s3://{bucket}: {what}")).because(error)
}

fn refused(refusal: &Refusal<'_>) -> (Kind, String) {
    let (kind, what) = match (refusal.code.unwrap_or_default(), refusal.status) {
        ("NoSuchBucket", _) => (Kind::NotFound, "there is no such bucket; make it, or correct the URL"),
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _)
        | (_, 301) => {
            (Kind::Invalid, "the bucket lies in another region or behind another endpoint; set region=")
        }
        ("OperationAborted", _) => (Kind::Unavailable, "it is too slow or too busy now"),
        ("EntityTooLarge", _) => (Kind::TooLarge, "it takes no object of this size in one piece"),
        ("KeyTooLongError", _) => (Kind::Invalid, "the key is too long"),
        (code, status) => return of_any_service(code, status, NEEDS),
    };
    (kind, what.to_owned())
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::error::ErrorMetadata;
    use aws_sdk_s3::operation::put_object::PutObjectError;
    use aws_sdk_s3::primitives::SdkBody;

    use super::*;

    fn answered(status: u16, code: &str) -> SdkError<PutObjectError, HttpResponse> {
        let mut metadata = ErrorMetadata::builder();
        if !code.is_empty() {
            metadata = metadata.code(code).message("words");
        }
        let raw = HttpResponse::new(status.try_into().expect("a status"), SdkBody::empty());
        SdkError::service_error(PutObjectError::generic(metadata.build()), raw)
    }

    #[test]
    fn each_refusal_of_a_condition_is_a_conflict_and_nothing_else_is() {
        for (status, code, conflict) in [
            (412, "PreconditionFailed", true),
            (409, "ConditionalRequestConflict", true),
            (409, "OperationAborted", true),
            (404, "NoSuchKey", true),
            (412, "", true),
            (409, "", true),
            (404, "NoSuchBucket", false),
            (403, "AccessDenied", false),
            (500, "InternalError", false),
            (503, "SlowDown", false),
            (400, "RequestTimeout", false),
            (501, "NotImplemented", false),
        ] {
            assert_eq!(is_conflict(&answered(status, code)), conflict, "{status} {code}");
        }
        let timeout: SdkError<PutObjectError, HttpResponse> = SdkError::timeout_error("too late");
        assert!(!is_conflict(&timeout) && !is_absence(&timeout));
        assert_eq!(classify("b", timeout).kind(), Kind::Unavailable);
    }

    #[test]
    fn codes_are_told_apart() {
        for (status, code, kind, says) in [
            (404, "NoSuchBucket", Kind::NotFound, "s3://b: there is no such bucket"),
            (403, "InvalidAccessKeyId", Kind::Denied, "credentials were refused"),
            (403, "SignatureDoesNotMatch", Kind::Denied, "credentials were refused"),
            (400, "ExpiredToken", Kind::Denied, "have expired"),
            (403, "RequestTimeTooSkewed", Kind::Denied, "the clock here"),
            (403, "AccessDenied", Kind::Denied, "s3:ListBucket"),
            (403, "", Kind::Denied, "(status 403)"),
            (301, "PermanentRedirect", Kind::Invalid, "set region="),
            (400, "AuthorizationHeaderMalformed", Kind::Invalid, "set region="),
            (400, "RequestTimeout", Kind::Unavailable, "too slow or too busy"),
            (503, "SlowDown", Kind::Unavailable, "(SlowDown: words)"),
            (429, "", Kind::Unavailable, "too slow or too busy"),
            (500, "InternalError", Kind::Unavailable, "cannot answer now"),
            (400, "EntityTooLarge", Kind::TooLarge, "in one piece"),
            (501, "NotImplemented", Kind::Invalid, "does not know"),
            (400, "InvalidBucketName", Kind::Invalid, "refused the request"),
            (418, "", Kind::Internal, "not expected"),
        ] {
            let error = classify("b", answered(status, code));
            assert_eq!(error.kind(), kind, "{status} {code}");
            assert!(error.what().contains(says), "{status} {code}: {error}");
        }
    }
}
