//! What is wrong in a URL, refused by name. No server is asked.

use autopgo_core::error::{Error, Kind};
use autopgo_pubsub::open::{subscription, topic};

use crate::rig::environment;

fn refused<T>(url: &str, opened: Result<T, Error>, says: &str) {
    let error = opened.err().unwrap_or_else(|| panic!("{url} was opened"));
    assert!(error.kind() == Kind::Invalid && error.what().contains(says), "{url}: {error}");
}

#[tokio::test]
async fn topics() {
    let environment = environment();
    for (url, says) in [
        ("awssns://", "names no topic; write awssns:///arn:aws:sns:REGION:ACCOUNT:TOPIC"),
        ("awssns:///pgo?region=x", "names no topic"),
        ("awssns:///arn:aws:sqs:eu-west-1:1:pgo?region=x", "names no topic"),
        ("awssns:///arn:aws:sns:eu-west-1:1:pgo?region=x&raw=true", "unknown parameter \"raw\""),
        ("awssns:///arn:aws:sns:eu-west-1:1:pgo?region=x&ssetype=AES256", "unknown parameter \"ssetype\""),
        ("awssns:///arn:aws:sns:eu-west-1:1:pgo?awssdk=v1", "Go's SDK v1"),
        ("awssns:///arn:aws:sns:eu-west-1:1:pgo?disableSSL=1", "write endpoint=http://HOST"),
        ("awssns:///arn:aws:sns:eu-west-1:1:pgo?region=", "parameter region is empty"),
        ("awssqs://", "names no queue; write awssqs://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE"),
        ("awssqs://sqs.eu-west-1.amazonaws.com", "names no queue"),
        ("awssqs://h/1/q?region=x&raw=true", "unknown parameter \"raw\""),
        ("awssqs://h/1/q?region=x&nacklazy=true", "unknown parameter \"nacklazy\""),
        ("awssqs://h/1/q?region=x&waittime=20s", "unknown parameter \"waittime\""),
        ("awssqs://h/1/q?region=x&s3_force_path_style=1", "is of Go's SDK v1; leave it out"),
        ("awssqs://h/1/q?region=x&endpoint=h:4566", "write endpoint=https://h:4566"),
        ("awssqs://me:secret@h/1/q?region=x", "carries credentials"),
    ] {
        refused(url, topic(url, &environment).await, says);
    }
}

#[tokio::test]
async fn subscriptions() {
    let environment = environment();
    for (url, says) in [
        ("awssns:///arn:aws:sns:eu-west-1:1:pgo?region=x", "awssns:// is a topic only"),
        ("awssqs:///1/q?region=x", "names no queue"),
        ("awssqs://h/1/q?region=x&waittime=20", "waittime: missing unit"),
        ("awssqs://h/1/q?region=x&waittime=1m", "the 20s that a queue waits"),
        ("awssqs://h/1/q?region=x&raw=", "parameter raw is \"\""),
        ("awssqs://h/1/q?region=x&use_path_style=true", "unknown parameter \"use_path_style\""),
        ("awssqs://h/1/q?region=x&accelerate=true&queue=q", "unknown parameters \"accelerate\", \"queue\""),
        ("awssqs://h/1/q?awssdk=V1", "Go's SDK v1"),
    ] {
        refused(url, subscription(url, &environment).await, says);
    }
}

#[tokio::test]
async fn good_ones_are_opened() {
    let environment = environment();
    let more = "region=x&awssdk=v2&dualstack=true&fips=true&hostname_immutable=true&rate_limiter_capacity=9";
    for url in [
        format!("awssns:///arn:aws:sns:eu-west-1:123456789012:pgo.fifo?{more}"),
        format!("pubsub+awssns:///arn:aws-cn:sns:cn-north-1:123456789012:pgo?{more}"),
        format!("pubsub+topic+awssqs://sqs.eu-west-1.amazonaws.com/123456789012/pgo?{more}"),
    ] {
        topic(&url, &environment).await.map(drop).expect(&url);
    }
    let more = format!("{more}&raw=true&nacklazy=f&waittime=20s&waittime=1m");
    let url =
        format!("pubsub+subscription+awssqs://sqs.eu-west-1.amazonaws.com/123456789012/pgo.fifo?{more}");
    subscription(&url, &environment).await.map(drop).expect(&url);
}
