//! What of an event `lambda_http` is not given to read: path, query and body. What it cannot read of these, it panics over,
//! and a stage it leaves in the path.

use autopgo_core::error::{Error, Kind, Result};
use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderName, HeaderValue, Uri};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

/// Everything of the API is below this.
const API: &str = "/api/";
/// What a query of a URI cannot have in it. A `%` stands as it is: it begins an escape already.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'`');
/// The same of a path.
const PATH: &AsciiSet = &QUERY.add(b'?').add(b'{').add(b'}').add(b'\\').add(b'^').add(b'|');

/// What was read.
pub(super) struct Request {
    /// Path and query.
    pub(super) uri: Uri,
    /// The host that the client asked.
    pub(super) host: Option<HeaderValue>,
    /// The body, out of its encoding.
    pub(super) body: Bytes,
}

/// The event without what is read here, and that.
///
/// # Errors
/// `Invalid` if it is none of a request.
pub(super) fn read(mut event: Value) -> Result<(ApiGatewayV2httpRequest, Request)> {
    if let Some(Value::Object(headers)) = event.get_mut("headers") {
        headers.retain(|name, value| is_header(name, value));
    }
    let mut event: ApiGatewayV2httpRequest = serde_json::from_value(event).map_err(|error| {
        let what = "the event is no request of an HTTP API with payload format 2.0 or of a Function URL";
        Error::new(Kind::Invalid, format!("{what}: {error}"))
    })?;
    let path = event.raw_path.take().unwrap_or_default();
    let stage = event.request_context.stage.take();
    let uri = uri(without_stage(&path, stage.as_deref()), event.raw_query_string.take().as_deref())?;
    let body = body(event.body.take().unwrap_or_default(), event.is_base64_encoded)?;
    event.request_context.domain_name = None;
    let host = event.headers.remove(HOST);
    Ok((event, Request { uri, host, body }))
}

/// Whether it is one that HTTP knows; another would be of no use to us, and the rest of the request is.
fn is_header(name: &str, value: &Value) -> bool {
    let value = value.as_str().map(HeaderValue::from_str);
    HeaderName::from_bytes(name.as_bytes()).is_ok() && value.is_some_and(|value| value.is_ok())
}

/// The path as the router knows it. With a stage that has a name, it may begin with that name or not: what leads into the
/// API counts.
fn without_stage<'a>(path: &'a str, stage: Option<&str>) -> &'a str {
    let rest = stage.and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage));
    match rest.filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        Some(rest) if rest.starts_with(API) || !path.starts_with(API) => rest,
        _ => path,
    }
}

/// The path may come with escapes or without.
fn uri(path: &str, query: Option<&str>) -> Result<Uri> {
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut uri = format!("{slash}{}", utf8_percent_encode(path, PATH));
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        uri.push('?');
        uri.extend(utf8_percent_encode(query, QUERY));
    }
    uri.parse().map_err(|error| {
        Error::new(Kind::Invalid, "the event's path or query is none of a URI").because(error)
    })
}

fn body(body: String, is_base64: bool) -> Result<Bytes> {
    if !is_base64 {
        return Ok(body.into());
    }
    STANDARD.decode(body).map(Bytes::from).map_err(|error| {
        Error::new(Kind::Invalid, "the event says that its body is base64, and it is not").because(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_taken_off_and_nothing_else() {
        for (stage, path, is) in [
            ("$default", "/api/profile/x", "/api/profile/x"),
            ("prod", "/prod/api/profile/x", "/api/profile/x"),
            ("prod", "/api/profile/x", "/api/profile/x"),
            ("prod", "/production/api/health", "/production/api/health"),
            ("prod", "/prod", ""),
            ("prod", "/prod/", "/"),
            ("prod", "/prod/prod/api/health", "/prod/api/health"),
            ("api", "/api/profile", "/api/profile"),
            ("api", "/api/api/profile", "/api/profile"),
            ("api", "/api/api", "/api/api"),
            ("", "//api/health", "/api/health"),
        ] {
            assert_eq!(without_stage(path, Some(stage)), is, "{stage} {path}");
        }
        assert_eq!(without_stage("/prod/api/health", None), "/prod/api/health");
    }

    #[test]
    fn paths_and_queries_are_escaped_where_they_are_not() {
        for (path, query, is) in [
            ("/api/profile", None, "/api/profile"),
            ("", Some(""), "/"),
            ("api", None, "/api"),
            (
                "/a b/\u{e9}?#%20\\",
                Some("form=compact&x=[a b]\u{e9}#"),
                "/a%20b/%C3%A9%3F%23%20%5C?form=compact&x=[a%20b]%C3%A9%23",
            ),
            ("/../a", Some("?"), "/../a??"),
            ("//host/x", None, "//host/x"),
        ] {
            assert_eq!(uri(path, query).expect(path).to_string(), is);
        }
        assert!(uri(&"/x".repeat(40_000), None).is_err());
    }
}
