//! What an error of the client's means to a caller.

use autopgo_core::error::Kind;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

pub(super) fn classify(error: &KafkaError) -> Kind {
    match (error, error.rdkafka_error_code()) {
        (_, Some(code)) => of(code),
        // Nothing that a broker said.
        (KafkaError::ClientConfig(..), _) => Kind::Internal,
        _ => Kind::Unavailable,
    }
}

pub(super) fn of(code: Code) -> Kind {
    match code {
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::Authentication => Kind::Denied,
        Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::MessageBatchTooLarge => Kind::TooLarge,
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => Kind::NotFound,
        Code::InvalidTopic
        | Code::InvalidGroupId
        | Code::InconsistentGroupProtocol
        | Code::InvalidSessionTimeout => Kind::Invalid,
        _ => Kind::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sorted_by_what_helps() {
        for (code, kind) in [
            (Code::TopicAuthorizationFailed, Kind::Denied),
            (Code::MessageSizeTooLarge, Kind::TooLarge),
            (Code::UnknownTopicOrPartition, Kind::NotFound),
            (Code::InconsistentGroupProtocol, Kind::Invalid),
            (Code::MessageTimedOut, Kind::Unavailable),
            (Code::BrokerTransportFailure, Kind::Unavailable),
            (Code::RebalanceInProgress, Kind::Unavailable),
            (Code::QueueFull, Kind::Unavailable),
        ] {
            for error in [KafkaError::MessageProduction(code), KafkaError::ConsumerCommit(code)] {
                assert_eq!(classify(&error), kind, "{error}");
            }
        }
        assert_eq!(classify(&KafkaError::Subscription("no".to_owned())), Kind::Unavailable);
    }
}
