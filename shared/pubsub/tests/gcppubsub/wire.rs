//! What goes over the wire: the bytes here were made by Go's own `pubsubpb`, from messages as the original has them.

use std::time::Duration;

use autopgo_core::error::Kind;
use autopgo_core::port::bus::{Delivery, Message, Subscription};
use futures_util::future::join_all;
use tonic::Code;

use crate::canned::{Answer, Canned};

const SOON: Duration = Duration::from_secs(20);

const BODY: &str = r#"{"type":"profile.uploaded"}"#;
/// `PublishRequest` with one message, its data and its ordering key.
const PUBLISH: &str = "0a1870726f6a656374732f61636d652f746f706963732f70676f122a0a1b7b2274797065223a2270726f66696c652e75706c6f61646564227d2a0b68656c6c6f2d776f726c64";
/// `PullRequest` for seven.
const PULL: &str = "0a2270726f6a656374732f61636d652f737562736372697074696f6e732f776f726b65721807";
/// `PullResponse` with a message that has everything, one with attributes alone and one that is not there.
const PULLED: &str = "0a4f0a0561636b2d3112440a1b7b2274797065223a2270726f66696c652e75706c6f61646564227d12060a01611201311a026d31220c08abb6fbb80610c0f7a594012a0b68656c6c6f2d776f726c6418030a210a0561636b2d32121812120a046f6e6c79120a617474726962757465731a026d320a070a0561636b2d33";
/// `Subscription` that holds for 45 s, with fields that are of no interest.
pub(crate) const SUBSCRIPTION: &str = "0a2270726f6a656374732f61636d652f737562736372697074696f6e732f776f726b6572121870726f6a656374732f61636d652f746f706963732f70676f2200282d5001980101";
/// `AcknowledgeRequest` and `ModifyAckDeadlineRequest` for `ack-1`, the latter for 45 s.
const ACK: &str = "0a2270726f6a656374732f61636d652f737562736372697074696f6e732f776f726b6572120561636b2d31";
const EXTEND: &str =
    "0a2270726f6a656374732f61636d652f737562736372697074696f6e732f776f726b6572182d220561636b2d31";
/// The latter for 0 s, which Go leaves out.
const HAND_BACK: &str =
    "0a2270726f6a656374732f61636d652f737562736372697074696f6e732f776f726b6572220561636b2d31";
/// `google.rpc.Status` that says: `ack-1` may be tried again, `ack-2` is lost.
const FATES: &str = "08091204736f6d651a93010a28747970652e676f6f676c65617069732e636f6d2f676f6f676c652e7270632e4572726f72496e666f12670a015212157075627375622e676f6f676c65617069732e636f6d1a200a0561636b2d3112175452414e5349454e545f4641494c5552455f4f544845521a290a0561636b2d3212205045524d414e454e545f4641494c5552455f494e56414c49445f41434b5f4944";

/// A subscription that gives its messages once.
async fn subscription() -> Canned {
    Canned::new(|asked, before| match (asked.method.as_str(), before) {
        ("GetSubscription", _) => Answer::Message(SUBSCRIPTION),
        ("Pull", 0) => Answer::Message(PULLED),
        ("Pull", _) => Answer::Silence,
        _ => Answer::Message(""),
    })
    .await
}

async fn soon(subscription: &dyn Subscription, max: usize) -> Vec<Delivery> {
    tokio::time::timeout(SOON, subscription.receive(max)).await.expect("in time").expect("received")
}

fn messages(canned: &Canned, method: &str) -> Vec<String> {
    canned.asked(method).into_iter().map(|asked| asked.message).collect()
}

#[tokio::test]
async fn a_message_goes_out_as_the_original_sends_it() {
    let canned = Canned::new(|_, _| Answer::Message("0a026d31")).await;
    let message = Message { body: BODY.into(), key: "hello-world".to_owned() };
    canned.topic().await.publish(message).await.expect("published");
    let asked = canned.asked("Publish");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].path, "/google.pubsub.v1.Publisher/Publish");
    assert_eq!(asked[0].message, PUBLISH);
    let header = |name| asked[0].headers.get(name).map(|value| value.to_str().expect("text"));
    assert_eq!(header("x-goog-request-params"), Some("topic=projects%2Facme%2Ftopics%2Fpgo"));
    assert!(header("user-agent").is_some_and(|agent| agent.starts_with("autopgo/")));
    assert!(header("grpc-timeout").is_some(), "the service knows how long is waited");
    assert_eq!(header("authorization"), None, "an emulator is told no secrets");
}

#[tokio::test]
async fn messages_come_as_google_gives_them() {
    let canned = subscription().await;
    let reader = canned.subscription("").await;
    let batch = soon(&*reader, 7).await;
    let came: Vec<(&[u8], &str)> =
        batch.iter().map(|delivery| (&delivery.body[..], delivery.receipt.as_str())).collect();
    assert_eq!(came, [(BODY.as_bytes(), "ack-1"), (b"", "ack-2"), (b"", "ack-3")]);
    assert_eq!(messages(&canned, "Pull"), [PULL]);
    let asked = canned.asked("Pull");
    let place = asked[0].headers.get("x-goog-request-params").expect("a place");
    assert_eq!(place, "subscription=projects%2Facme%2Fsubscriptions%2Fworker");

    assert_eq!(reader.hold(), Some(Duration::from_secs(45)));
    assert!(reader.extend(&batch[..1]).await[0].is_ok());
    reader.nack(&batch[0]).await.expect("handed back");
    reader.ack(&batch[0]).await.expect("acked");
    assert_eq!(messages(&canned, "ModifyAckDeadline"), [EXTEND, HAND_BACK]);
    assert_eq!(messages(&canned, "Acknowledge"), [ACK]);
}

