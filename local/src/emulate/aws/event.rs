//! The events of an HTTP API, payload format 2.0, and of an EventBridge rule.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::Query;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, TRANSFER_ENCODING, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{ACCOUNT, REGION};

/// The stage that no path has.
pub(super) const DEFAULT_STAGE: &str = "$default";
/// The route of an API that leaves all of them to one function.
const ROUTE: &str = "$default";
const API: &str = "autopgo000";
/// Who asks: this process listens on loopback.
const CLIENT: &str = "127.0.0.1";

/// The event for a request that was read whole.
pub(super) fn request(parts: &Parts, body: &Bytes, stage: &str, id: &str, now: Timestamp) -> Value {
    let domain = format!("{API}.execute-api.{REGION}.amazonaws.com");
    let path = parts.uri.path();
    let headers = headers(&parts.headers, body.len());
    let mut event = json!({
        "version": "2.0",
        "routeKey": ROUTE,
        "rawPath": path,
        "rawQueryString": parts.uri.query().unwrap_or_default(),
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": API,
            "domainName": domain,
            "domainPrefix": API,
            "http": {
                "method": parts.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": CLIENT,
                "userAgent": headers.get(USER_AGENT.as_str()).cloned().unwrap_or_default(),
            },
            "requestId": id,
            "routeKey": ROUTE,
            "stage": stage,
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": now.as_millisecond(),
        },
        "headers": headers,
        "isBase64Encoded": false,
    });
    // What there is nothing of is left out.
    let Some(fields) = event.as_object_mut() else { return event };
    let cookies = cookies(&parts.headers);
    if !cookies.is_empty() {
        fields.insert("cookies".to_owned(), json!(cookies));
    }
    let query = query(parts);
    if !query.is_empty() {
        fields.insert("queryStringParameters".to_owned(), json!(query));
    }
    put_body(fields, &parts.headers, body);
    event
}

/// The event of a rule with a schedule.
pub(super) fn scheduled(now: Timestamp) -> Value {
    json!({
        "version": "0",
        "id": Uuid::new_v4().to_string(),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": REGION,
        "resources": [format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/autopgo-sweep")],
        "detail": {},
    })
}

/// Names in small letters, each once; what came several times is joined. The API has read the whole body, so it has a
/// length, however it came.
fn headers(headers: &HeaderMap, length: usize) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for name in headers.keys() {
        if [CONNECTION, TRANSFER_ENCODING, COOKIE, CONTENT_LENGTH].contains(name) {
            continue;
        }
        all.insert(name.to_string(), joined(headers, name, ","));
    }
    all.insert(CONTENT_LENGTH.to_string(), length.to_string());
    for (name, value) in [
        ("x-forwarded-for", CLIENT),
        ("x-forwarded-port", "443"),
        ("x-forwarded-proto", "https"),
        ("x-amzn-trace-id", "Root=1-00000000-000000000000000000000000"),
    ] {
        all.insert(name.to_owned(), value.to_owned());
    }
    all
}

fn joined(headers: &HeaderMap, name: &HeaderName, by: &str) -> String {
    let values: Vec<_> =
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    values.join(by)
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let all = joined(headers, &COOKIE, "; ");
    all.split("; ").filter(|cookie| !cookie.is_empty()).map(str::to_owned).collect()
}

/// Decoded; what came several times is joined. A query that is none leaves only its raw form.
fn query(parts: &Parts) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map(|Query(pairs)| pairs);
    for (name, value) in pairs.unwrap_or_default() {
        all.entry(name)
            .and_modify(|before| {
                before.push(',');
                before.push_str(&value);
            })
            .or_insert(value);
    }
    all
}

