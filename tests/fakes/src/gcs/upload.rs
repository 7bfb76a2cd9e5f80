//! Uploads, in their three forms: content alone, content and metadata in one request, and in a session of many
//! (<https://cloud.google.com/storage/docs/uploads-downloads#uploads>).

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State as Shared};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use memchr::memmem;
use serde_json::Value;
use uuid::Uuid;

use super::State;
use super::json::admit;
use super::mask;
use super::refusal::Refusal;
use super::world::{Conditions, Object, crc32c};

/// An upload that comes in several requests.
pub(super) struct Session {
    bucket: String,
    name: String,
    metadata: Value,
    content_type: String,
    conditions: Conditions,
    bytes: Vec<u8>,
    done: Option<Object>,
}

type Params = Query<HashMap<String, String>>;

/// <https://cloud.google.com/storage/docs/json_api/v1/objects/insert>
pub(super) async fn begin(
    Shared(state): Shared<Arc<State>>,
    Path(bucket): Path<String>,
    Query(query): Params,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    admit(&state, &headers)?;
    let conditions = Conditions::of(&query, "")?;
    let content_type = text(&headers, header::CONTENT_TYPE.as_str());
    let given = query.get("name").map(String::as_str).unwrap_or_default();
    let object = match query.get("uploadType").map(String::as_str) {
        Some("media") => store(&state, &bucket, given, body, content_type, &Value::Null, conditions)?,
        Some("multipart") => {
            let (metadata, content_type, bytes) = parts(content_type, &body)?;
            let name = named(given, &metadata);
            return Ok(describe(
                &bucket,
                name,
                &store(&state, &bucket, name, bytes, &content_type, &metadata, conditions)?,
                &query,
            ));
        }
        Some("resumable") => return session(&state, &bucket, given, &headers, &body, conditions),
        _ => return Err(Refusal::invalid("Invalid uploadType")),
    };
    Ok(describe(&bucket, given, &object, &query))
}

fn describe(bucket: &str, name: &str, object: &Object, query: &HashMap<String, String>) -> Response {
    Json(mask::apply(object.resource(bucket, name), query.get("fields"))).into_response()
}

/// The name in the metadata counts where there is none in the query.
fn named<'a>(given: &'a str, metadata: &'a Value) -> &'a str {
    if given.is_empty() { metadata.get("name").and_then(Value::as_str).unwrap_or_default() } else { given }
}

/// Writes what is whole, if it is what its checksum says.
fn store(
    state: &State,
    bucket: &str,
    name: &str,
    bytes: Bytes,
    content_type: &str,
    metadata: &Value,
    conditions: Conditions,
) -> Result<Object, Refusal> {
    let field = |name: &str| metadata.get(name).and_then(Value::as_str);
    if let Some(sum) = field("crc32c").filter(|sum| *sum != crc32c(&bytes)) {
        let message =
            format!("Provided CRC32C \"{sum}\" doesn't match calculated CRC32C \"{}\".", crc32c(&bytes));
        return Err(Refusal::invalid(message));
    }
    let content_type = field("contentType").unwrap_or(content_type);
    state.world().write(bucket, name, bytes, content_type, conditions)
}

/// Metadata, and content with its type, from a body of `multipart/related`
/// (<https://cloud.google.com/storage/docs/uploading-objects#rest-upload-objects>). A part behind them may hold a checksum.
fn parts(content_type: &str, body: &Bytes) -> Result<(Value, String, Bytes), Refusal> {
    let malformed = || Refusal::invalid("Malformed multipart body.");
    let boundary = content_type.split("boundary=").nth(1).ok_or_else(malformed)?;
    let boundary = boundary.split(';').next().unwrap_or_default().trim().trim_matches(['"', '\'']);
    let delimiter = format!("--{boundary}");
    let mut found: Vec<(String, Bytes)> = Vec::new();
    let ends: Vec<usize> = memmem::find_iter(body, &delimiter).collect();
    for pair in ends.windows(2) {
        let [from, to] = pair else { continue };
        let part = body.slice(from + delimiter.len()..*to);
        let head = memmem::find(&part, b"\r\n\r\n").ok_or_else(malformed)?;
        let headers = String::from_utf8_lossy(part.get(..head).unwrap_or_default()).to_ascii_lowercase();
        let kind = headers.lines().find_map(|line| line.strip_prefix("content-type:")).unwrap_or_default();
        // A line break belongs to the boundary behind it.
        let end = part.len().checked_sub(2).filter(|end| *end >= head + 4).ok_or_else(malformed)?;
        found.push((kind.trim().to_owned(), part.slice(head + 4..end)));
    }
    let mut found = found.into_iter();
    let (Some((_, metadata)), Some((kind, bytes))) = (found.next(), found.next()) else {
        return Err(malformed());
    };
    let mut metadata: Value = serde_json::from_slice(&metadata).map_err(|_| malformed())?;
    if let Some((_, trailer)) = found.next()
        && let Ok(Value::Object(trailer)) = serde_json::from_slice(&trailer)
        && let Some(metadata) = metadata.as_object_mut()
    {
        metadata.extend(trailer);
    }
    Ok((metadata, kind, bytes))
}