#[tokio::test]
async fn a_batch_is_bounded_and_settled_in_one_call() {
    let canned = subscription().await;
    let reader = canned.subscription("max_recv_batch_size=7").await;
    let batch = soon(&*reader, 100).await;
    assert_eq!(messages(&canned, "Pull"), [PULL]);
    let settled = join_all(batch.iter().map(|delivery| reader.ack(delivery))).await;
    assert!(settled.iter().all(Result::is_ok), "{settled:?}");
    assert!(reader.extend(&batch).await.iter().all(Result::is_ok));
    assert_eq!((canned.asked("Acknowledge").len(), canned.asked("ModifyAckDeadline").len()), (1, 1));
}

#[tokio::test]
async fn a_lazy_nack_says_nothing() {
    let canned = subscription().await;
    let reader = canned.subscription("nacklazy=true").await;
    let batch = soon(&*reader, 7).await;
    reader.nack(&batch[0]).await.expect("left alone");
    reader.ack(&batch[1]).await.expect("acked");
    assert!(canned.asked("ModifyAckDeadline").is_empty());
}

#[tokio::test]
async fn what_was_fetched_for_nobody_is_handed_back() {
    let canned = subscription().await;
    let reader = canned.subscription("nacklazy=true").await;
    // All three were asked for, and the one who takes over wants one.
    let mut early = reader.receive(7);
    assert!(futures_util::poll!(&mut early).is_pending());
    drop(early);
    let one = soon(&*reader, 1).await;
    assert_eq!(one[0].receipt, "ack-1");
    reader.close().await;
    let back = messages(&canned, "ModifyAckDeadline");
    assert_eq!(back.len(), 1, "{back:?}");
    // `ack-2` and `ack-3`, and no seconds.
    assert!(back[0].ends_with("220561636b2d32220561636b2d33"), "{back:?}");
    let error = reader.receive(1).await.expect_err("closed");
    assert!(error.what().contains("it is closed"), "{error}");
}

/// On a subscription with exactly-once delivery.
#[tokio::test]
async fn what_became_of_each_message_is_told() {
    let canned = Canned::new(|asked, before| match (asked.method.as_str(), before) {
        ("GetSubscription", _) => Answer::Message(SUBSCRIPTION),
        ("Pull", 0) => Answer::Message(PULLED),
        ("Acknowledge" | "ModifyAckDeadline", 0) => Answer::Error(Code::FailedPrecondition, FATES),
        _ => Answer::Message(""),
    })
    .await;
    let reader = canned.subscription("").await;
    let batch = soon(&*reader, 7).await;
    let extended = reader.extend(&batch).await;
    let kinds: Vec<Option<Kind>> =
        extended.iter().map(|one| one.as_ref().err().map(autopgo_core::error::Error::kind)).collect();
    assert_eq!(kinds, [None, Some(Kind::NotFound), None]);
    let settled = join_all(batch.iter().map(|delivery| reader.ack(delivery))).await;
    assert!(settled.iter().all(Result::is_ok), "a late ack is no error: {settled:?}");
    // Again is tried what may pass, and that alone.
    let (acks, extensions) = (messages(&canned, "Acknowledge"), messages(&canned, "ModifyAckDeadline"));
    assert_eq!((acks.len(), acks[1].as_str()), (2, ACK));
    assert_eq!((extensions.len(), extensions[1].as_str()), (2, EXTEND));
}

#[tokio::test]
async fn an_ack_that_is_not_confirmed_is_an_error() {
    let canned = Canned::new(|asked, _| match asked.method.as_str() {
        "GetSubscription" => Answer::Message(SUBSCRIPTION),
        "Pull" => Answer::Message(PULLED),
        "Acknowledge" => Answer::Error(Code::FailedPrecondition, FATES),
        _ => Answer::Error(Code::PermissionDenied, ""),
    })
    .await;
    let reader = canned.subscription("").await;
    let batch = soon(&*reader, 7).await;
    let error = reader.ack(&batch[0]).await.expect_err("never confirmed");
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    let error = reader.nack(&batch[0]).await.expect_err("not allowed");
    assert_eq!(error.kind(), Kind::Denied, "{error}");
}

#[tokio::test]
async fn one_that_is_not_known_any_more_takes_no_other_with_it() {
    let lost = "61636b2d32";
    let canned = Canned::new(move |asked, before| match (asked.method.as_str(), before) {
        ("GetSubscription", _) => Answer::Message(SUBSCRIPTION),
        ("Pull", 0) => Answer::Message(PULLED),
        _ if asked.message.contains(lost) => Answer::Error(Code::InvalidArgument, ""),
        _ => Answer::Message(""),
    })
    .await;
    let reader = canned.subscription("").await;
    let batch = soon(&*reader, 7).await;
    let extended = reader.extend(&batch).await;
    let kept: Vec<bool> = extended.iter().map(Result::is_ok).collect();
    assert_eq!(kept, [true, false, true]);
    let settled = join_all(batch.iter().map(|delivery| reader.ack(delivery))).await;
    assert!(settled.iter().all(Result::is_ok), "{settled:?}");
}
