//! What is refused, by whom, and what that means: a server that answers as the service does to whoever may not do
//! everything.

use std::time::{Duration, Instant};

use autopgo_core::error::Kind;
use autopgo_core::port::bus::Message;
use tonic::Code;

use crate::canned::{Answer, Canned};
use crate::wire::SUBSCRIPTION;

/// `Subscription` that pushes, one that was detached, and one whose topic is gone.
const PUSHES: &str = "0a2270726f6a656374732f61636d652f737562736372697074696f6e732f776f726b6572121870726f6a656374732f61636d652f746f706963732f70676f220b0a0968747470733a2f2f61282d";
const DETACHED: &str = "0a2270726f6a656374732f61636d652f737562736372697074696f6e732f776f726b6572121870726f6a656374732f61636d652f746f706963732f70676f282d7801";
const ORPHAN: &str = "0a2270726f6a656374732f61636d652f737562736372697074696f6e732f776f726b6572120f5f64656c657465642d746f7069635f282d";

/// What the core waits for.
const GIVES_UP: Duration = Duration::from_secs(2);

fn message(body: &str) -> Message {
    Message { body: body.to_owned().into(), key: "checkout".to_owned() }
}

#[tokio::test]
async fn each_refusal_of_a_message_is_told_apart_in_time() {
    for (code, kind, tries, says) in [
        (Code::NotFound, Kind::NotFound, 1, "there is no such topic"),
        (Code::PermissionDenied, Kind::Denied, 1, "roles/pubsub.publisher"),
        (Code::Unauthenticated, Kind::Denied, 1, "credentials were refused"),
        (Code::InvalidArgument, Kind::Invalid, 1, "refused the request"),
        (Code::ResourceExhausted, Kind::Unavailable, 4, "quota"),
        (Code::Unavailable, Kind::Unavailable, 4, "cannot answer now"),
    ] {
        let canned = Canned::new(move |_, _| Answer::Error(code, "")).await;
        let topic = canned.topic().await;
        let start = Instant::now();
        let error = topic.publish(message("1")).await.expect_err("refused");
        assert!(start.elapsed() < GIVES_UP, "{code:?}: {:?}", start.elapsed());
        assert_eq!(error.kind(), kind, "{code:?}: {error}");
        let words = error.what();
        assert!(words.contains(says) && words.contains("projects/acme/topics/pgo"), "{code:?}: {error}");
        assert!(words.contains("canned"), "the service's own words are told: {error}");
        let asked = canned.asked("Publish").len();
        // Waits are random; the bound may come before the last.
        assert!(asked == tries || (tries > 1 && asked > 1), "{code:?}: {asked} tries");
    }
}

#[tokio::test]
async fn a_silent_service_is_given_up_in_time() {
    let canned = Canned::new(|_, _| Answer::Silence).await;
    let start = Instant::now();
    let error = canned.topic().await.publish(message("1")).await.expect_err("nobody answers");
    assert!(start.elapsed() < GIVES_UP, "{:?}", start.elapsed());
    assert!(error.kind() == Kind::Unavailable && error.what().contains("did not answer in time"), "{error}");
}

/// As one is whose other end is gone without a word.
#[tokio::test]
async fn a_silent_connection_is_not_used_again() {
    let canned = Canned::new(|asked, _| match asked.connection {
        0 => Answer::Silence,
        _ => Answer::Message("0a026d31"),
    })
    .await;
    let topic = canned.topic().await;
    topic.publish(message("1")).await.expect("published by another connection");
    topic.publish(message("2")).await.expect("published");
    let connections: Vec<usize> = canned.asked("Publish").iter().map(|asked| asked.connection).collect();
    assert_eq!(connections, [0, 1, 1]);
}

/// Google's own client would refuse the key until it is told to go on.
#[tokio::test]
async fn a_key_goes_on_after_a_message_that_failed() {
    let canned = Canned::new(|_, before| match before {
        1 => Answer::Error(Code::PermissionDenied, ""),
        _ => Answer::Message("0a026d31"),
    })
    .await;
    let topic = canned.topic().await;
    topic.publish(message("1")).await.expect("published");
    topic.publish(message("2")).await.expect_err("refused");
    topic.publish(message("3")).await.expect("published");
    topic.publish(message("4")).await.expect("published");
    assert_eq!(canned.asked("Publish").len(), 4);
}

