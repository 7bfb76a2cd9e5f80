//! What an error of SNS or SQS means to us. Codes: API references of both, "Errors" of each action and "Common Error
//! Types". SQS gives them in their older spelling too, behind `AWS.SimpleQueueService.`

use std::error::Error as StdError;

use autopgo_aws::fail::{Refusal, of_any_service, refusal, unanswered};
use autopgo_core::error::{Error, Kind};
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

/// Whom an error is about.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    /// The URL of it, without parameters.
    pub(crate) url: String,
    /// What it is: `queue` or `topic`.
    pub(crate) what: &'static str,
    /// What an identity must be allowed.
    pub(crate) needs: &'static str,
    /// The region in which it is looked for.
    pub(crate) region: String,
}

impl Name {
    /// The error of ours for what the SDK says.
    pub(crate) fn fail<E>(&self, error: SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let (kind, what) = match refusal(&error) {
            Some(refusal) => {
                let (kind, what) =
                    self.refused(refusal.code.unwrap_or_default(), refusal.status, refusal.message);
                (kind, format!("{what} ({})", refusal.words()))
            }
            None => {
                let (kind, what) = unanswered(&error);
                (kind, what.to_owned())
            }
        };
        self.error(kind, &what).because(error)
    }

    /// The error of ours for one entry of a batch that was answered as a whole.
    pub(crate) fn fail_entry(&self, code: &str, message: Option<&str>, sender_fault: bool) -> Error {
        let refusal = Refusal { status: if sender_fault { 400 } else { 500 }, code: Some(code), message };
        let (kind, what) = self.refused(code, refusal.status, message);
        self.error(kind, &format!("{what} ({})", refusal.words()))
    }

    /// An error that names it.
    pub(crate) fn error(&self, kind: Kind, what: &str) -> Error {
        Error::new(kind, format!("{}: {what}", self.url))
    }

    fn refused(&self, code: &str, status: u16, message: Option<&str>) -> (Kind, String) {
        let Self { what, region, .. } = self;
        match bare(code) {
            "NonExistentQueue" | "QueueDoesNotExist" | "NotFound" | "NotFoundException" | "InvalidAddress" => (
                Kind::NotFound,
                format!("there is no such {what} in the region {region}; make it, or correct the URL or region="),
            ),
            "MessageTooLong" | "BatchRequestTooLong" => too_large(),
            "InvalidParameterValue" | "InvalidParameter" if mentions(message, &["shorter than", "too long"]) => {
                too_large()
            }
            "OverLimit" => (Kind::Unavailable, "too many of its messages are received and not settled".to_owned()),
            "KmsThrottled" | "KMSThrottling" | "KMSThrottlingException" => {
                (Kind::Unavailable, "its encryption key is too busy now".to_owned())
            }
            code if code.starts_with("Kms") || code.starts_with("KMS") => (
                Kind::Denied,
                "its encryption key cannot be used; the identity needs kms:GenerateDataKey and kms:Decrypt on a key \
                 that is enabled"
                    .to_owned(),
            ),
            code => of_any_service(code, status, self.needs),
        }
    }
}

fn too_large() -> (Kind, String) {
    (Kind::TooLarge, "it takes no message of this size".to_owned())
}

/// A code without the prefix of its older spelling.
fn bare(code: &str) -> &str {
    code.strip_prefix("AWS.SimpleQueueService.").unwrap_or(code)
}

/// Whether the words for people have one of these in them: some codes stand for many things.
fn mentions(message: Option<&str>, words: &[&str]) -> bool {
    message.is_some_and(|message| words.iter().any(|word| message.contains(word)))
}

/// Whether a receipt was refused because its message is settled, or somebody else's by now.
pub(crate) fn is_stale(code: &str, message: Option<&str>) -> bool {
    match bare(code) {
        "ReceiptHandleIsInvalid" | "MessageNotInflight" => true,
        // Of a FIFO queue whose time has run out, and of a message that is not in flight.
        "InvalidParameterValue" => mentions(message, &["has expired", "does not exist or is not available"]),
        _ => false,
    }
}

/// Whether the service answered only that this identity may not look. Whoever may publish and nothing else, as is enough for
/// the Go original, hears that.
pub(crate) fn may_not_look<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let code = refusal(error).and_then(|refusal| refusal.code);
    matches!(
        code.map(bare),
        Some("AuthorizationError" | "AuthorizationErrorException" | "AccessDenied" | "AccessDeniedException")
    )
}

