//! How messages are called for, settled, held and handed back.

use std::time::{Duration, Instant};

use autopgo_conformance::Verdict;
use autopgo_conformance::bus::{Harness, prove};
use autopgo_conformance::proxy::{Fault, Proxy};
use autopgo_core::error::Kind;
use autopgo_core::port::bus::{Delivery, Message, Subscription};
use autopgo_pubsub::open::subscription;
use aws_sdk_sqs::types::QueueAttributeName;
use futures_util::future::join_all;

use crate::canned;
use crate::rig::{Aws, Shape, access, address, environment};

const SHORT: Duration = Duration::from_secs(2);
/// Longer than any test here waits.
const LONG: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_secs(20);

async fn publish_many(aws: &Aws, count: usize) {
    join_all((0..count).map(|n| aws.publish(format!("{n}"))))
        .await
        .into_iter()
        .collect::<Result<Vec<_>, _>>()
        .expect("published");
}

/// Receives within a time in which nothing comes back by itself.
async fn soon(subscription: &dyn Subscription, max: usize) -> Vec<Delivery> {
    let received = tokio::time::timeout(SOON, subscription.receive(max)).await;
    received.expect("something comes soon").expect("received")
}

/// Until `condition` holds.
async fn until(condition: impl Fn() -> bool) {
    let held = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, held).await.expect("it holds soon");
}

fn message(key: &str, body: &str) -> Message {
    Message { body: body.to_owned().into(), key: key.to_owned() }
}

fn bodies(batch: &[Delivery]) -> Vec<String> {
    batch.iter().map(|delivery| String::from_utf8_lossy(&delivery.body).into_owned()).collect()
}

#[tokio::test]
async fn a_large_batch_takes_a_call_for_ten_and_so_does_settling_it() {
    let Some(aws) = Aws::here(Shape::Queue, LONG) else { return };
    publish_many(&aws, 35).await;
    let proxy = Proxy::before(aws.reached().expect("a server")).await.expect("a proxy");
    let url = aws.subscription_url(proxy.address());
    let through = subscription(&url, &environment()).await.expect("a subscription");
    let batch = soon(&*through, 100).await;
    // One asks how long the queue holds, and the last of the others is not full.
    assert_eq!((batch.len(), proxy.requests()), (35, 1 + 4));
    let settled = join_all(batch.iter().map(|delivery| through.ack(delivery))).await;
    assert!(settled.iter().all(Result::is_ok), "{settled:?}");
    assert_eq!(proxy.requests(), 5 + 4);
    publish_many(&aws, 1).await;
    assert_eq!(bodies(&soon(&*through, 100).await), ["0"], "nothing else was left");
}

#[tokio::test]
async fn the_hold_is_the_queue_s_and_extending_begins_it_anew() {
    let Some(aws) = Aws::here(Shape::Queue, SHORT) else { return };
    aws.publish("1").await.expect("published");
    let (one, other) = (aws.subscription().await.expect("one"), aws.subscription().await.expect("another"));
    let batch = soon(&*one, 1).await;
    assert_eq!(one.hold(), Some(SHORT));
    // Three holds, a third of one at a time.
    let start = Instant::now();
    while start.elapsed() < SHORT * 3 {
        let extended = one.extend(&batch).await;
        assert!(extended.iter().all(Result::is_ok), "{extended:?}");
        let came = tokio::time::timeout(SHORT / 3, other.receive(1)).await;
        assert!(came.is_err(), "it came to another after {:?}", start.elapsed());
    }
    let again = soon(&*other, 1).await;
    assert_eq!(bodies(&again), ["1"]);
    other.ack(&again[0]).await.expect("acked");
    let late = one.extend(&batch).await;
    assert!(late.iter().all(|late| late.as_ref().is_err_and(|error| error.kind() == Kind::NotFound)));
}

