//! The HTTP API: reads a request whole, calls the function with its event, and answers with what that says, within the
//! API's limits and Lambda's.

use std::sync::Arc;
use std::time::Duration;

use autopgo_core::error::Kind;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jiff::Timestamp;
use uuid::Uuid;

use super::answer::{failed, refusal, response};
use super::event::{self, DEFAULT_STAGE};
use super::function::{self, Call, Function};
use super::sizes;
use crate::emulate::front::within;

/// How long a client may take to send its request.
const PATIENCE: Duration = Duration::from_secs(240);

/// An HTTP API before one function.
pub(super) struct Gateway {
    stage: Option<String>,
    function: Arc<dyn Function>,
}

impl Gateway {
    /// One with this `stage` in its paths, or none.
    pub(super) fn new(stage: Option<&str>, function: Arc<dyn Function>) -> Self {
        Self { stage: stage.map(str::to_owned), function }
    }

    /// The API's answer.
    pub(super) async fn answer(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let stage = self.stage.as_deref();
        if stage.is_some_and(|stage| within(&parts.uri, &format!("/{stage}")).is_none()) {
            return refusal(StatusCode::NOT_FOUND, "Not Found");
        }
        if head(&parts) > sizes::HEAD {
            return refusal(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Request Header Fields Too Large");
        }
        let body = match whole(body).await {
            Ok(body) => body,
            Err(refused) => return refused,
        };
        let id = Uuid::new_v4().to_string();
        let event = event::request(&parts, &body, stage.unwrap_or(DEFAULT_STAGE), &id, Timestamp::now());
        let mut answer = self.call(&event).await;
        if let Ok(id) = id.try_into() {
            answer.headers_mut().insert("apigw-requestid", id);
        }
        answer
    }

    async fn call(&self, event: &serde_json::Value) -> Response {
        let call = Call::new("server", sizes::INTEGRATION);
        match function::invoke(&*self.function, call, event).await {
            Ok(answer) => response(&answer).unwrap_or_else(|why| {
                tracing::error!(why, "the function's answer is none, and the API fails");
                failed()
            }),
            Err(error) => {
                tracing::warn!(error = error.chain(), "the API answers by itself");
                match error.kind() {
                    Kind::TooLarge => refusal(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
                    Kind::Unavailable => refusal(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
                    _ => failed(),
                }
            }
        }
    }
}

/// The bytes of a request's line and headers.
fn head(parts: &Parts) -> usize {
    let headers = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let line = parts.method.as_str().len() + parts.uri.to_string().len() + " HTTP/1.1  ".len() + 1;
    line + headers.sum::<usize>()
}

/// The whole body; the API's answer to one that it does not take.
async fn whole(body: Body) -> Result<Bytes, Response> {
    let too_large = || refusal(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    if body.size_hint().lower() > sizes::GATEWAY as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(PATIENCE, Limited::new(body, sizes::GATEWAY).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(refusal(StatusCode::BAD_REQUEST, "Bad Request")),
        Err(_) => Err(refusal(StatusCode::REQUEST_TIMEOUT, "Request Timeout")),
    }
}

#[cfg(test)]
mod tests;
