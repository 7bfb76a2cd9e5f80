//! An HTTP API of API Gateway with payload format 2.0, or a Function URL, in front of the router: both have the same event
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html>).
//!
//! `lambda_http` translates the method, headers, cookies and the answer. Path, query and body are read in `http/request.rs`.

mod request;

use autopgo_core::api::PROFILE_TYPE;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue};
use lambda_http::request::LambdaRequest;
use lambda_http::tower::ServiceExt;
use lambda_http::{Adapter, Service};
use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::Value;

use crate::diagnostic;
use request::Request;

/// The header that names a request in the log.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The HTTP API as a function.
#[derive(Clone)]
pub struct Function {
    router: Router,
}

impl Function {
    /// A function that answers by `router`.
    pub fn new(router: Router) -> Self {
        Self { router }
    }

    /// Answers an event, by what is the answer's JSON when it is serialised.
    ///
    /// # Errors
    /// The event is no HTTP request.
    pub async fn call(&self, event: LambdaEvent<Value>) -> Result<impl Serialize + Send + use<>, Diagnostic> {
        let LambdaEvent { payload, context } = event;
        let (event, request) = request::read(payload).map_err(|error| diagnostic(&error))?;
        let id = HeaderValue::from_str(&context.request_id).ok();
        let answer = service_fn(|given| self.answer(given, &request, id.clone()));
        let event = LambdaEvent::new(LambdaRequest::ApiGatewayV2(event), context);
        // Called at once: an adapter may not be held while others are waited for.
        let answer = Adapter::from(answer).call(event);
        answer.await
    }

    /// The same from JSON to JSON, as the runtime does it.
    ///
    /// # Errors
    /// Those of [`Function::call`].
    pub async fn call_json(&self, event: &[u8], context: Context) -> Result<Vec<u8>, Diagnostic> {
        crate::write(&self.call(LambdaEvent::new(crate::read(event)?, context)).await?)
    }

    async fn answer(
        &self,
        given: lambda_http::Request,
        request: &Request,
        id: Option<HeaderValue>,
    ) -> Result<Response, Diagnostic> {
        let (mut parts, _) = given.into_parts();
        parts.uri = request.uri.clone();
        if let Some(host) = &request.host {
            parts.headers.insert(HOST, host.clone());
        }
        // The platform's own, unless the client has named it: one id leads from an answer to all that was logged.
        if let Some(id) = id {
            parts.headers.entry(X_REQUEST_ID).or_insert(id);
        }
        let request = axum::extract::Request::from_parts(parts, Body::from(request.body.clone()));
        let mut response = self.router.clone().oneshot(request).await?;
        // What has none has no body either. Without one the gateway would make up its own.
        response.headers_mut().entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(PROFILE_TYPE));
        Ok(response)
    }
}