/// <https://cloud.google.com/storage/docs/performing-resumable-uploads#initiate-session>
fn session(
    state: &State,
    bucket: &str,
    given: &str,
    headers: &HeaderMap,
    body: &[u8],
    conditions: Conditions,
) -> Result<Response, Refusal> {
    let metadata = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(body) };
    let metadata: Value = metadata.map_err(|_| Refusal::invalid("Malformed metadata."))?;
    let session = Session {
        bucket: bucket.to_owned(),
        name: named(given, &metadata).to_owned(),
        metadata,
        content_type: text(headers, "x-upload-content-type").to_owned(),
        conditions,
        bytes: Vec::new(),
        done: None,
    };
    let mut world = state.world();
    // What cannot be now is not begun.
    session.conditions.check(world.bucket(bucket)?.get(&session.name), false)?;
    let id = Uuid::new_v4().simple().to_string();
    let host = text(headers, "host");
    let url = format!("http://{host}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={id}");
    world.sessions.insert(id, session);
    Ok((StatusCode::OK, [(header::LOCATION, url)], "").into_response())
}

/// <https://cloud.google.com/storage/docs/performing-resumable-uploads#chunked-upload>. Whoever has the URL of a session
/// may go on with it.
pub(super) async fn go_on(
    Shared(state): Shared<Arc<State>>,
    Query(query): Params,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let id = query.get("upload_id").map(String::as_str).unwrap_or_default();
    let mut world = state.world();
    let Some(session) = world.sessions.get_mut(id) else {
        return Err(Refusal::invalid("There is no such session."));
    };
    if let Some(object) = &session.done {
        return Ok(describe(&session.bucket, &session.name, object, &query));
    }
    let range = text(&headers, header::CONTENT_RANGE.as_str());
    let (span, total) =
        range.strip_prefix("bytes ").and_then(|range| range.split_once('/')).unwrap_or(("0-", "*"));
    if span != "*" {
        let from: usize = span.split('-').next().unwrap_or_default().parse().unwrap_or(usize::MAX);
        if from > session.bytes.len() {
            return Err(Refusal::invalid("Invalid range: it leaves a gap."));
        }
        // What came before is not taken again.
        let known = session.bytes.len() - from;
        session.bytes.extend_from_slice(body.get(known..).unwrap_or_default());
    }
    // Without a range it is all there is.
    let whole = range.is_empty() || total.parse() == Ok(session.bytes.len());
    if !whole {
        let mut answer = StatusCode::PERMANENT_REDIRECT.into_response();
        if let Some(last) = session.bytes.len().checked_sub(1)
            && let Ok(range) = format!("bytes=0-{last}").parse()
        {
            answer.headers_mut().insert(header::RANGE, range);
        }
        return Ok(answer);
    }
    let (bucket, name) = (session.bucket.clone(), session.name.clone());
    let (metadata, content_type) = (session.metadata.clone(), session.content_type.clone());
    let (bytes, conditions) = (Bytes::from(std::mem::take(&mut session.bytes)), session.conditions);
    drop(world);
    // Again: it is the end that counts.
    let object = store(&state, &bucket, &name, bytes, &content_type, &metadata, conditions)?;
    if let Some(session) = state.world().sessions.get_mut(id) {
        session.done = Some(object.clone());
    }
    Ok(describe(&bucket, &name, &object, &query))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_falls_into_its_parts() {
        let body = "--x\r\nContent-Type: application/json\r\n\r\n{\"name\": \"k\"}\r\n--x\r\n\
                    content-type: text/plain\r\n\r\none\r\ntwo\r\n--x\r\ncontent-type: application/json\r\n\r\n\
                    {\"crc32c\": \"AAAAAA==\"}\r\n--x--\r\n";
        for content_type in ["multipart/related; boundary=x", "multipart/related; boundary=\"x\""] {
            let (metadata, kind, bytes) = parts(content_type, &Bytes::from(body)).expect("parts");
            assert_eq!(metadata, serde_json::json!({"name": "k", "crc32c": "AAAAAA=="}));
            assert_eq!((kind.as_str(), &bytes[..]), ("text/plain", &b"one\r\ntwo"[..]));
        }
        for broken in ["", "--x\r\n\r\n{}\r\n--x--", "--x\r\n--x\r\n--x--", "--x--x--x"] {
            assert!(parts("multipart/related; boundary=x", &Bytes::from(broken)).is_err(), "{broken:?}");
        }
    }
}