#[tokio::test]
async fn a_hold_that_is_changed_is_found_by_the_next_check_and_never_miscounted() {
    let Some(aws) = Aws::here(Shape::Queue, LONG) else { return };
    publish_many(&aws, 1).await;
    let (one, other) = (aws.subscription().await.expect("one"), aws.subscription().await.expect("another"));
    one.check().await.expect("healthy");
    assert_eq!(one.hold(), Some(LONG));
    let (_, sqs) = aws.clients().await.expect("a client");
    let change = sqs.set_queue_attributes().queue_url(aws.queue_url().expect("a URL"));
    let change = change.attributes(QueueAttributeName::VisibilityTimeout, "1").send();
    change.await.expect("changed");
    // It counts with what it knew, and so does the queue.
    let batch = soon(&*one, 1).await;
    assert_eq!(one.hold(), Some(LONG));
    assert!(tokio::time::timeout(SHORT, other.receive(1)).await.is_err(), "it is held");
    one.ack(&batch[0]).await.expect("acked");
    one.check().await.expect("healthy");
    assert_eq!(one.hold(), Some(Duration::from_secs(1)));
}

#[tokio::test]
async fn a_message_that_is_handed_back_is_hidden_for_a_second() {
    for shape in [Shape::Queue, Shape::FifoQueue] {
        let Some(aws) = Aws::here(shape, LONG) else { return };
        aws.publish("1").await.expect("published");
        let subscription = aws.subscription().await.expect("a subscription");
        let batch = soon(&*subscription, 1).await;
        subscription.nack(&batch[0]).await.expect("handed back");
        let start = Instant::now();
        assert_eq!(bodies(&soon(&*subscription, 1).await), ["1"], "{shape:?}");
        assert!(start.elapsed() > Duration::from_millis(700), "{shape:?}: after {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_message_that_is_handed_back_lazily_waits_for_its_hold() {
    let Some(aws) = Aws::here(Shape::Queue, Duration::from_secs(4)) else { return };
    aws.publish("1").await.expect("published");
    let lazy = aws.subscription_with("&nacklazy=true").await.expect("a subscription");
    let start = Instant::now();
    let batch = soon(&*lazy, 1).await;
    lazy.nack(&batch[0]).await.expect("nothing happens");
    assert_eq!(bodies(&soon(&*lazy, 1).await), ["1"]);
    assert!(start.elapsed() > Duration::from_secs(3), "after {:?}", start.elapsed());
}

#[tokio::test]
async fn a_group_waits_for_its_first_message_and_others_do_not() {
    let Some(aws) = Aws::here(Shape::FifoQueue, LONG) else { return };
    let topic = aws.topic().await.expect("a topic");
    for (key, body) in [("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1")] {
        topic.publish(message(key, body)).await.expect("published");
    }
    let subscription = aws.subscription().await.expect("a subscription");
    let first = soon(&*subscription, 1).await;
    assert_eq!(bodies(&first), ["a1"]);
    subscription.nack(&first[0]).await.expect("handed back");
    // What is not of its group comes meanwhile, and behind it the group in its old order.
    let other = soon(&*subscription, 10).await;
    assert_eq!(bodies(&other), ["b1"]);
    assert_eq!(bodies(&soon(&*subscription, 10).await), ["a1", "a2", "a3"]);
}

#[tokio::test]
async fn what_came_behind_a_message_that_is_handed_back_may_be_done_before_it() {
    let Some(aws) = Aws::here(Shape::FifoQueue, LONG) else { return };
    for body in ["1", "2", "3", "4"] {
        aws.publish(body).await.expect("published");
    }
    let subscription = aws.subscription().await.expect("a subscription");
    let batch = soon(&*subscription, 3).await;
    assert_eq!(bodies(&batch), ["1", "2", "3"]);
    subscription.ack(&batch[1]).await.expect("acked");
    let (one, three) = (subscription.nack(&batch[0]), subscription.nack(&batch[2]));
    let (one, three) = futures_util::future::join(one, three).await;
    one.and(three).expect("handed back");
    assert_eq!(bodies(&soon(&*subscription, 10).await), ["1", "3", "4"]);
}

#[tokio::test]
async fn what_a_dropped_receive_gets_goes_back_at_once() {
    let Some(aws) = Aws::here(Shape::Queue, LONG) else { return };
    let aws = aws.waiting("20s");
    let (topic, stays) = (aws.topic().await.expect("a topic"), aws.subscription().await.expect("one"));
    let proxy = Proxy::before(aws.reached().expect("a server")).await.expect("a proxy");
    let url = aws.subscription_url(proxy.address());
    let dropped = subscription(&url, &environment()).await.expect("another");
    dropped.check().await.expect("healthy");
    {
        let mut waiting = dropped.receive(10);
        // It is on its way to the queue, and then nobody waits for it.
        while proxy.requests() < 2 {
            let came = tokio::time::timeout(Duration::from_millis(10), &mut waiting).await;
            assert!(came.is_err(), "nothing was published");
        }
    }
    topic.publish(message("checkout", "1")).await.expect("published");
    until(|| proxy.requests() >= 3).await;
    assert_eq!(bodies(&soon(&*stays, 1).await), ["1"]);
}

#[tokio::test]
async fn closing_hands_back_what_nobody_was_given() {
    let Some(aws) = Aws::here(Shape::Queue, LONG) else { return };
    publish_many(&aws, 3).await;
    let (closed, other) =
        (aws.subscription().await.expect("one"), aws.subscription().await.expect("another"));
    {
        // It calls for ten, and is dropped before they come.
        let mut waiting = closed.receive(10);
        assert!(futures_util::poll!(&mut waiting).is_pending());
    }
    // This one takes that call over, and two stay behind.
    let given = soon(&*closed, 1).await;
    closed.close().await;
    closed.close().await;
    let after = closed.receive(1).await.expect_err("closed");
    assert!(after.kind() == Kind::Unavailable && after.what().contains("closed"), "{after}");
    let mut left = Vec::new();
    while left.len() < 2 {
        left.extend(bodies(&soon(&*other, 10).await));
    }
    // What was given out is settled by whoever has it, after closing too.
    closed.nack(&given[0]).await.expect("handed back");
    left.extend(bodies(&soon(&*other, 10).await));
    left.sort_unstable();
    assert_eq!(left, ["0", "1", "2"]);
}

/// The process may end as soon as it has closed: by then no call is under way that the queue could still answer.
#[test]
fn however_long_calls_are_to_wait_closing_waits_for_theirs() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let stays = runtime().expect("a runtime");
    let Some(aws) = Aws::here(Shape::Queue, LONG) else { return };
    let aws = aws.waiting("20s");
    stays.block_on(aws.make()).expect("made");
    let proxy = stays.block_on(Proxy::before(aws.reached().expect("a server"))).expect("a proxy");
    let ends = runtime().expect("a runtime");
    ends.block_on(async {
        let url = aws.subscription_url(proxy.address());
        let closed = subscription(&url, &environment()).await.expect("a subscription");
        closed.check().await.expect("healthy");
        tokio::select! {
            came = closed.receive(10) => panic!("{came:?} came from nothing"),
            () = until(|| proxy.requests() == 2) => {}
        }
        let begun = Instant::now();
        closed.close().await;
        // The core waits for 3 s.
        assert!(begun.elapsed() < Duration::from_millis(2_900), "it took {:?}", begun.elapsed());
        std::mem::forget(closed);
    });
    ends.shutdown_background();
    stays.block_on(async {
        aws.publish("1").await.expect("published");
        let other = aws.subscription().await.expect("another");
        assert_eq!(bodies(&soon(&*other, 1).await), ["1"]);
    });
}

/// The law, with calls that are to wait for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_consumer_leaves_the_rest_to_others_at_once() -> Verdict {
    let Some(aws) = Aws::here(Shape::Queue, Duration::from_secs(2)) else { return Ok(()) };
    prove("a_closed_consumer_leaves_the_rest_to_others", &aws.waiting("20s")).await
}

