//! Every file of `tests/fixtures/events/aws`: what those who know the shapes make of it, and what the functions do.

use std::collections::BTreeSet;

use autopgo_core::event::{Decoded, Envelope};
use autopgo_lambda::trigger::Trigger;
use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::eventbridge::EventBridgeEvent;
use aws_lambda_events::kafka::KafkaEvent;
use aws_lambda_events::lambda_function_urls::LambdaFunctionUrlRequest;
use aws_lambda_events::sqs::SqsEvent;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::rig::{World, fixture, folder, handed_back};

/// Those of the server, and the status that each is answered with where nothing was uploaded.
const SERVER: &[(&str, u64)] = &[
    ("http-upload", 201),
    ("http-upload-stage", 201),
    ("http-list-stage", 200),
    ("http-list-stage-not-in-path", 200),
    // A store in memory signs nothing.
    ("http-ticket", 501),
    ("http-ticket-base64", 501),
    ("url-upload", 201),
    ("url-download", 404),
    ("url-head", 404),
    ("url-delete", 404),
    ("url-health", 200),
];

/// Those of the worker: how many events of ours are in each, how many bodies, and the ids of what must come again.
const WORKER: &[(&str, usize, usize, &[&str])] = &[
    ("sqs-wrapped", 2, 2, &[]),
    ("sqs-wrapped-base64", 1, 1, &[]),
    ("sqs-raw", 1, 1, &[]),
    ("sqs-raw-base64", 1, 1, &[]),
    ("sqs-direct", 2, 2, &[]),
    ("sqs-fifo", 3, 3, &[]),
    ("sqs-poisoned", 9, 10, &[]),
    ("sqs-odd", 2, 2, &["059f36b4-87a3-44ab-83d2-661975800002", "059f36b4-87a3-44ab-83d2-661975800003"]),
    ("kafka-msk", 3, 3, &[]),
    ("kafka-self-managed", 3, 3, &[]),
];

const SCHEDULES: &[&str] = &["schedule-rule", "schedule-scheduler", "schedule-constant"];

/// Those that no function takes, with the word that says why.
const REFUSED: &[(&str, &str)] =
    &[("refused-s3", "it is of S3"), ("refused-sns", "subscribe a queue"), ("refused-rest", "no records")];

#[test]
fn every_file_is_in_a_table() {
    let files: BTreeSet<String> = std::fs::read_dir(folder())
        .expect("fixtures")
        .map(|file| file.expect("a file").path().file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    let mut known: BTreeSet<&str> = ["sqs-nameless"].into();
    known.extend(SERVER.iter().map(|(name, _)| *name));
    known.extend(WORKER.iter().map(|(name, ..)| *name));
    known.extend(SCHEDULES);
    known.extend(REFUSED.iter().map(|(name, _)| *name));
    assert_eq!(files.iter().map(String::as_str).collect::<BTreeSet<_>>(), known);
}

/// Reads it as the type that the platform's maker has for it, which must find no fault.
fn reads_as<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_value(fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn the_shapes_are_those_of_their_maker() {
    for (name, _) in SERVER {
        let event: ApiGatewayV2httpRequest = reads_as(name);
        assert_eq!(event.version.as_deref(), Some("2.0"), "{name}");
        assert!(event.raw_path.expect("a path").ends_with(&event.request_context.http.path.expect("a path")));
        if name.starts_with("url-") {
            let event: LambdaFunctionUrlRequest = reads_as(name);
            assert!(event.request_context.domain_name.expect("a name").contains(".lambda-url."), "{name}");
        }
    }
    for (name, _, records, _) in WORKER.iter().filter(|(name, ..)| *name != "sqs-odd") {
        if name.starts_with("sqs-") {
            let event: SqsEvent = reads_as(name);
            assert_eq!(event.records.len(), *records, "{name}");
            assert!(event.records.iter().all(|record| record.event_source.as_deref() == Some("aws:sqs")));
        } else {
            let event: KafkaEvent = reads_as(name);
            assert_eq!(event.records.values().map(Vec::len).sum::<usize>(), *records, "{name}");
        }
    }
    for name in &SCHEDULES[..2] {
        let event: EventBridgeEvent<Value> = reads_as(name);
        assert_eq!(event.detail_type, "Scheduled Event", "{name}");
    }
}

#[tokio::test]
async fn the_server_answers_each() {
    for (name, status) in SERVER {
        let answer = World::new().ask(&fixture(name)).await;
        assert_eq!(answer.status, *status, "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn the_worker_finds_the_events_in_each() {
    for (name, ours, all, again) in WORKER {
        let bodies = match Trigger::read(fixture(name)).expect(name) {
            Trigger::Queue(batch) => batch.bodies(),
            Trigger::Stream(batch) => batch.bodies().to_vec(),
            Trigger::Schedule => panic!("{name}: a schedule"),
        };
        let known = bodies.iter().filter(|body| matches!(Envelope::decode(body), Ok(Decoded::Known(_))));
        assert_eq!((known.count(), bodies.len()), (*ours, *all), "{name}: {bodies:?}");
        let answer = World::new().work(&fixture(name)).await.expect(name);
        assert_eq!(handed_back(&answer), *again, "{name}");
    }
    let error = World::new().work(&fixture("sqs-nameless")).await.expect_err("nobody knows which");
    assert!(error.starts_with("Internal: 1 of 2 messages"), "{error}");
}

#[tokio::test]
async fn schedules_sweep() {
    for name in SCHEDULES {
        let answer = World::new().work(&fixture(name)).await.expect(name);
        assert_eq!(answer["unfinished"], false, "{name}: {answer}");
    }
}

#[tokio::test]
async fn what_is_for_nobody_is_refused_by_name() {
    let world = World::new();
    for (name, says) in REFUSED {
        let error = world.work(&fixture(name)).await.expect_err(name);
        assert!(error.starts_with("Invalid: the event is none of SQS") && error.contains(says), "{error}");
        let event = fixture(name).to_string();
        let error = world.server.call_json(event.as_bytes(), crate::rig::context()).await.expect_err(name);
        assert!(error.error_message.contains("payload format 2.0 or of a Function URL"), "{error:?}");
    }
    for event in
        ["null", "7", "[]", "{}", r#"{"sweep": false}"#, r#"{"source": "aws.ec2"}"#, r#"{"Records": {}}"#]
    {
        let error = world.work(&serde_json::from_str(event).expect("JSON")).await.expect_err(event);
        assert!(error.contains("is one"), "{event}: {error}");
    }
    let error = world.worker.call_json(b"{", crate::rig::context()).await.expect_err("no JSON");
    assert!(error.error_message.starts_with("the event is no JSON: "), "{error:?}");
}
