//! What stands in the queue after publishing: groups, deduplication, encodings; and how long publishing tries.

use std::time::{Duration, Instant};

use autopgo_conformance::bus::Harness;
use autopgo_conformance::proxy::{Fault, Proxy};
use autopgo_core::error::Kind;
use autopgo_core::port::bus::Message;
use autopgo_pubsub::open::topic;
use aws_sdk_sqs::types::{Message as Stored, MessageSystemAttributeName};

use crate::canned;
use crate::rig::{Aws, Shape, access, address, environment};

const HOLD: Duration = Duration::from_secs(10);
/// The hash of `{}`.
const HASH: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// What the queue has, by the server's own client.
async fn stored(aws: &Aws) -> Vec<Stored> {
    let (_, sqs) = aws.clients().await.expect("a client");
    let receive = sqs.receive_message().queue_url(aws.queue_url().expect("a URL")).max_number_of_messages(10);
    let receive = receive.message_attribute_names("All").wait_time_seconds(2);
    let all = MessageSystemAttributeName::All;
    let received = receive.message_system_attribute_names(all).send().await.expect("received");
    received.messages.unwrap_or_default()
}

fn attribute<'a>(message: &'a Stored, name: &MessageSystemAttributeName) -> Option<&'a str> {
    message.attributes()?.get(name).map(String::as_str)
}

#[tokio::test]
async fn the_application_is_the_group_and_the_hash_tells_repetitions() {
    use MessageSystemAttributeName::{MessageDeduplicationId, MessageGroupId};
    for (shape, group, hash) in [
        (Shape::Queue, None, None),
        (Shape::FifoQueue, Some("checkout"), Some(HASH)),
        // A standard topic hands the group on: queues that are fair use it.
        (Shape::Wrapped, Some("checkout"), None),
        (Shape::FifoTopic, Some("checkout"), Some(HASH)),
    ] {
        let Some(aws) = Aws::here(shape, HOLD) else { return };
        aws.publish("{}").await.expect("published");
        let messages = stored(&aws).await;
        assert_eq!(messages.len(), 1, "{shape:?}");
        let has = |name| attribute(&messages[0], name);
        assert_eq!((has(&MessageGroupId), has(&MessageDeduplicationId)), (group, hash), "{shape:?}");
    }
}

