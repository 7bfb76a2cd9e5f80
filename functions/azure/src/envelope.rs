//! An HTTP trigger as JSON, which a host sends that neither proxies nor forwards: `{"Data": {"req": {"Url", "Method",
//! "Query", "Headers", "Params", "Body"}}}`, answered with `{"Outputs": {"res": {"statusCode", "body", "headers"}}}`.
//!
//! A body is in base64 if its type is `application/octet-stream` or `multipart/*`, and text otherwise
//! (`HttpRequestExtensions.cs`, `GetRequestAsJObject`). An answer that is no text is given in base64 as well, for want of
//! anything better: the host gives it to its client as it stands, which is why `host.json` has it proxy.

use autopgo_http::Failure;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, TRANSFER_ENCODING};
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tower::ServiceExt;

use crate::answer;
use crate::length::INVOCATION;

/// The most of a request as JSON, in bytes: what the host takes, 100 MB, in base64 with room for the rest.
const LONGEST: usize = 140 << 20;
/// What request and answer are called in our `function.json`.
const REQUEST: &str = "req";
const ANSWER: &str = "res";

/// Asks the server and puts down what it answers.
pub(crate) async fn handle(State(server): State<Router>, headers: HeaderMap, body: Body) -> Response {
    let Ok(payload) = to_bytes(body, LONGEST).await else {
        return Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "the request broke off, or is too large")
            .into_response();
    };
    let Some(mut request) = read(&payload) else {
        let what = "the body is no request of a Functions host: Data.req with Url and Method";
        return Failure::new(StatusCode::BAD_REQUEST, what).into_response();
    };
    if let Some(invocation) = headers.get(INVOCATION) {
        request.headers_mut().insert(INVOCATION, invocation.clone());
    }
    let Ok(response) = server.oneshot(request).await;
    match write(response).await {
        Ok(response) => answer::outputs(&json!({ ANSWER: response }), &[]),
        Err(error) => {
            tracing::error!(%error, "an answer broke off");
            answer::failure("the answer broke off".to_owned())
        }
    }
}

/// The request that `payload` stands for.
fn read(payload: &[u8]) -> Option<Request<Body>> {
    let told: Value = serde_json::from_slice(payload).ok()?;
    let data = told.get("Data")?.as_object()?;
    let request = data.get(REQUEST).or_else(|| data.values().next())?;
    let url: Uri = request.get("Url")?.as_str()?.parse().ok()?;
    let mut read = Request::new(Body::empty());
    *read.method_mut() = Method::from_bytes(request.get("Method")?.as_str()?.as_bytes()).ok()?;
    *read.uri_mut() = url.path_and_query()?.as_str().parse().ok()?;
    if let Some(headers) = request.get("Headers").and_then(Value::as_object) {
        *read.headers_mut() = read_headers(headers);
    }
    *read.body_mut() = Body::from(read_body(request.get("Body"), read.headers()));
    Some(read)
}

/// Each header has one value or an array of them. What is none is left out; the length is that of the body.
fn read_headers(told: &Map<String, Value>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in told {
        let Ok(name) = HeaderName::try_from(name) else { continue };
        if name == CONTENT_LENGTH || name == TRANSFER_ENCODING {
            continue;
        }
        let values = values.as_array().map_or(std::slice::from_ref(values), Vec::as_slice);
        for value in values.iter().filter_map(|value| HeaderValue::from_str(value.as_str()?).ok()) {
            headers.append(&name, value);
        }
    }
    headers
}

fn read_body(told: Option<&Value>, headers: &HeaderMap) -> Bytes {
    let text = match told {
        None | Some(Value::Null) => return Bytes::new(),
        Some(Value::String(text)) => text,
        // Some hosts read JSON before they hand it on.
        Some(value) => return value.to_string().into(),
    };
    let decoded = is_binary(headers).then(|| STANDARD.decode(text).ok()).flatten();
    decoded.map_or_else(|| Bytes::copy_from_slice(text.as_bytes()), Bytes::from)
}

/// `Utility.IsMediaTypeOctetOrMultipart` of the host.
fn is_binary(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media == "application/octet-stream" || media.contains("multipart/")
}

/// `response` in the host's form: headers that came more than once in one line, and no length, which it finds itself.
async fn write(response: Response) -> Result<Value, axum::Error> {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await?;
    let mut headers = Map::new();
    for name in parts.headers.keys().filter(|name| *name != CONTENT_LENGTH && *name != TRANSFER_ENCODING) {
        let values =
            parts.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        headers.insert(name.to_string(), values.collect::<Vec<_>>().join(", ").into());
    }
    let text = if is_binary(&parts.headers) { None } else { std::str::from_utf8(&body).ok() };
    let body = text.map_or_else(|| STANDARD.encode(&body), str::to_owned);
    Ok(json!({"statusCode": parts.status.as_u16(), "body": body, "headers": headers}))
}
