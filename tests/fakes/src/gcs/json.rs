//! The JSON API (<https://cloud.google.com/storage/docs/json_api/v1>) but for uploads.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State as Shared};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::State;
use super::mask;
use super::refusal::Refusal;
use super::world::{Conditions, Object};

type Params = Query<HashMap<String, String>>;

/// A page has no more than this.
const PAGE: usize = 1000;

/// Whoever asks is the account.
pub(super) fn admit(state: &State, headers: &HeaderMap) -> Result<(), Refusal> {
    let header = headers.get(header::AUTHORIZATION).ok_or_else(Refusal::nobody)?;
    let token = header.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
    if token.is_some_and(|token| state.account.bears(token)) { Ok(()) } else { Err(Refusal::stranger()) }
}

/// Gives a token for an assertion: no part of storage, but where its clients get theirs
/// (<https://developers.google.com/identity/protocols/oauth2/service-account#httprest>).
pub(super) async fn token(Shared(state): Shared<Arc<State>>, body: Bytes) -> Response {
    let text = String::from_utf8_lossy(&body);
    let field = |name: &str| text.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let token = field("assertion").and_then(|assertion| state.account.token(assertion));
    match token {
        Some(token) => {
            Json(json!({"access_token": token, "expires_in": 3600, "token_type": "Bearer"})).into_response()
        }
        None => {
            let body = json!({"error": "invalid_grant", "error_description": "Invalid JWT Signature."});
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }
    }
}

/// <https://cloud.google.com/storage/docs/json_api/v1/buckets/insert>
pub(super) async fn make(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    Json(bucket): Json<Value>,
) -> Result<Json<Value>, Refusal> {
    admit(&state, &headers)?;
    let name = bucket.get("name").and_then(Value::as_str).ok_or_else(|| Refusal::invalid("Required"))?;
    if !state.world().make(name) {
        return Err(Refusal::taken());
    }
    Ok(Json(described(name)))
}

/// <https://cloud.google.com/storage/docs/json_api/v1/buckets/get>
pub(super) async fn bucket(
    Shared(state): Shared<Arc<State>>,
    Path(bucket): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    admit(&state, &headers)?;
    state.world().bucket(&bucket)?;
    Ok(Json(described(&bucket)))
}

fn described(bucket: &str) -> Value {
    json!({"kind": "storage#bucket", "id": bucket, "name": bucket, "location": "EU", "storageClass": "STANDARD",
        "metageneration": "1"})
}

/// <https://cloud.google.com/storage/docs/json_api/v1/objects/list>
pub(super) async fn list(
    Shared(state): Shared<Arc<State>>,
    Path(bucket): Path<String>,
    Query(query): Params,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    admit(&state, &headers)?;
    let text = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let most = match text("maxResults") {
        "" => PAGE,
        text => text.parse::<usize>().map_err(|_| Refusal::invalid("Invalid maxResults"))?.clamp(1, PAGE),
    };
    // A token says where the page before it ended.
    let behind = match text("pageToken") {
        "" => None,
        token => {
            let name =
                BASE64_URL_SAFE_NO_PAD.decode(token).ok().and_then(|name| String::from_utf8(name).ok());
            Some(name.ok_or_else(|| Refusal::invalid("Invalid pageToken"))?)
        }
    };
    let world = state.world();
    // Names are sorted by their bytes; an offset is inclusive, an end is not.
    let mut found = world.bucket(&bucket)?.iter().filter(|(name, _)| {
        name.starts_with(text("prefix"))
            && name.as_str() >= text("startOffset")
            && (text("endOffset").is_empty() || name.as_str() < text("endOffset"))
            && behind.as_ref().is_none_or(|behind| *name > behind)
    });
    let page: Vec<_> = found.by_ref().take(most).collect();
    let mut answer = json!({"kind": "storage#objects"});
    if found.next().is_some()
        && let Some((last, _)) = page.last()
    {
        answer["nextPageToken"] = BASE64_URL_SAFE_NO_PAD.encode(last).into();
    }
    if !page.is_empty() {
        answer["items"] = page.iter().map(|(name, object)| object.resource(&bucket, name)).collect();
    }
    Ok(Json(mask::apply(answer, query.get("fields"))))
}

/// <https://cloud.google.com/storage/docs/json_api/v1/objects/get>, with `alt=media` the content.
pub(super) async fn object(
    Shared(state): Shared<Arc<State>>,
    Path((bucket, name)): Path<(String, String)>,
    Query(query): Params,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    admit(&state, &headers)?;
    let generation = query.get("generation").map(|text| text.parse()).transpose();
    let generation = generation.map_err(|_| Refusal::invalid("Invalid generation"))?;
    let object = state.world().read(&bucket, &name, generation, Conditions::of(&query, "")?)?;
    if query.get("alt").is_some_and(|alt| alt == "media") {
        return content(&object, &headers);
    }
    Ok(Json(mask::apply(object.resource(&bucket, &name), query.get("fields"))).into_response())
}

