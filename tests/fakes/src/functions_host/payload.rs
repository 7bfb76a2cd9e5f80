//! What a call tells: `{"Data": {...}, "Metadata": {...}}`.
//!
//! Any value but an object is written as JSON into a string, so that a text has quotes in it, and bytes are in base64
//! (`Workers/Http/ScriptInvocationContextExtensions.cs`, `GetHttpScriptInvocationContextValue`).

use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::app::{Function, Messages};
use crate::servicebus::Received;

/// A message, or several.
pub(super) fn messages(function: &Function, settings: &Messages, received: &[Received]) -> Value {
    let value = |message: &Received| match settings.binary {
        true => STANDARD.encode(&message.body),
        false => String::from_utf8_lossy(&message.body).into_owned(),
    };
    let values: Vec<String> = received.iter().map(value).collect();
    let data = match (settings.many, settings.binary, values.as_slice()) {
        (false, true, [value]) => value.clone(),
        (false, false, [value]) => json!(value).to_string(),
        _ => json!(values).to_string(),
    };
    let mut metadata = metadata(function);
    for name in
        ["MessageId", "DeliveryCount", "SequenceNumber", "EnqueuedTimeUtc", "PartitionKey", "LockToken"]
    {
        let values: Vec<&Value> = received.iter().map(|message| &message.properties[name]).collect();
        match values.as_slice() {
            [value] if !settings.many => metadata.insert(name.to_owned(), value.to_string().into()),
            values => metadata.insert(format!("{name}Array"), json!(values).to_string().into()),
        };
    }
    json!({"Data": {function.binding.as_str(): data}, "Metadata": metadata})
}

/// A tick of a timer, which is an object.
pub(super) fn tick(function: &Function) -> Value {
    let now = Timestamp::now().to_string();
    let data = json!({
        "Schedule": {"AdjustForDST": true},
        "ScheduleStatus": {"Last": now, "LastUpdated": now, "Next": now},
        "IsPastDue": false,
    });
    json!({"Data": {function.binding.as_str(): data}, "Metadata": metadata(function)})
}

/// A request (`Extensions/HttpRequestExtensions.cs`, `GetRequestAsJObject`).
pub(super) fn request(function: &Function, parts: &Parts, body: &[u8]) -> Value {
    let mut headers = Map::new();
    for name in parts.headers.keys() {
        let values = parts.headers.get_all(name).iter();
        let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        headers.insert(name.to_string(), json!(values));
    }
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut query = Map::new();
    for pair in parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        query.insert(name.to_owned(), value.into());
    }
    let kind = header("content-type").split(';').next().unwrap_or_default().trim().to_lowercase();
    let mut told = json!({
        "Url": format!("http://{}{path}", header("host")),
        "Method": parts.method.as_str(),
        "Query": query,
        "Headers": headers,
        "Params": {},
        "Identities": [],
    });
    if !body.is_empty() {
        told["Body"] = match kind.as_str() {
            "application/octet-stream" => STANDARD.encode(body).into(),
            kind if kind.starts_with("multipart/") => STANDARD.encode(body).into(),
            // Whatever is no text is lost.
            _ => String::from_utf8_lossy(body).into(),
        };
    }
    json!({"Data": {function.binding.as_str(): told}, "Metadata": metadata(function)})
}

fn metadata(function: &Function) -> Map<String, Value> {
    let sys = json!({
        "MethodName": function.name,
        "UtcNow": Timestamp::now().to_string(),
        "RandGuid": Uuid::new_v4().to_string(),
    });
    Map::from_iter([("sys".to_owned(), sys)])
}
