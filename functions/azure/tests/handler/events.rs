//! Every shape among the fixtures.

use autopgo_azure::trigger;
use autopgo_core::event::{Decoded, Envelope};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::world::{World, fixtures};

/// The body that a fixture names.
fn body(told: &Value) -> Vec<u8> {
    match told {
        Value::String(text) => text.clone().into_bytes(),
        other => STANDARD.decode(other["base64"].as_str().expect("base64")).expect("base64"),
    }
}

/// What a body is: the type of an event of ours, `unknown` for one that is not, nothing for what is no event.
fn event(body: &[u8]) -> Value {
    match Envelope::decode(body) {
        Ok(Decoded::Known(envelope)) => envelope.event.name().into(),
        Ok(Decoded::Unknown { .. }) => "unknown".into(),
        Err(_) => Value::Null,
    }
}

#[test]
fn every_message_is_taken_out_of_its_wrappings() {
    for (name, fixture) in fixtures("message-") {
        let bodies = trigger::decode(fixture["payload"].to_string().as_bytes());
        let expected = fixture["bodies"].as_array().expect("bodies");
        assert_eq!(bodies.len(), expected.len(), "{name}: {bodies:?}");
        for (got, expected) in bodies.iter().zip(expected.iter().map(body)) {
            // What a host has read as JSON has lost the order of its fields.
            let alike = got[..] == expected[..]
                || serde_json::from_slice::<Value>(got)
                    .is_ok_and(|got| json!(got) == serde_json::from_slice::<Value>(&expected).expect("JSON"));
            assert!(alike, "{name}: {got:?} is not {expected:?}");
        }
        let events: Vec<Value> = bodies.iter().map(|body| event(body)).collect();
        assert_eq!(json!(events), fixture["events"], "{name}");
    }
}

#[tokio::test]
async fn no_message_is_too_strange_for_a_success() {
    let world = World::new();
    for (name, fixture) in fixtures("message-") {
        let answer = world.call("worker", fixture["payload"].to_string()).await;
        println!("{name}");
        answer.succeeds();
    }
    for strange in ["", "null", "[]", "{", "\"text\"", "7", "\u{0}"] {
        world.call("worker", strange).await.succeeds();
    }
}

#[tokio::test]
async fn every_tick_sweeps() {
    let world = World::new();
    for (index, (name, fixture)) in fixtures("timer-").into_iter().enumerate() {
        world.upload("checkout").await;
        let answer = world.call("sweep", fixture["payload"].to_string()).await;
        answer.succeeds();
        assert_eq!(answer.json()["Logs"], json!(["merged 1, set aside 0, aged out 0, failed 0"]), "{name}");
        let keys = world.keys().await;
        assert_eq!(keys, ["checkout/default.pgo"], "{name}, number {index}");
    }
}

#[tokio::test]
async fn every_request_is_answered_in_the_hosts_form() {
    for (name, fixture) in fixtures("http-") {
        let world = World::new();
        let answer = world.call("server", fixture["payload"].to_string()).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {answer:?}");
        let given = &answer.json()["Outputs"]["res"];
        assert_eq!(given["statusCode"], fixture["status"], "{name}: {given}");
        assert_eq!(given["headers"]["content-type"], "application/json", "{name}: {given}");
        let body = given["body"].as_str().expect("text");
        match fixture.get("body") {
            Some(expected) => assert_eq!(body, expected, "{name}"),
            None if fixture["status"] == 201 => assert!(body.contains("checkout/staging/"), "{name}: {body}"),
            None => {
                let failure: Value = serde_json::from_str(body).expect("JSON");
                assert_eq!(failure["code"], fixture["status"], "{name}: {failure}");
            }
        }
    }
}

/// JSON that is nested in all the ways that are unwrapped.
fn wrapped() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(Value::Null),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| STANDARD.encode(bytes).into()),
        Just(json!({"type": "profile.uploaded"})),
    ];
    leaf.prop_recursive(12, 60, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|value| value.to_string().into()),
            inner.clone().prop_map(|value| STANDARD.encode(value.to_string()).into()),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            inner.prop_map(|value| json!({"Data": {"msg": value}})),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_decoded(bytes: Vec<u8>) {
        trigger::decode(&bytes);
    }

    #[test]
    fn any_wrapping_is_decoded_and_grows_no_larger(value in wrapped()) {
        let payload = json!({"Data": {"msg": value}}).to_string();
        let bodies = trigger::decode(payload.as_bytes());
        prop_assert!(bodies.iter().map(bytes::Bytes::len).sum::<usize>() <= payload.len());
        prop_assert!(bodies.len() <= payload.len());
    }

    #[test]
    fn a_message_comes_out_as_it_went_in(app in "[a-z][a-z0-9-]{0,20}", quotes in 0_usize..3, binary: bool) {
        let sent = json!({"id": "x", "timestamp": "2026-01-02T03:04:05Z", "type": "profile.deleted", "payload": {"app": app}});
        let sent = sent.to_string();
        let mut told = if binary { STANDARD.encode(&sent) } else { sent.clone() };
        for _ in 0..quotes {
            told = json!(told).to_string();
        }
        let payload = json!({"Data": {"msg": told}}).to_string();
        prop_assert_eq!(trigger::decode(payload.as_bytes()), vec![bytes::Bytes::from(sent)]);
    }
}