/// The content of an object, or a part of it.
pub(super) fn content(object: &Object, headers: &HeaderMap) -> Result<Response, Refusal> {
    let whole = object.bytes.len();
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let (status, bytes, range) = match range.and_then(|range| part(range, whole)) {
        None => (StatusCode::OK, object.bytes.clone(), None),
        Some((from, to)) if from < to => {
            let shown = format!("bytes {from}-{}/{whole}", to - 1);
            (StatusCode::PARTIAL_CONTENT, object.bytes.slice(from..to), Some(shown))
        }
        Some(_) => return Ok((StatusCode::RANGE_NOT_SATISFIABLE, "").into_response()),
    };
    let mut answer = (status, bytes).into_response();
    for (name, value) in [
        ("content-type", object.content_type.clone()),
        ("etag", object.etag()),
        ("last-modified", object.written.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()),
        ("x-goog-generation", object.generation.to_string()),
        ("x-goog-metageneration", "1".to_owned()),
        ("x-goog-storage-class", "STANDARD".to_owned()),
        ("x-goog-stored-content-encoding", "identity".to_owned()),
        ("x-goog-stored-content-length", whole.to_string()),
        ("x-goog-hash", format!("crc32c={}", object.crc32c())),
        ("content-range", range.unwrap_or_default()),
    ] {
        if let (false, Ok(value)) = (value.is_empty(), value.parse()) {
            answer.headers_mut().insert(name, value);
        }
    }
    Ok(answer)
}

/// From where to where a `Range` of one part goes, of `whole` bytes.
fn part(range: &str, whole: usize) -> Option<(usize, usize)> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    match (from, to) {
        ("", last) => Some((whole.saturating_sub(last.parse().ok()?), whole)),
        (from, "") => Some((from.parse().ok()?, whole)),
        (from, to) => Some((from.parse().ok()?, whole.min(to.parse::<usize>().ok()?.checked_add(1)?))),
    }
}

/// <https://cloud.google.com/storage/docs/json_api/v1/objects/delete>
pub(super) async fn delete(
    Shared(state): Shared<Arc<State>>,
    Path((bucket, name)): Path<(String, String)>,
    Query(query): Params,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    admit(&state, &headers)?;
    state.world().delete(&bucket, &name, Conditions::of(&query, "")?)?;
    Ok(StatusCode::NO_CONTENT)
}

type Copied = Path<(String, String, String, String)>;

/// <https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite>. Here one of what is large takes two steps, so that
/// clients are seen to take the second.
pub(super) async fn rewrite(
    Shared(state): Shared<Arc<State>>,
    Path((bucket, name, to_bucket, to)): Copied,
    Query(query): Params,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    admit(&state, &headers)?;
    let mut world = state.world();
    let object = world.read(&bucket, &name, None, Conditions::of(&query, "Source")?)?;
    let size = object.bytes.len().to_string();
    let token =
        BASE64_URL_SAFE_NO_PAD.encode(format!("{}/{bucket}/{name}/{to_bucket}/{to}", object.generation));
    let answer = match query.get("rewriteToken") {
        Some(given) if *given != token => return Err(Refusal::invalid("Invalid rewrite token")),
        None if object.bytes.len() > REWRITTEN_AT_ONCE => {
            world.bucket(&to_bucket)?;
            let done = REWRITTEN_AT_ONCE.to_string();
            json!({"kind": "storage#rewriteResponse", "done": false, "objectSize": size,
                "totalBytesRewritten": done, "rewriteToken": token})
        }
        _ => {
            let conditions = Conditions::of(&query, "")?;
            let copy = world.write(&to_bucket, &to, object.bytes, &object.content_type, conditions)?;
            json!({"kind": "storage#rewriteResponse", "done": true, "objectSize": size,
                "totalBytesRewritten": size, "resource": copy.resource(&to_bucket, &to)})
        }
    };
    Ok(Json(mask::apply(answer, query.get("fields"))))
}

const REWRITTEN_AT_ONCE: usize = 64 << 10;

/// <https://cloud.google.com/storage/docs/json_api/v1/objects/copy>
pub(super) async fn copy(
    Shared(state): Shared<Arc<State>>,
    Path((bucket, name, to_bucket, to)): Copied,
    Query(query): Params,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    admit(&state, &headers)?;
    let mut world = state.world();
    let object = world.read(&bucket, &name, None, Conditions::of(&query, "Source")?)?;
    let conditions = Conditions::of(&query, "")?;
    let copy = world.write(&to_bucket, &to, object.bytes, &object.content_type, conditions)?;
    Ok(Json(mask::apply(copy.resource(&to_bucket, &to), query.get("fields"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_of_one_part() {
        for (range, expected) in [
            ("bytes=0-", Some((0, 10))),
            ("bytes=3-5", Some((3, 6))),
            ("bytes=3-99", Some((3, 10))),
            ("bytes=-4", Some((6, 10))),
            ("bytes=-40", Some((0, 10))),
            ("bytes=10-", Some((10, 10))),
            ("bytes=1-2,4-5", None),
            ("lines=1-2", None),
        ] {
            assert_eq!(part(range, 10), expected, "{range}");
        }
    }
}
