//! What an HTTP API makes of a function's answer, and what it says by itself.

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE, TRANSFER_ENCODING};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// `{"message": …}`, in the API's own words.
pub(super) fn refusal(status: StatusCode, message: &str) -> Response {
    let body = serde_json::json!({ "message": message }).to_string();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// The function failed, or said what is no answer. What it was is in the log alone.
pub(super) fn failed() -> Response {
    refusal(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}

/// The response that `answer` stands for; `Err` says why it stands for none.
pub(super) fn response(answer: &[u8]) -> Result<Response, String> {
    let answer: Value = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
    let Some(fields) = answer.as_object().filter(|fields| fields.contains_key("statusCode")) else {
        // Anything else is taken for the body of a success.
        return Ok(([(CONTENT_TYPE, "application/json")], answer.to_string()).into_response());
    };
    let status = fields["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.ok_or_else(|| format!("its statusCode is {}", fields["statusCode"]))?;
    let body = body(fields)?;
    let mut response = Response::new(Body::from(body.clone()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in object(fields, "headers")? {
        let name: HeaderName = name.parse().map_err(|_| format!("its header {name:?} is none"))?;
        // The API counts the body itself.
        if name != CONTENT_LENGTH && name != TRANSFER_ENCODING {
            headers.insert(name, text(value)?);
        }
    }
    let cookies = fields.get("cookies").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for cookie in cookies {
        headers.append(SET_COOKIE, text(cookie)?);
    }
    if !body.is_empty() && !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=UTF-8"));
    }
    Ok(response)
}

fn body(fields: &Map<String, Value>) -> Result<Bytes, String> {
    let text = match fields.get("body") {
        None | Some(Value::Null) => return Ok(Bytes::new()),
        Some(Value::String(text)) => text,
        Some(_) => return Err("its body is no string".to_owned()),
    };
    if fields.get("isBase64Encoded") == Some(&Value::Bool(true)) {
        return STANDARD.decode(text).map(Bytes::from).map_err(|error| format!("its body: {error}"));
    }
    Ok(Bytes::from(text.clone()))
}

fn object<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
) -> Result<impl Iterator<Item = (&'a String, &'a Value)>, String> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None.into_iter().flatten()),
        Some(Value::Object(object)) => Ok(Some(object).into_iter().flatten()),
        Some(_) => Err(format!("its {name} are no object")),
    }
}

fn text(value: &Value) -> Result<HeaderValue, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => return Err("a header has no text".to_owned()),
    };
    HeaderValue::try_from(text).map_err(|_| "a header has a text that none may have".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(answer: &str) -> (StatusCode, Vec<(String, String)>, Bytes) {
        let (parts, body) = response(answer.as_bytes()).expect("an answer").into_parts();
        let headers = parts.headers.iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned()))
            .collect();
        (parts.status, headers, axum::body::to_bytes(body, 1000).await.expect("a body"))
    }

    #[tokio::test]
    async fn an_answer_is_a_response() {
        let (status, headers, body) = read(
            r#"{"statusCode":200,"headers":{"content-type":"application/octet-stream","x-n":5,"content-length":"9"},
               "cookies":["a=1","b=2"],"body":"H4v/","isBase64Encoded":true}"#,
        )
        .await;
        assert_eq!((status, body), (StatusCode::OK, Bytes::from_static(b"\x1f\x8b\xff")));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        for header in [
            pair("content-type", "application/octet-stream"),
            pair("x-n", "5"),
            pair("set-cookie", "a=1"),
            pair("set-cookie", "b=2"),
        ] {
            assert!(headers.contains(&header), "{header:?} in {headers:?}");
        }
        assert!(!headers.iter().any(|(name, _)| name == "content-length"), "{headers:?}");
        let (status, headers, body) = read(r#"{"statusCode":304,"headers":null,"body":null}"#).await;
        assert_eq!((status, headers, body), (StatusCode::NOT_MODIFIED, vec![], Bytes::new()));
        let (_, headers, body) = read(r#"{"statusCode":201,"body":"héllo"}"#).await;
        assert_eq!(body, "héllo");
        assert_eq!(headers, [pair("content-type", "text/plain;charset=UTF-8")]);
    }

    #[tokio::test]
    async fn what_has_no_status_is_a_body() {
        let (status, headers, body) = read(r#"{"key": 1}"#).await;
        assert_eq!((status, body), (StatusCode::OK, Bytes::from(r#"{"key":1}"#)));
        assert_eq!(headers[0].1, "application/json");
        assert_eq!(read("\"text\"").await.2, "\"text\"");
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for answer in [
            "",
            "{",
            r#"{"statusCode":"200"}"#,
            r#"{"statusCode":99}"#,
            r#"{"statusCode":200,"body":5}"#,
            r#"{"statusCode":200,"body":"!","isBase64Encoded":true}"#,
            r#"{"statusCode":200,"headers":[]}"#,
            r#"{"statusCode":200,"headers":{"a b":"c"}}"#,
            r#"{"statusCode":200,"headers":{"a":"\n"}}"#,
            r#"{"statusCode":200,"headers":{"a":{}}}"#,
        ] {
            assert!(response(answer.as_bytes()).is_err(), "{answer}");
        }
    }
}
