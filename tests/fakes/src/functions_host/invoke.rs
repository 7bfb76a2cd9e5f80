//! A call of a function, and what the host makes of the answer (`Workers/Http/DefaultHttpWorkerService.cs`,
//! `ProcessDefaultInvocationRequest`).

use std::future::pending;
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use serde_json::Value;
use uuid::Uuid;

use super::Inner;
use super::http::{HOST_VERSION, INVOCATION, VERSION};

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Invoked {
    /// The function has run, and this is its result.
    Done(Value),
    /// It has failed, for this reason.
    Failed(String),
    /// It had no result when its time was over. The host ends the handler and starts it again.
    TimedOut(Duration),
}

impl Inner {
    /// Calls the function of this name with `payload`.
    pub(super) async fn invoke(&self, function: &str, payload: &Value) -> Invoked {
        match tokio::time::timeout(self.timeout, self.call(function, payload)).await {
            Ok(Ok(result)) => Invoked::Done(result),
            Ok(Err(why)) => Invoked::Failed(why),
            Err(_) => {
                // A handler that is somebody else's is not ended.
                let _ = self.handler.signal("KILL").await;
                Invoked::TimedOut(self.timeout)
            }
        }
    }

    async fn call(&self, function: &str, payload: &Value) -> Result<Value, String> {
        let address = self.handler.address().ok_or("the handler does not answer")?;
        let request = self
            .client
            .post(format!("http://{address}/{function}"))
            .header(INVOCATION, Uuid::new_v4().to_string())
            .header(HOST_VERSION, VERSION)
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .body(payload.to_string());
        let response = request.send().await.map_err(|error| format!("no answer: {error}"))?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("Response status code does not indicate success: {status}"));
        }
        let kind = response.headers().get(CONTENT_TYPE).cloned();
        let body = response.bytes().await.map_err(|error| format!("half an answer: {error}"))?;
        // What is empty is read as null, which is neither a result nor a failure: nobody says that the function is over.
        if body.is_empty() {
            return pending().await;
        }
        let kind = kind.as_ref().and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !["application/json", "text/json"].contains(&kind.split(';').next().unwrap_or_default().trim()) {
            return Err(format!(
                "No MediaTypeFormatter is available to read an object from content with media type '{kind}'"
            ));
        }
        match serde_json::from_slice(&body) {
            Ok(Value::Null) => pending().await,
            Ok(result @ Value::Object(_)) => Ok(result),
            Ok(_) => Err("the result is no object".to_owned()),
            Err(error) => Err(format!("the result is no JSON: {error}")),
        }
    }
}
