//! A message of Service Bus, as the host tells of it: `{"Data": {"msg": ...}, "Metadata": {...}}`.
//!
//! What stands for the message depends on the host's version and on `function.json`: the text of the message, once more
//! as a JSON string, in base64 with `"dataType": "binary"`, several of either in an array, itself in a string, with
//! `"cardinality": "many"` (`ScriptInvocationContextExtensions.cs`, `GetHttpScriptInvocationContextValue`). All of it is
//! taken off until there is an envelope of ours, or nothing more to take off.
//!
//! The host knows no result a message: a failure hands back everything that it told of.

use autopgo_http::Failure;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use crate::{Work, answer};

/// The most that the host may tell at once, in bytes. One message of ours has less than a thousandth of it.
const LONGEST: usize = 16 << 20;
/// How many wrappings are taken off. There are never more than three.
const WRAPPINGS: u8 = 8;
/// What the message is called in our `function.json`.
const NAME: &str = "msg";

/// Handles what the host tells of, and fails if any of it is not done, so that it is delivered again.
pub(crate) async fn handle(State(work): State<Work>, body: Body) -> Response {
    let Ok(payload) = to_bytes(body, LONGEST).await else {
        tracing::error!(limit_bytes = LONGEST, "messages broke off, or are larger than any of ours");
        return Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "no message of autopgo is that large")
            .into_response();
    };
    let messages = decode(&payload);
    let outcomes = work.worker.handle_until(&messages, work.out_of_time()).await;
    let left = outcomes.iter().filter(|outcome| !outcome.is_done()).count();
    match left {
        0 => answer::success(format!("done: {} of {}", messages.len(), messages.len())),
        left => answer::failure(format!(
            "not done: {left} of {}; delivering again is safe, and the handler's log says why",
            messages.len()
        )),
    }
}

/// The bodies of the messages that `payload` tells of, as they were published. What is none is given as it stands: the
/// worker drops, logs and counts it like anything that is not ours.
pub fn decode(payload: &[u8]) -> Vec<Bytes> {
    let mut bodies = Vec::new();
    match serde_json::from_slice(payload) {
        Ok(Value::Object(mut told)) => match told.remove("Data") {
            Some(Value::Object(mut data)) => {
                // Whoever calls it something else has one trigger all the same.
                let value = data.remove(NAME).or_else(|| data.into_iter().next().map(|(_, value)| value));
                unwrap(value.unwrap_or(Value::Null), WRAPPINGS, &mut bodies);
            }
            data => unwrap(data.unwrap_or(Value::Null), WRAPPINGS, &mut bodies),
        },
        _ => bodies.push(Bytes::copy_from_slice(payload)),
    }
    bodies
}

/// Takes off what is around the messages in `value`.
fn unwrap(value: Value, wrappings: u8, bodies: &mut Vec<Bytes>) {
    match value {
        Value::String(text) if wrappings > 0 => unwrap_text(text, wrappings - 1, bodies),
        Value::String(text) => bodies.push(text.into()),
        Value::Array(values) if wrappings > 0 => {
            values.into_iter().for_each(|value| unwrap(value, wrappings - 1, bodies));
        }
        Value::Null => bodies.push(Bytes::new()),
        value => bodies.push(value.to_string().into()),
    }
}

fn unwrap_text(text: String, wrappings: u8, bodies: &mut Vec<Bytes>) {
    match serde_json::from_str(&text) {
        Ok(value @ (Value::String(_) | Value::Array(_))) => unwrap(value, wrappings, bodies),
        // An envelope as it was sent, or nothing of ours.
        Ok(_) => bodies.push(text.into()),
        Err(_) => match STANDARD.decode(&text).map(String::from_utf8) {
            Ok(Ok(decoded)) if !decoded.is_empty() => unwrap(Value::String(decoded), wrappings, bodies),
            Ok(Err(bytes)) => bodies.push(bytes.into_bytes().into()),
            _ => bodies.push(text.into()),
        },
    }
}