/// Whether a topic refused a message because of its group, as SNS did for standard topics until it took them, and
/// emulators of that time still do.
pub(crate) fn is_of_group<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    refusal(error).is_some_and(|refusal| names_group(refusal.code.unwrap_or_default(), refusal.message))
}

fn names_group(code: &str, message: Option<&str>) -> bool {
    code.starts_with("InvalidParameter") && mentions(message, &["MessageGroupId"])
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::operation::send_message::SendMessageError;

    use super::*;

    fn name() -> Name {
        let (url, region) = ("awssqs://host/1/pgo".to_owned(), "mars-1".to_owned());
        Name { url, what: "queue", needs: "sqs:SendMessage", region }
    }

    #[test]
    fn codes_are_told_apart() {
        for (status, code, kind, says) in [
            (
                400,
                "AWS.SimpleQueueService.NonExistentQueue",
                Kind::NotFound,
                "no such queue in the region mars-1",
            ),
            (400, "QueueDoesNotExist", Kind::NotFound, "there is no such queue"),
            (404, "NotFound", Kind::NotFound, "correct the URL or region="),
            (400, "InvalidAddress", Kind::NotFound, "correct the URL"),
            (403, "AccessDenied", Kind::Denied, "the identity needs sqs:SendMessage"),
            (400, "AccessDeniedException", Kind::Denied, "the identity needs sqs:SendMessage"),
            (403, "InvalidClientTokenId", Kind::Denied, "credentials were refused"),
            (400, "KmsAccessDenied", Kind::Denied, "kms:Decrypt"),
            (400, "KMSDisabled", Kind::Denied, "kms:Decrypt"),
            (400, "KmsThrottled", Kind::Unavailable, "too busy"),
            (403, "AWS.SimpleQueueService.OverLimit", Kind::Unavailable, "not settled"),
            (400, "RequestThrottled", Kind::Unavailable, "too slow or too busy"),
            (503, "ServiceUnavailable", Kind::Unavailable, "cannot answer now"),
            (500, "", Kind::Unavailable, "cannot answer now"),
            (400, "InvalidMessageContents", Kind::Invalid, "refused the request"),
        ] {
            let (is, what) = name().refused(code, status, Some("words"));
            assert!(is == kind && what.contains(says), "{status} {code}: {is:?} {what}");
        }
        let long = "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.";
        assert_eq!(name().refused("InvalidParameterValue", 400, Some(long)).0, Kind::TooLarge);
        let timeout: SdkError<SendMessageError, HttpResponse> = SdkError::timeout_error("too late");
        assert_eq!(name().fail(timeout).kind(), Kind::Unavailable);
        let entry = name().fail_entry("InternalError", Some("words"), false);
        assert_eq!(entry.kind(), Kind::Unavailable);
        assert_eq!(entry.what(), "awssqs://host/1/pgo: it cannot answer now (InternalError: words)");
    }

    #[test]
    fn stale_receipts_are_told_from_wrong_ones() {
        let expired =
            "Value x for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.";
        let flown = "Value x for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not \
                     available for visibility timeout change.";
        for (code, message, stale) in [
            ("ReceiptHandleIsInvalid", "", true),
            ("AWS.SimpleQueueService.MessageNotInflight", "", true),
            ("InvalidParameterValue", expired, true),
            ("InvalidParameterValue", flown, true),
            ("InvalidParameterValue", "Total VisibilityTimeout is beyond the limit", false),
            ("InternalError", expired, false),
        ] {
            assert_eq!(is_stale(code, Some(message)), stale, "{code} {message}");
        }
    }

    #[test]
    fn a_refused_group_is_known_by_its_words() {
        let old = "Invalid parameter: MessageGroupId Reason: The request includes MessageGroupId parameter that is not \
                   valid for this topic type";
        for (code, message, group) in [
            ("InvalidParameter", old, true),
            ("InvalidParameterValue", old, true),
            ("InvalidParameter", "Invalid parameter: Message too long", false),
            ("AuthorizationError", old, false),
        ] {
            assert_eq!(names_group(code, Some(message)), group, "{code} {message}");
        }
    }
}