#[tokio::test]
async fn what_is_sent_twice_arrives_once_where_the_target_is_fifo() {
    for (shape, arrive) in
        [(Shape::FifoQueue, 1), (Shape::FifoTopic, 1), (Shape::Queue, 2), (Shape::Wrapped, 2)]
    {
        let Some(aws) = Aws::here(shape, HOLD) else { return };
        aws.publish("{}").await.expect("published");
        aws.publish("{}").await.expect("published again");
        assert_eq!(stored(&aws).await.len(), arrive, "{shape:?}");
    }
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_message_where_the_target_is_fifo() {
    let Some(aws) = Aws::here(Shape::FifoQueue, HOLD) else { return };
    aws.make().await.expect("made");
    let proxy = Proxy::before(aws.reached().expect("a server")).await.expect("a proxy");
    let through = topic(&aws.topic_url(proxy.address()), &environment()).await.expect("a topic");
    proxy.next(1, Fault::LosesTheAnswer);
    through.publish(Message { body: "{}".into(), key: "app".to_owned() }).await.expect("tried again");
    assert_eq!((proxy.requests(), stored(&aws).await.len()), (2, 1));
}

#[tokio::test]
async fn bytes_that_are_no_text_go_through_every_shape() {
    let bytes: Vec<u8> = (0..=255).collect();
    for shape in [Shape::Queue, Shape::FifoQueue, Shape::Wrapped, Shape::Raw, Shape::FifoTopic] {
        let Some(aws) = Aws::here(shape, HOLD) else { return };
        aws.publish(bytes.clone()).await.expect("published");
        let subscription = aws.subscription().await.expect("a subscription");
        let batch = subscription.receive(1).await.expect("received");
        assert_eq!(batch[0].body, bytes, "{shape:?}");
    }
}

#[tokio::test]
async fn a_short_fault_is_ridden_out_and_a_long_one_ends_in_two_seconds() {
    for shape in [Shape::Queue, Shape::Wrapped] {
        let Some(aws) = Aws::here(shape, HOLD) else { return };
        aws.make().await.expect("made");
        let proxy = Proxy::before(aws.reached().expect("a server")).await.expect("a proxy");
        let through = topic(&aws.topic_url(proxy.address()), &environment()).await.expect("a topic");
        let publish = || through.publish(Message { body: "{}".into(), key: "app".to_owned() });
        proxy.next(1, Fault::Answers(503));
        publish().await.expect("published in spite of it");
        for fault in [Fault::Answers(503), Fault::Closes, Fault::IsSilent] {
            proxy.always(Some(fault));
            let start = Instant::now();
            let error = publish().await.expect_err("nothing gets through");
            assert_eq!(error.kind(), Kind::Unavailable, "{fault:?}: {}", error.chain());
            assert!(start.elapsed() < Duration::from_secs(2), "{fault:?}: {:?}", start.elapsed());
        }
        proxy.always(None);
        publish().await.expect("published again");
    }
}

#[tokio::test]
async fn what_is_too_large_says_so() {
    for (shape, size) in [(Shape::Queue, (1 << 20) + 1), (Shape::Wrapped, (256 << 10) + 1)] {
        let Some(aws) = Aws::here(shape, HOLD) else { return };
        let error = aws.publish("x".repeat(size)).await.expect_err("too large");
        assert_eq!(error.kind(), Kind::TooLarge, "{shape:?}: {}", error.chain());
    }
}

/// SNS of before 2025, as its answers stand in bug reports.
fn refuses_groups(body: &str) -> (u16, String) {
    if body.contains("MessageGroupId") {
        let message = "Invalid parameter: MessageGroupId Reason: The request includes MessageGroupId parameter that is \
                       not valid for this topic type";
        let error = format!(
            "<Error><Type>Sender</Type><Code>InvalidParameter</Code><Message>{message}</Message></Error>"
        );
        return (400, format!("<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>"));
    }
    let result = "<PublishResult><MessageId>1</MessageId></PublishResult>";
    (200, format!("<PublishResponse>{result}</PublishResponse>"))
}

#[tokio::test]
async fn a_standard_topic_that_refuses_the_group_is_asked_without_from_then_on() {
    let Some(_) = address() else { return };
    let (server, seen) = canned::server(refuses_groups).await;
    let url = format!("awssns:///arn:aws:sns:us-east-1:1:pgo?{}", access(server));
    let old = topic(&url, &environment()).await.expect("a topic");
    for _ in 0..2 {
        old.publish(Message { body: "{}".into(), key: "checkout".to_owned() }).await.expect("published");
    }
    let grouped: Vec<bool> = seen.all().iter().map(|body| body.contains("MessageGroupId=checkout")).collect();
    assert_eq!(grouped, [true, false, false]);
    // A FIFO topic cannot do without.
    let url = format!("awssns:///arn:aws:sns:us-east-1:1:pgo.fifo?{}", access(server));
    let fifo = topic(&url, &environment()).await.expect("a topic");
    let error = fifo.publish(Message { body: "{}".into(), key: "checkout".to_owned() }).await;
    let error = error.expect_err("refused");
    assert!(error.kind() == Kind::Invalid && error.what().contains("MessageGroupId"), "{error}");
}

/// Denies everything, as SNS and SQS do whom they know and who may not.
fn denies(code: &'static str) -> impl Fn(&str) -> (u16, String) {
    move |body| match body.starts_with('{') {
        true => (403, format!(r#"{{"__type":"com.amazonaws.sqs#{code}","message":"no"}}"#)),
        false => (
            403,
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
            ),
        ),
    }
}

#[tokio::test]
async fn whoever_may_publish_and_not_look_is_healthy_and_a_stranger_is_not() {
    let Some(_) = address() else { return };
    for (code, healthy) in [
        ("AuthorizationError", true),
        ("AccessDenied", true),
        ("AccessDeniedException", true),
        ("InvalidClientTokenId", false),
        ("SignatureDoesNotMatch", false),
    ] {
        let (server, _) = canned::server(denies(code)).await;
        for url in ["awssns:///arn:aws:sns:us-east-1:1:pgo", "awssqs://sqs.us-east-1.amazonaws.com/1/pgo"] {
            let topic = topic(&format!("{url}?{}", access(server)), &environment()).await.expect("a topic");
            match topic.check().await {
                Ok(()) => assert!(healthy, "{url} {code}"),
                Err(error) => assert!(!healthy && error.kind() == Kind::Denied, "{url} {code}: {error}"),
            }
        }
    }
}

/// An SQS that answers a message that it was sent.
fn takes_all(_: &str) -> (u16, String) {
    (200, r#"{"MessageId":"1","MD5OfMessageBody":"99914b932bd37a50b983c5e7c90ae93b"}"#.to_owned())
}

#[tokio::test]
async fn a_queue_s_url_is_https_whatever_the_endpoint_is() {
    let Some(_) = address() else { return };
    let (server, seen) = canned::server(takes_all).await;
    let url = format!("awssqs://sqs.eu-west-1.amazonaws.com/1/pgo?{}", access(server));
    let queue = topic(&url, &environment()).await.expect("a topic");
    queue.publish(Message { body: "{}".into(), key: "checkout".to_owned() }).await.expect("published");
    let sent: serde_json::Value = serde_json::from_str(&seen.all()[0]).expect("JSON");
    let expected = serde_json::json!({
        "QueueUrl": "https://sqs.eu-west-1.amazonaws.com/1/pgo",
        "MessageBody": "{}",
    });
    assert_eq!(sent, expected, "what the original sends, and no group");
}