/// A queue that is set to wait for long, and says at once that it has nothing.
fn has_nothing(body: &str) -> (u16, String) {
    let attributes = r#"{"Attributes":{"VisibilityTimeout":"45","ReceiveMessageWaitTimeSeconds":"20"}}"#;
    (200, if body.contains("AttributeNames\":[\"Vis") { attributes } else { "{}" }.to_owned())
}

#[tokio::test]
async fn calls_say_how_long_they_wait_and_hold_and_have_pauses_between() {
    let Some(_) = address() else { return };
    for waittime in ["", "waittime=20s&", "waittime=1s&"] {
        let (server, seen) = canned::server(has_nothing).await;
        let url = format!("awssqs://sqs.eu-west-1.amazonaws.com/1/pgo?{waittime}{}", access(server));
        let queue = subscription(&url, &environment()).await.expect("a subscription");
        let begun = Instant::now();
        tokio::select! {
            came = queue.receive(10) => panic!("{came:?} came from nothing"),
            () = until(|| seen.all().len() >= 6) => {}
        }
        assert!(begun.elapsed() >= Duration::from_secs(1), "five calls within {:?}", begun.elapsed());
        let calls: Vec<serde_json::Value> =
            seen.all().iter().skip(1).map(|body| serde_json::from_str(body).expect("JSON")).collect();
        let wait = if waittime.contains("=1s") { 1 } else { 2 };
        for call in calls {
            assert_eq!(call["WaitTimeSeconds"], wait, "{waittime}: {call}");
            assert_eq!(call["VisibilityTimeout"], 45, "{call}");
        }
    }
}

