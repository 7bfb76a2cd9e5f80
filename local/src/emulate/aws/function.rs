//! A Lambda function, called as its runtime is called: with an event as JSON and a context, for an answer as JSON.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_http::Api;
use jiff::Timestamp;
use lambda_runtime::{Context, Diagnostic};
use serde_json::Value;
use tokio::time::timeout;
use uuid::Uuid;

use super::{ACCOUNT, REGION, millis, sizes};
use crate::emulate::platform::Parts;

/// What the runtime says of a call beside its event.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// Lambda's own id of it.
    pub(super) request_id: String,
    /// The function that is called.
    pub(super) arn: String,
    /// When the function must have answered.
    pub(super) deadline: Timestamp,
    /// How long that is from now.
    lasts: Duration,
}

impl Call {
    /// A call of the function `name`, which may take this long.
    pub(super) fn new(name: &str, lasts: Duration) -> Self {
        Self {
            request_id: Uuid::new_v4().to_string(),
            arn: format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:autopgo-{name}"),
            deadline: Timestamp::now().saturating_add(lasts).unwrap_or(Timestamp::MAX),
            lasts,
        }
    }

    /// As the runtime hands it to a handler.
    fn context(self) -> Context {
        let mut context = Context::default();
        context.request_id = self.request_id;
        context.invoked_function_arn = self.arn;
        context.deadline = u64::try_from(self.deadline.as_millisecond()).unwrap_or_default();
        context
    }
}

/// A function's entry.
#[async_trait]
pub(super) trait Function: Send + Sync {
    /// The answer to an event. `Err` is what the runtime reports as the invocation's error.
    async fn invoke(&self, event: Vec<u8>, call: Call) -> Result<Vec<u8>, String>;
}

/// Calls `function` within what Lambda allows.
///
/// # Errors
/// `TooLarge`: the event is, and the function was not called. `Unavailable`: it did not answer in time, and is ended.
/// `Internal`: it failed, or its answer is too large.
pub(super) async fn invoke(function: &dyn Function, call: Call, event: &Value) -> Result<Vec<u8>> {
    if tracing::enabled!(tracing::Level::DEBUG) {
        tracing::debug!(
            function = call.arn,
            request.id = call.request_id,
            event = shown(event),
            "the function is called"
        );
    }
    let event = serde_json::to_vec(event)
        .map_err(|error| Error::new(Kind::Internal, "writing an event").because(error))?;
    if event.len() > sizes::EVENT {
        let what = format!("the event has {} bytes, and Lambda takes {}", event.len(), sizes::EVENT);
        return Err(Error::new(Kind::TooLarge, what));
    }
    let lasts = call.lasts;
    let answer = timeout(lasts, function.invoke(event, call)).await.map_err(|_| {
        let what = format!("the function did not answer within {} ms and is ended", millis(lasts));
        Error::new(Kind::Unavailable, what)
    })?;
    let answer = answer.map_err(|error| Error::new(Kind::Internal, "the function failed").because(error))?;
    if answer.len() > sizes::EVENT {
        let what =
            format!("the function's answer has {} bytes, and Lambda takes {}", answer.len(), sizes::EVENT);
        return Err(Error::new(Kind::Internal, what));
    }
    Ok(answer)
}

/// `event` for the log: without a profile in it, and without what lets its sender in.
fn shown(event: &Value) -> String {
    let Some(fields) = event.as_object() else { return event.to_string() };
    let mut shown = serde_json::Map::new();
    for (name, value) in fields {
        let value = match (name.as_str(), value) {
            ("body", Value::String(body)) => format!("... {} bytes", body.len()).into(),
            ("cookies", _) => "...".into(),
            ("headers", Value::Object(headers)) => {
                let mut headers = headers.clone();
                headers.entry("authorization").and_modify(|value| *value = "...".into());
                headers.into()
            }
            (_, value) => value.clone(),
        };
        shown.insert(name.clone(), value);
    }
    Value::Object(shown).to_string()
}

/// The server's function and the worker's, as their binaries make them.
pub(super) fn made_of(parts: Parts) -> (Arc<dyn Function>, Arc<dyn Function>) {
    let Parts { served, worker, access, config, .. } = parts;
    let router = Api::new(served.server, served.checks, access).router();
    let server = autopgo_lambda::http::Function::new(router);
    let worker = autopgo_lambda::worker::Function::new(worker, config.sweep_after);
    (Arc::new(server), Arc::new(worker))
}

#[async_trait]
impl Function for autopgo_lambda::http::Function {
    async fn invoke(&self, event: Vec<u8>, call: Call) -> Result<Vec<u8>, String> {
        self.call_json(&event, call.context()).await.map_err(|error| said(&error))
    }
}

#[async_trait]
impl Function for autopgo_lambda::worker::Function {
    async fn invoke(&self, event: Vec<u8>, call: Call) -> Result<Vec<u8>, String> {
        self.call_json(&event, call.context()).await.map_err(|error| said(&error))
    }
}

/// An error as the runtime reports it.
fn said(error: &Diagnostic) -> String {
    format!("{}: {}", error.error_type, error.error_message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_log_has_neither_profiles_nor_tokens() {
        let event = json!({
            "rawPath": "/api/profile/a",
            "headers": { "authorization": "Bearer secret", "host": "x" },
            "cookies": ["secret"],
            "body": "c2VjcmV0",
        });
        let shown = shown(&event);
        assert!(!shown.contains("secret") && !shown.contains("c2Vj"), "{shown}");
        assert!(shown.contains("/api/profile/a") && shown.contains("... 8 bytes"), "{shown}");
        let batch = json!({ "Records": [{ "body": "hello" }] });
        assert_eq!(super::shown(&batch), batch.to_string());
    }
}

#[cfg(test)]
pub(super) mod fake {
    //! Functions that do as they are told.

    use super::*;

    /// Answers with what it is made of.
    pub(in super::super) struct Says(pub(in super::super) Result<Vec<u8>, String>);

    #[async_trait]
    impl Function for Says {
        async fn invoke(&self, _: Vec<u8>, _: Call) -> Result<Vec<u8>, String> {
            self.0.clone()
        }
    }

    /// Never answers.
    pub(in super::super) struct Hangs;

    #[async_trait]
    impl Function for Hangs {
        async fn invoke(&self, _: Vec<u8>, _: Call) -> Result<Vec<u8>, String> {
            std::future::pending().await
        }
    }
}