#[tokio::test]
async fn a_passing_refusal_of_a_message_is_not_noticed() {
    let canned = Canned::new(|_, before| match before {
        0 => Answer::Error(Code::Unavailable, ""),
        _ => Answer::Message("0a026d31"),
    })
    .await;
    canned.topic().await.publish(message("1")).await.expect("published");
    assert_eq!(canned.asked("Publish").len(), 2);
}

#[tokio::test]
async fn a_publisher_is_healthy_though_it_may_not_look() {
    for (publish, healthy) in [
        (Code::InvalidArgument, None),
        (Code::PermissionDenied, Some(Kind::Denied)),
        (Code::NotFound, Some(Kind::NotFound)),
    ] {
        let canned = Canned::new(move |asked, _| match asked.method.as_str() {
            "GetTopic" => Answer::Error(Code::PermissionDenied, ""),
            _ => Answer::Error(publish, ""),
        })
        .await;
        let checked = canned.topic().await.check().await;
        assert_eq!(checked.err().map(|error| error.kind()), healthy, "{publish:?}");
        let asked = canned.asked("Publish");
        // The topic's name, and no message.
        assert_eq!(asked[0].message, "0a1870726f6a656374732f61636d652f746f706963732f70676f");
    }
    let missing = Canned::new(|_, _| Answer::Error(Code::NotFound, "")).await;
    let error = missing.topic().await.check().await.expect_err("there is none");
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(missing.asked("Publish").is_empty(), "nothing is tried on a topic that is not there");
}

#[tokio::test]
async fn a_subscriber_that_may_not_look_holds_for_the_least() {
    for (knock, healthy) in [
        (Answer::Error(Code::InvalidArgument, ""), None),
        (Answer::Message(""), None),
        (Answer::Error(Code::PermissionDenied, ""), Some(Kind::Denied)),
    ] {
        let knock = match knock {
            Answer::Error(code, _) => Some(code),
            _ => None,
        };
        let canned = Canned::new(move |asked, _| match (asked.method.as_str(), knock) {
            ("GetSubscription", _) => Answer::Error(Code::PermissionDenied, ""),
            // One message, `1`.
            ("Pull", _) => Answer::Message("0a0c0a0561636b2d3112030a0131"),
            (_, Some(code)) => Answer::Error(code, ""),
            (_, None) => Answer::Message(""),
        })
        .await;
        let reader = canned.subscription("").await;
        let checked = reader.check().await;
        assert_eq!(checked.err().map(|error| error.kind()), healthy, "{knock:?}");
        let batch = reader.receive(1).await.expect("received");
        assert_eq!(&batch[0].body[..], b"1");
        assert_eq!(reader.hold(), Some(Duration::from_secs(10)));
        // It is not asked again and again.
        reader.receive(1).await.expect("received");
        assert_eq!(canned.asked("GetSubscription").len(), 2);
    }
}

#[tokio::test]
async fn a_subscription_that_never_gives_anything_is_not_healthy() {
    for (looks, kind, says) in [
        (PUSHES, Kind::Invalid, "it pushes its messages"),
        (DETACHED, Kind::NotFound, "its topic is gone"),
        (ORPHAN, Kind::NotFound, "its topic is gone"),
    ] {
        let canned = Canned::new(move |_, _| Answer::Message(looks)).await;
        let error = canned.subscription("").await.check().await.expect_err("of no use");
        assert!(error.kind() == kind && error.what().contains(says), "{error}");
    }
    let canned = Canned::new(|_, _| Answer::Message(SUBSCRIPTION)).await;
    canned.subscription("").await.check().await.expect("healthy");
}

#[tokio::test]
async fn receiving_says_why_it_cannot() {
    for (method, code, kind) in [
        ("GetSubscription", Code::NotFound, Kind::NotFound),
        ("Pull", Code::PermissionDenied, Kind::Denied),
        ("Pull", Code::FailedPrecondition, Kind::Invalid),
        ("Pull", Code::Unavailable, Kind::Unavailable),
    ] {
        let canned = Canned::new(move |asked, _| match asked.method == method {
            true => Answer::Error(code, ""),
            false => Answer::Message(SUBSCRIPTION),
        })
        .await;
        let error = canned.subscription("").await.receive(1).await.expect_err("refused");
        assert_eq!(error.kind(), kind, "{method} {code:?}: {error}");
        assert!(error.what().contains("projects/acme/subscriptions/worker"), "{error}");
    }
}
