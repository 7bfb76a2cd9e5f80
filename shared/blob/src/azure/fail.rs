//! What an error of `object_store` means to us. Codes: Microsoft Learn, "Common REST API error codes" and "Blob Storage
//! error codes"; those of conditional writes: "Specifying conditional headers for Blob service operations".

use std::error::Error as StdError;

use autopgo_core::error::{Error, Kind};
use object_store::client::{HttpError, HttpErrorKind};

use super::client::{NoIdentity, NoToken};
use super::wire::{COPY_FAILED, COPY_PENDING, Refused, Silent};

/// What the service itself refused with, if it did.
pub(super) fn refusal(error: &object_store::Error) -> Option<&Refused> {
    if cause::<NoToken>(error).is_some() { None } else { cause(error) }
}

/// Whether this says that there is no such blob. A missing container is another thing.
pub(super) fn is_absence(error: &object_store::Error) -> bool {
    refusal(error).is_some_and(|refused| match refused.code.as_deref() {
        Some("BlobNotFound" | "ResourceNotFound") => true,
        // Of a copy: there is no such source.
        Some("CannotVerifyCopySource") => refused.status == 404,
        Some(_) => false,
        None => refused.status == 404,
    })
}

/// Whether a conditional write was refused because of its condition, so that nothing was written.
pub(super) fn is_conflict(error: &object_store::Error) -> bool {
    refusal(error).is_some_and(|refused| match refused.code.as_deref() {
        Some("ConditionNotMet" | "TargetConditionNotMet" | "BlobAlreadyExists") => true,
        // The version of a blob that is gone.
        Some("BlobNotFound" | "ResourceNotFound") => true,
        Some(_) => false,
        None => matches!(refused.status, 404 | 409 | 412),
    })
}

/// Whether a copy goes on at the service.
pub(super) fn is_pending(error: &object_store::Error) -> bool {
    refusal(error).is_some_and(|refused| refused.code.as_deref() == Some(COPY_PENDING))
}

/// The error of ours for what `object_store` says of `container`.
pub(super) fn classify(container: &str, error: object_store::Error) -> Error {
    let (kind, what) = match (cause::<NoToken>(&error), cause::<Refused>(&error)) {
        (Some(_), refused) => without_token(&error, refused),
        (None, Some(refused)) => service_refused(refused),
        (None, None) => unanswered(&error),
    };
    Error::new(kind, format!("azblob://{container}: {what}")).because(error)
}

fn service_refused(refused: &Refused) -> (Kind, String) {
    let status = refused.status;
    let code = refused.code.clone().unwrap_or_else(|| format!("status {status}"));
    let (kind, what) = match (code.as_str(), status) {
        ("ContainerNotFound", _) => {
            (Kind::NotFound, "there is no such container; make it, or correct the URL")
        }
        ("ContainerBeingDeleted" | "ContainerDisabled", _) => {
            (Kind::NotFound, "the container is being deleted; make another, or wait and make it again")
        }
        ("AuthenticationFailed" | "InvalidAuthenticationInfo" | "NoAuthenticationInformation", _) => (
            Kind::Denied,
            "the credentials were refused; check the account and its key, that a SAS token has not expired, and that the \
             clock here is right",
        ),
        ("KeyBasedAuthenticationNotPermitted", _) => (
            Kind::Denied,
            "the account takes no keys, nor what is signed with one; use Entra (AZURE_CLIENT_SECRET, a workload identity \
             or a managed one)",
        ),
        ("AccountIsDisabled", _) => (Kind::Denied, "the account is disabled"),
        ("ServerBusy" | "OperationTimedOut", _) | (_, 408 | 429) => {
            (Kind::Unavailable, "it is too slow or too busy now")
        }
        (COPY_PENDING, _) => (Kind::Unavailable, "a copy to this key is not done yet"),
        (COPY_FAILED, _) => (Kind::Unavailable, "the copy to this key came to nothing"),
        ("RequestBodyTooLarge", _) | (_, 413) => {
            (Kind::TooLarge, "it takes no object of this size in one piece")
        }
        (code, 409 | 412) if code.contains("Lease") => {
            (Kind::Unavailable, "somebody holds a lease on it; release it, nothing here takes one")
        }
        ("InvalidBlobType" | "BlobImmutableDueToPolicy" | "BlobArchived", _) => {
            (Kind::Invalid, "what lies there cannot be written over or read")
        }
        ("InvalidResourceName" | "InvalidUri" | "OutOfRangeInput", _) => {
            (Kind::Invalid, "it can have no such name")
        }
        (_, 401 | 403) => (
            Kind::Denied,
            "access is denied; an identity needs the role Storage Blob Data Contributor on the container, a SAS token the \
             permissions rwdl for the container and what is in it, and the account's network rules must let this host in",
        ),
        (_, 501) => (Kind::Invalid, "it does not know what was asked of it"),
        (_, 500..) => (Kind::Unavailable, "it cannot answer now"),
        (_, 400) => (Kind::Invalid, "it refused the request"),
        _ => (Kind::Internal, "it answered in a way that was not expected"),
    };
    // A code that only repeats the status says nothing more.
    let words = match &refused.message {
        Some(message) => format!("{code}: {message}"),
        None => code,
    };
    (kind, format!("{what} ({words})"))
}