fn put_body(event: &mut Map<String, Value>, headers: &HeaderMap, body: &Bytes) {
    if body.is_empty() {
        return;
    }
    let media_type = joined(headers, &CONTENT_TYPE, ",");
    let text = if is_text(&media_type) { std::str::from_utf8(body).ok() } else { None };
    let encoded = text.is_none();
    let body = text.map_or_else(|| STANDARD.encode(body), str::to_owned);
    event.insert("body".to_owned(), body.into());
    event.insert("isBase64Encoded".to_owned(), encoded.into());
}

/// What an HTTP API hands on as text; everything else is base64, and so is what has no type.
fn is_text(media_type: &str) -> bool {
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type.starts_with("text/")
        || ["application/json", "application/javascript", "application/xml"].contains(&media_type.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn event(request: axum::http::request::Builder, body: &'static [u8]) -> Value {
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let now: Timestamp = "2025-04-21T15:08:21.067Z".parse().expect("a time");
        super::request(&parts, &Bytes::from_static(body), "prod", "id-1", now)
    }

    #[test]
    fn a_request_is_payload_2_0() {
        let request = Request::post("/prod/api/profile/hello-world?form=compact&a=1&a=%20")
            .header("Host", "x")
            .header("X-Twice", "one")
            .header("X-Twice", "two")
            .header("Cookie", "a=1; b=2")
            .header("Transfer-Encoding", "chunked")
            .header("User-Agent", "Go-http-client/1.1");
        let event = event(request, b"\x1f\x8b\xff");
        assert_eq!(event["version"], "2.0");
        assert_eq!(event["rawPath"], "/prod/api/profile/hello-world");
        assert_eq!(event["rawQueryString"], "form=compact&a=1&a=%20");
        assert_eq!(event["queryStringParameters"], json!({"form": "compact", "a": "1, "}));
        assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
        let headers = &event["headers"];
        assert_eq!(
            (&headers["x-twice"], &headers["content-length"], headers.get("transfer-encoding")),
            (&json!("one,two"), &json!("3"), None)
        );
        assert!(headers.get("cookie").is_none());
        let context = &event["requestContext"];
        assert_eq!(context["stage"], "prod");
        assert_eq!(context["http"]["method"], "POST");
        assert_eq!(context["http"]["path"], "/prod/api/profile/hello-world");
        assert_eq!(context["http"]["userAgent"], "Go-http-client/1.1");
        assert_eq!(context["time"], "21/Apr/2025:15:08:21 +0000");
        assert_eq!(context["timeEpoch"], 1_745_248_101_067_i64);
        assert_eq!(context["requestId"], "id-1");
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("H4v/"), &json!(true)));
    }

    #[test]
    fn text_is_text_and_the_rest_is_base64() {
        for (media_type, encoded) in [
            (Some("application/json"), false),
            (Some("Application/JSON; charset=utf-8"), false),
            (Some("text/plain"), false),
            (Some("application/octet-stream"), true),
            (None, true),
        ] {
            let mut request = Request::post("/");
            if let Some(media_type) = media_type {
                request = request.header("content-type", media_type);
            }
            assert_eq!(event(request, b"{}")["isBase64Encoded"], encoded, "{media_type:?}");
        }
        let torn = event(Request::post("/").header("content-type", "text/plain"), b"\xff");
        assert_eq!((&torn["body"], &torn["isBase64Encoded"]), (&json!("/w=="), &json!(true)));
    }

    #[test]
    fn what_there_is_nothing_of_is_left_out() {
        let event = event(Request::get("/api/ready"), b"");
        for field in ["body", "cookies", "queryStringParameters"] {
            assert!(event.get(field).is_none(), "{event}");
        }
        assert_eq!(event["isBase64Encoded"], false);
        assert_eq!(event["headers"]["content-length"], "0");
    }

    #[test]
    fn a_schedule_is_an_event_of_eventbridge() {
        let event = scheduled("2025-01-02T03:04:05.678Z".parse().expect("a time"));
        assert_eq!(event["source"], "aws.events");
        assert_eq!(event["detail-type"], "Scheduled Event");
        assert_eq!(event["time"], "2025-01-02T03:04:05Z");
    }
}
