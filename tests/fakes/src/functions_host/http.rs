//! Requests from outside, in each of the ways in which a host hands them on (`Workers/Http/DefaultHttpWorkerService.cs`).

use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use uuid::Uuid;

use super::app::{Function, Http, Trigger};
use super::{Inner, Invoked, payload};

/// The most of a request that is let in (`FUNCTIONS_REQUEST_BODY_SIZE_LIMIT`).
const LARGEST: usize = 100 << 20;
/// What the host says that it is.
pub(super) const VERSION: &str = "4.1036.0";
pub(super) const INVOCATION: &str = "x-azure-functions-invocationid";
pub(super) const HOST_VERSION: &str = "x-azure-functions-hostversion";

/// The headers that .NET takes for the content's: none goes out with a request that has none, and of a content's the host
/// copies two (`Extensions/HttpRequestExtensions.cs`, `ToHttpRequestMessage`).
const OF_THE_CONTENT: [&str; 11] = [
    "allow",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "expires",
    "last-modified",
];

pub(super) async fn serve(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let Some((function, trigger)) = inner.function_of(&request) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // Nobody has a key here.
    if trigger.level != "anonymous" {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let handed_on = if inner.app.proxies && inner.proxies {
        inner.proxy(request).await
    } else if inner.app.forwards {
        inner.forward(request).await
    } else {
        inner.tell(function, request).await
    };
    // A function that fails is a 500 that does not say why.
    handed_on.unwrap_or_else(IntoResponse::into_response)
}

impl Inner {
    fn function_of(&self, request: &Request) -> Option<(&Function, &Http)> {
        let path = request.uri().path().trim_start_matches('/');
        let below = match self.app.prefix.as_str() {
            "" => path,
            prefix => path.strip_prefix(prefix)?.strip_prefix('/')?,
        };
        self.app.functions.iter().find_map(|function| {
            let Trigger::Http(http) = &function.trigger else { return None };
            let is_routed = http.route.starts_with("{*") || http.route == below;
            let method = request.method().as_str();
            let is_method = http.methods.is_empty() || http.methods.iter().any(|known| known == method);
            (is_routed && is_method).then_some((function, http))
        })
    }

    /// All there is, as it comes (`HttpProxyService/DefaultHttpProxyService.cs`: YARP, without the host's name).
    async fn proxy(&self, request: Request) -> Result<Response, StatusCode> {
        let (parts, body) = request.into_parts();
        let mut headers = parts.headers.clone();
        headers.remove(HOST);
        headers.remove(CONNECTION);
        headers.remove(TRANSFER_ENCODING);
        mark(&mut headers);
        // A body without a length goes on in chunks.
        let is_empty = body.size_hint().exact() == Some(0);
        let body = (!is_empty).then(|| reqwest::Body::wrap_stream(body.into_data_stream()));
        let response = self.send(&parts, headers, body).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(answer(status, &headers, Body::from_stream(response.bytes_stream())))
    }

    /// The request built anew: with its body if it has a length, with its path and query, and with its headers.
    async fn forward(&self, request: Request) -> Result<Response, StatusCode> {
        let (parts, body) = self.arrive(request).await?;
        // .NET sends no request that says that it comes in chunks and has no content.
        if parts.headers.contains_key(TRANSFER_ENCODING) {
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &parts.headers {
            if !OF_THE_CONTENT.contains(&name.as_str()) && name != CONNECTION {
                headers.append(name, value.clone());
            }
        }
        if let Some(kind) = parts.headers.get(CONTENT_TYPE).filter(|_| !body.is_empty()) {
            headers.insert(CONTENT_TYPE, kind.clone());
        }
        mark(&mut headers);
        let response = self.send(&parts, headers, Some(body.into())).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        Ok(answer(status, &headers, body.into()))
    }

    /// The request as JSON, and the answer from `Outputs` (`HttpScriptInvocationResultExtensions.cs`,
    /// `Binding/Http/HttpBinding.cs`): text as it stands, even if it is base64.
    async fn tell(&self, function: &Function, request: Request) -> Result<Response, StatusCode> {
        let output = match &function.trigger {
            Trigger::Http(Http { output: Some(output), .. }) => output.as_str(),
            _ => "",
        };
        let (parts, body) = self.arrive(request).await?;
        let told = payload::request(function, &parts, &body);
        let Invoked::Done(result) = self.invoke(&function.name, &told).await else {
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let given = &result["Outputs"][output];
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let status = [&given["statusCode"], &given["status"]].map(|status| text(status).parse().ok());
        let status = status.into_iter().flatten().next().and_then(|status| StatusCode::from_u16(status).ok());
        let mut headers = HeaderMap::new();
        for (name, value) in given["headers"].as_object().into_iter().flatten() {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(text(value))) {
                headers.insert(name, value);
            }
        }
        let body = if given["body"].is_null() { String::new() } else { text(&given["body"]) };
        Ok(answer(status.unwrap_or(StatusCode::OK), &headers, body.into()))
    }

    /// What the host has of a request: its body if it has a length above 0, and none otherwise.
    async fn arrive(&self, request: Request) -> Result<(Parts, Bytes), StatusCode> {
        let (mut parts, body) = request.into_parts();
        let length =
            parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let body = to_bytes(body, LARGEST).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
        if self.front_end {
            parts.headers.remove(TRANSFER_ENCODING);
        }
        let has_length = length.is_some_and(|length| length > 0);
        Ok((parts, if has_length { body } else { Bytes::new() }))
    }

    async fn send(
        &self,
        parts: &Parts,
        headers: HeaderMap,
        body: Option<reqwest::Body>,
    ) -> Result<reqwest::Response, StatusCode> {
        let failed = StatusCode::INTERNAL_SERVER_ERROR;
        let address = self.handler.address().ok_or(failed)?;
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request =
            self.client.request(parts.method.clone(), format!("http://{address}{path}")).headers(headers);
        if let Some(body) = body {
            request = request.body(body);
        }
        request.send().await.map_err(|_| failed)
    }
}

/// Adds what the host adds.
fn mark(headers: &mut HeaderMap) {
    let said = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let said = format!("{said} Azure-Functions-Host/{VERSION}");
    if let Ok(said) = HeaderValue::try_from(said.trim_start()) {
        headers.insert(USER_AGENT, said);
    }
    headers.insert(HOST_VERSION, HeaderValue::from_static(VERSION));
    if let Ok(id) = HeaderValue::try_from(Uuid::new_v4().to_string()) {
        headers.insert(INVOCATION, id);
    }
}

fn answer(status: StatusCode, headers: &HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in headers {
        if name != TRANSFER_ENCODING && name != CONNECTION {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}