#[tokio::test]
async fn closing_ends_a_receive_that_waits() {
    let Some(aws) = Aws::here(Shape::Queue, LONG) else { return };
    let closed = aws.subscription().await.expect("a subscription");
    let (received, ()) = tokio::time::timeout(SOON, async {
        futures_util::future::join(closed.receive(1), async {
            tokio::task::yield_now().await;
            closed.close().await;
        })
        .await
    })
    .await
    .expect("both end");
    assert_eq!(received.expect_err("closed").kind(), Kind::Unavailable);
}

#[tokio::test]
async fn a_queue_that_holds_nothing_is_asked_to() {
    let Some(aws) = Aws::here(Shape::Queue, Duration::ZERO) else { return };
    aws.publish("1").await.expect("published");
    let (one, other) = (aws.subscription().await.expect("one"), aws.subscription().await.expect("another"));
    let batch = soon(&*one, 1).await;
    assert_eq!(one.hold(), Some(Duration::from_secs(30)));
    assert!(tokio::time::timeout(SHORT, other.receive(1)).await.is_err(), "it is held");
    one.ack(&batch[0]).await.expect("acked");
}

#[tokio::test]
async fn a_server_that_comes_back_is_received_from_again() {
    let Some(aws) = Aws::here(Shape::Queue, LONG) else { return };
    aws.make().await.expect("made");
    let proxy = Proxy::before(aws.reached().expect("a server")).await.expect("a proxy");
    let url = aws.subscription_url(proxy.address());
    let through = subscription(&url, &environment()).await.expect("a subscription");
    through.check().await.expect("healthy");
    proxy.always(Some(Fault::Closes));
    let error = through.receive(1).await.expect_err("nothing gets through");
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
    assert_eq!(through.check().await.expect_err("unhealthy").kind(), Kind::Unavailable);
    proxy.always(None);
    aws.publish("1").await.expect("published");
    let batch = soon(&*through, 1).await;
    proxy.next(1, Fault::LosesTheAnswer);
    through.ack(&batch[0]).await.expect("a repeated deletion is none");
    through.check().await.expect("healthy again");
}

#[tokio::test]
async fn without_credentials_it_is_denied_and_says_what_to_set() {
    let Some(address) = address() else { return };
    let url = format!("awssqs://{address}/1/q?{}", access(address)).replace("ministack", "no-such-profile");
    let queue = subscription(&url, &environment()).await.expect("opened");
    let error = queue.check().await.expect_err("no credentials");
    assert!(error.kind() == Kind::Denied && error.what().contains("AWS_ACCESS_KEY_ID"), "{}", error.chain());
}
