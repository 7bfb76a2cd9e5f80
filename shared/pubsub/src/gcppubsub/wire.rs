//! The messages of the six calls, as much of each as is used: numbers and types as in `google/pubsub/v1/pubsub.proto`
//! (<https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1>), whose fields never change theirs.

use std::collections::HashMap;

use bytes::Bytes;
use prost::Message;

/// A call: what it is asked with says where it goes and what it is answered with.
pub(super) trait Call: Message + Clone + 'static {
    type Answer: Message + Default + 'static;

    /// Service and method.
    const PATH: &'static str;

    /// The parameter by which the service finds the place of a call, and its value
    /// (<https://google.aip.dev/client-libraries/4222>).
    fn place(&self) -> (&'static str, &str);
}

macro_rules! calls {
    ($($call:ident($place:ident) -> $answer:ident: $path:literal;)+) => {
        $(
            impl Call for $call {
                type Answer = $answer;
                const PATH: &'static str = $path;

                fn place(&self) -> (&'static str, &str) {
                    (stringify!($place), &self.$place)
                }
            }
        )+
    };
}

calls! {
    Publish(topic) -> Published: "/google.pubsub.v1.Publisher/Publish";
    GetTopic(topic) -> Topic: "/google.pubsub.v1.Publisher/GetTopic";
    Pull(subscription) -> Pulled: "/google.pubsub.v1.Subscriber/Pull";
    Acknowledge(subscription) -> Nothing: "/google.pubsub.v1.Subscriber/Acknowledge";
    ModifyAckDeadline(subscription) -> Nothing: "/google.pubsub.v1.Subscriber/ModifyAckDeadline";
    GetSubscription(subscription) -> SubscriptionInfo: "/google.pubsub.v1.Subscriber/GetSubscription";
}

/// `PublishRequest`
#[derive(Clone, PartialEq, Message)]
pub(super) struct Publish {
    #[prost(string, tag = "1")]
    pub(super) topic: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) messages: Vec<PubsubMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PubsubMessage {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) data: Bytes,
    #[prost(string, tag = "5")]
    pub(super) ordering_key: String,
}

/// `PublishResponse`: the ids of the messages are of no use.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Published {}

/// `GetTopicRequest`
#[derive(Clone, PartialEq, Message)]
pub(super) struct GetTopic {
    #[prost(string, tag = "1")]
    pub(super) topic: String,
}

/// That it is there is enough.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Topic {}

/// `PullRequest`, without the deprecated wish for an answer at once.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Pull {
    #[prost(string, tag = "1")]
    pub(super) subscription: String,
    #[prost(int32, tag = "3")]
    pub(super) max_messages: i32,
}

/// `PullResponse`
#[derive(Clone, PartialEq, Message)]
pub(super) struct Pulled {
    #[prost(message, repeated, tag = "1")]
    pub(super) received_messages: Vec<ReceivedMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ReceivedMessage {
    #[prost(string, tag = "1")]
    pub(super) ack_id: String,
    #[prost(message, optional, tag = "2")]
    pub(super) message: Option<PubsubMessage>,
}

/// `AcknowledgeRequest`
#[derive(Clone, PartialEq, Message)]
pub(super) struct Acknowledge {
    #[prost(string, tag = "1")]
    pub(super) subscription: String,
    #[prost(string, repeated, tag = "2")]
    pub(super) ack_ids: Vec<String>,
}

/// `ModifyAckDeadlineRequest`
#[derive(Clone, PartialEq, Message)]
pub(super) struct ModifyAckDeadline {
    #[prost(string, tag = "1")]
    pub(super) subscription: String,
    #[prost(int32, tag = "3")]
    pub(super) ack_deadline_seconds: i32,
    #[prost(string, repeated, tag = "4")]
    pub(super) ack_ids: Vec<String>,
}

/// `google.protobuf.Empty`
#[derive(Clone, PartialEq, Message)]
pub(super) struct Nothing {}

/// `GetSubscriptionRequest`
#[derive(Clone, PartialEq, Message)]
pub(super) struct GetSubscription {
    #[prost(string, tag = "1")]
    pub(super) subscription: String,
}

/// `Subscription`
#[derive(Clone, PartialEq, Message)]
pub(super) struct SubscriptionInfo {
    /// `_deleted-topic_` once it is gone.
    #[prost(string, tag = "2")]
    pub(super) topic: String,
    #[prost(message, optional, tag = "4")]
    pub(super) push_config: Option<PushConfig>,
    #[prost(int32, tag = "5")]
    pub(super) ack_deadline_seconds: i32,
    #[prost(bool, tag = "15")]
    pub(super) detached: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PushConfig {
    #[prost(string, tag = "1")]
    pub(super) push_endpoint: String,
}

/// What became of each message, where a call that settles several was refused for some of them: ack ids and the words
/// `TRANSIENT_FAILURE_…` or `PERMANENT_FAILURE_…`
/// (<https://cloud.google.com/pubsub/docs/exactly-once-delivery#exactly-once-api>). `details` is a `google.rpc.Status`.
pub(super) fn fates(details: &[u8]) -> HashMap<String, String> {
    let Ok(status) = RpcStatus::decode(details) else { return HashMap::new() };
    let infos =
        status.details.into_iter().filter(|detail| detail.type_url.ends_with("/google.rpc.ErrorInfo"));
    let infos = infos.filter_map(|detail| ErrorInfo::decode(detail.value).ok());
    infos.flat_map(|info| info.metadata).filter(|(_, fate)| fate.contains("_FAILURE_")).collect()
}

/// `google.rpc.Status`
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

/// `google.rpc.ErrorInfo`
#[derive(Clone, PartialEq, Message)]
struct ErrorInfo {
    #[prost(map = "string, string", tag = "3")]
    metadata: HashMap<String, String>,
}
