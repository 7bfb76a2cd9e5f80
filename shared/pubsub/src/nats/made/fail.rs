//! What went wrong with the book-keeping, and what to do about it.

use async_nats::jetstream::context::{
    ConsumerInfoError, ConsumerInfoErrorKind, CreateStreamError, CreateStreamErrorKind,
};
use async_nats::jetstream::stream::{
    ConsumerCreateStrictError, ConsumerCreateStrictErrorKind, ConsumerError, ConsumerErrorKind,
};
use async_nats::jetstream::{self, ErrorCode};
use autopgo_core::error::{Error, Kind};

use super::Link;

const NOBODY: (Kind, &str) =
    (Kind::Invalid, "there is no JetStream for this account; turn it on, or leave jetstream= out of the URL");
const FASTER: (Kind, &str) = (Kind::Unavailable, "another has just made it; the next try finds it");

pub(super) fn stream(link: &Link, doing: &str, error: CreateStreamError) -> Error {
    let advice = match error.kind() {
        CreateStreamErrorKind::JetStream(told) => advice(&told),
        CreateStreamErrorKind::JetStreamUnavailable => Some(NOBODY),
        _ => None,
    };
    fail(link, doing, advice, error)
}

pub(super) fn lookup(link: &Link, doing: &str, error: ConsumerInfoError) -> Error {
    let advice = match error.kind() {
        ConsumerInfoErrorKind::JetStream(told) => advice(&told),
        ConsumerInfoErrorKind::NoResponders => Some(NOBODY),
        _ => None,
    };
    fail(link, doing, advice, error)
}

pub(super) fn making(link: &Link, doing: &str, error: ConsumerCreateStrictError) -> Error {
    let advice = match error.kind() {
        ConsumerCreateStrictErrorKind::JetStream(told) => advice(&told),
        ConsumerCreateStrictErrorKind::AlreadyExists => Some(FASTER),
        _ => None,
    };
    fail(link, doing, advice, error)
}

pub(super) fn changing(link: &Link, doing: &str, error: ConsumerError) -> Error {
    let advice = match error.kind() {
        ConsumerErrorKind::JetStream(told) => advice(&told),
        _ => None,
    };
    fail(link, doing, advice, error)
}

/// Without advice it is a fault that may pass.
fn fail(
    link: &Link,
    doing: &str,
    advice: Option<(Kind, &str)>,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    match advice {
        Some((kind, advice)) => link.advise(kind, doing, advice),
        None => link.fail(Kind::Unavailable, doing),
    }
    .because(error)
}

/// By the server's own numbers (nats-server, `server/errors.json`).
fn advice(told: &jetstream::Error) -> Option<(Kind, &'static str)> {
    Some(match told.error_code() {
        ErrorCode::STREAM_SUBJECT_OVERLAP => (
            Kind::Invalid,
            "another stream takes the subject; name that one with jetstream=, or take the subject from it",
        ),
        ErrorCode::CONSUMER_WQ_CONSUMER_NOT_UNIQUE | ErrorCode::CONSUMER_WQ_MULTIPLE_UNFILTERED => (
            Kind::Invalid,
            "the stream is a work queue, and another consumer has the subject; name that one with consumer=, or \
             remove it",
        ),
        ErrorCode::JETSTREAM_NOT_ENABLED | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => NOBODY,
        ErrorCode::STREAM_NAME_EXIST
        | ErrorCode::CONSUMER_NAME_EXIST
        | ErrorCode::CONSUMER_ALREADY_EXISTS => FASTER,
        ErrorCode::STREAM_MAX_BYTES_REQUIRED | ErrorCode::STREAM_MAX_STREAM_BYTES_EXCEEDED => {
            (Kind::Invalid, "the account wants streams with a bound; make this one with max_bytes yourself")
        }
        ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
        | ErrorCode::INSUFFICIENT_RESOURCES
        | ErrorCode::MAXIMUM_CONSUMERS_LIMIT
        | ErrorCode::MAXIMUM_STREAMS_LIMIT
        | ErrorCode::MEMORY_RESOURCES_EXCEEDED
        | ErrorCode::NO_LIMITS
        | ErrorCode::STORAGE_RESOURCES_EXCEEDED => (
            Kind::Unavailable,
            "the limits of the account or of the server are reached; raise them, or make room",
        ),
        // As with HTTP: it is us, not the server.
        _ if (400..500).contains(&told.code()) => {
            (Kind::Invalid, "the server does not take it as the URL has it; change that, or make it yourself")
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_trying_again_cannot_change_is_told_from_what_passes() {
        for (code, number, kind) in [
            (400, 10065, Some(Kind::Invalid)),
            (400, 10100, Some(Kind::Invalid)),
            (503, 10039, Some(Kind::Invalid)),
            (503, 10076, Some(Kind::Invalid)),
            (400, 10058, Some(Kind::Unavailable)),
            (400, 10148, Some(Kind::Unavailable)),
            (400, 10027, Some(Kind::Unavailable)),
            (400, 10052, Some(Kind::Invalid)),
            (503, 10008, None),
            (500, 10049, None),
        ] {
            let told = format!(r#"{{"code":{code},"err_code":{number},"description":"no"}}"#);
            let told: jetstream::Error = serde_json::from_str(&told).expect("an error");
            assert_eq!(advice(&told).map(|(kind, _)| kind), kind, "{number}");
        }
    }
}