/// Whoever gives tokens gave none: Entra, the metadata service, a file, the Azure CLI.
fn without_token(error: &object_store::Error, refused: Option<&Refused>) -> (Kind, String) {
    if cause::<NoIdentity>(error).is_some() {
        return (
            Kind::Denied,
            "no credentials were found; set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, AZURE_STORAGE_CONNECTION_STRING or \
             AZURE_CLIENT_SECRET, or run it with a managed identity"
                .to_owned(),
        );
    }
    match refused {
        Some(refused) if matches!(refused.status, 408 | 429 | 500..) => {
            (Kind::Unavailable, format!("the credentials could not be fetched ({refused})"))
        }
        Some(refused) => (
            Kind::Denied,
            format!(
                "Entra refused the credentials; check AZURE_TENANT_ID, AZURE_CLIENT_ID and what proves them ({refused})"
            ),
        ),
        None if cause::<HttpError>(error).is_some() => {
            (Kind::Unavailable, "the credentials could not be fetched".to_owned())
        }
        // No host was asked: the file of a workload identity, the Azure CLI.
        None => (Kind::Denied, "the credentials cannot be had".to_owned()),
    }
}

fn unanswered(error: &object_store::Error) -> (Kind, String) {
    let network = cause::<HttpError>(error).map(HttpError::kind);
    let (kind, what) = match (error, network) {
        _ if cause::<Silent>(error).is_some() => (Kind::Unavailable, "it did not answer in time"),
        (_, Some(HttpErrorKind::Connect)) => (Kind::Unavailable, "it cannot be reached"),
        (_, Some(_)) => (Kind::Unavailable, "the connection to it broke"),
        (object_store::Error::InvalidPath { .. }, None) => (
            Kind::Invalid,
            "a name in it cannot be had here: one with two slashes in a row, or with . or .. between slashes; keep \
             profiles apart from it with prefix=",
        ),
        _ => (Kind::Internal, "it failed in a way that was not expected"),
    };
    (kind, what.to_owned())
}

