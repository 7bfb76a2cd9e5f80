//! Whatever JSON comes, there is an answer or an error.

use autopgo_lambda::http::Function;
use autopgo_lambda::trigger::Trigger;
use axum::Router;
use lambda_runtime::LambdaEvent;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::Value;

use crate::rig::{context, fixture, folder};

/// Names that mean something somewhere, and others.
fn name() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "Records",
        "records",
        "body",
        "messageId",
        "messageAttributes",
        "attributes",
        "eventSource",
        "value",
        "base64encoded",
        "rawPath",
        "rawQueryString",
        "headers",
        "requestContext",
        "stage",
        "http",
        "method",
        "isBase64Encoded",
        "cookies",
        "sweep",
        "source",
        "detail-type",
        "host",
    ]);
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => ".{0,8}"]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop_oneof![
            Just("aws:sqs"),
            Just("aws:kafka"),
            Just("$default"),
            Just("GET"),
            Just("/api/profile"),
            Just("aGk="),
            Just("{\"TopicArn\":\"a\",\"Message\":\"b\"}"),
            Just("http://[::1]:x@y"),
            Just("Scheduled Event"),
        ]
        .prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(name(), inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A fixture in which one thing is another.
fn changed() -> impl Strategy<Value = Value> {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .expect("fixtures")
        .map(|file| file.expect("a file").path().file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    (prop::sample::select(names), any::<prop::sample::Index>(), json()).prop_map(|(name, at, other)| {
        let mut event = fixture(&name);
        let count = places(&mut event, None, &mut 0);
        places(&mut event, Some((at.index(count), &other)), &mut 0);
        event
    })
}

/// Counts the values of `event`, and puts another in the place of one of them.
fn places(event: &mut Value, change: Option<(usize, &Value)>, at: &mut usize) -> usize {
    let here = *at;
    *at += 1;
    if let Some((place, other)) = change
        && place == here
    {
        *event = other.clone();
        return *at;
    }
    let inner: Vec<&mut Value> = match event {
        Value::Array(values) => values.iter_mut().collect(),
        Value::Object(values) => values.values_mut().collect(),
        _ => Vec::new(),
    };
    for value in inner {
        places(value, change, at);
    }
    *at
}

fn is_answered(event: Value) {
    if let Ok(Trigger::Queue(batch)) = Trigger::read(event.clone()) {
        batch.bodies();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let function = Function::new(Router::new());
    let answer = runtime.block_on(function.call(LambdaEvent::new(event, context())));
    if let Ok(answer) = answer {
        let answer = serde_json::to_value(answer).expect("JSON");
        assert_eq!(answer["statusCode"], 404);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn any_json_is_answered(event in json()) {
        is_answered(event);
    }

    #[test]
    fn a_fixture_with_anything_in_it_is_answered(event in changed()) {
        is_answered(event);
    }
}