/// The first cause of this type.
fn cause<E: StdError + 'static>(error: &object_store::Error) -> Option<&E> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::client::generic;
    use super::*;

    /// As it comes: the refusal inside an error of HTTP.
    fn answered(status: u16, code: &str) -> object_store::Error {
        let code = (!code.is_empty()).then(|| code.to_owned());
        let refused = Refused { host: "h".to_owned(), status, code, message: Some("words".to_owned()) };
        generic(HttpError::new(HttpErrorKind::Unknown, refused))
    }

    fn no_token(error: object_store::Error) -> object_store::Error {
        generic(NoToken(error))
    }

    #[test]
    fn each_refusal_of_a_condition_is_a_conflict_and_nothing_else_is() {
        for (status, code, conflict) in [
            (412, "ConditionNotMet", true),
            (412, "TargetConditionNotMet", true),
            (409, "BlobAlreadyExists", true),
            (404, "BlobNotFound", true),
            (412, "", true),
            (409, "", true),
            (404, "", true),
            (404, "ContainerNotFound", false),
            (412, "LeaseIdMissing", false),
            (409, "ContainerBeingDeleted", false),
            (409, "BlobImmutableDueToPolicy", false),
            (403, "AuthenticationFailed", false),
            (500, "InternalError", false),
            (503, "ServerBusy", false),
        ] {
            assert_eq!(is_conflict(&answered(status, code)), conflict, "{status} {code}");
        }
        let silent = generic(HttpError::new(HttpErrorKind::Request, Silent));
        for error in [no_token(answered(404, "")), silent] {
            assert!(!is_conflict(&error) && !is_absence(&error), "{error:?}");
        }
    }

    #[test]
    fn a_missing_blob_is_told_from_a_missing_container() {
        for (status, code, absent) in [
            (404, "BlobNotFound", true),
            (404, "", true),
            (404, "CannotVerifyCopySource", true),
            (403, "CannotVerifyCopySource", false),
            (404, "ContainerNotFound", false),
            (403, "", false),
        ] {
            assert_eq!(is_absence(&answered(status, code)), absent, "{status} {code}");
        }
    }

    #[test]
    fn codes_are_told_apart() {
        for (status, code, kind, says) in [
            (404, "ContainerNotFound", Kind::NotFound, "azblob://c: there is no such container"),
            (409, "ContainerBeingDeleted", Kind::NotFound, "being deleted"),
            (403, "AuthenticationFailed", Kind::Denied, "the clock here is right"),
            (401, "NoAuthenticationInformation", Kind::Denied, "credentials were refused"),
            (403, "KeyBasedAuthenticationNotPermitted", Kind::Denied, "use Entra"),
            (403, "AuthorizationPermissionMismatch", Kind::Denied, "Storage Blob Data Contributor"),
            (403, "AuthorizationFailure", Kind::Denied, "network rules"),
            (403, "", Kind::Denied, "(status 403: words)"),
            (503, "ServerBusy", Kind::Unavailable, "(ServerBusy: words)"),
            (500, "OperationTimedOut", Kind::Unavailable, "too slow or too busy"),
            (429, "", Kind::Unavailable, "too slow or too busy"),
            (500, "InternalError", Kind::Unavailable, "cannot answer now"),
            (502, "", Kind::Unavailable, "cannot answer now"),
            (501, "", Kind::Invalid, "does not know"),
            (413, "RequestBodyTooLarge", Kind::TooLarge, "in one piece"),
            (412, "LeaseIdMissing", Kind::Unavailable, "holds a lease"),
            (400, "InvalidResourceName", Kind::Invalid, "can have no such name"),
            (409, "InvalidBlobType", Kind::Invalid, "cannot be written over"),
            (400, "InvalidHeaderValue", Kind::Invalid, "refused the request"),
            (202, COPY_PENDING, Kind::Unavailable, "not done yet"),
            (418, "", Kind::Internal, "not expected"),
        ] {
            let error = classify("c", answered(status, code));
            assert_eq!(error.kind(), kind, "{status} {code}");
            assert!(error.what().contains(says), "{status} {code}: {error}");
        }
    }

    #[test]
    fn credentials_and_networks_are_told_apart() {
        let http = |kind| generic(HttpError::new(kind, std::io::Error::other("gone")));
        let path = object_store::path::Path::parse("a//b").expect_err("no path").into();
        for (error, kind, says) in [
            (no_token(answered(401, "")), Kind::Denied, "Entra refused the credentials"),
            (no_token(answered(503, "")), Kind::Unavailable, "could not be fetched (h answers 503"),
            (no_token(http(HttpErrorKind::Connect)), Kind::Unavailable, "credentials could not be fetched"),
            (no_token(generic(std::io::Error::other("no such file"))), Kind::Denied, "cannot be had"),
            (http(HttpErrorKind::Connect), Kind::Unavailable, "cannot be reached"),
            (http(HttpErrorKind::Unknown), Kind::Unavailable, "the connection to it broke"),
            (generic(HttpError::new(HttpErrorKind::Request, Silent)), Kind::Unavailable, "in time"),
            (generic(Silent), Kind::Unavailable, "in time"),
            (path, Kind::Invalid, "with prefix="),
            (generic(std::io::Error::other("?")), Kind::Internal, "not expected"),
        ] {
            let error = classify("c", error);
            assert!(error.kind() == kind && error.what().contains(says), "{}", error.chain());
        }
    }
}
