//! Of the XML API (<https://cloud.google.com/storage/docs/xml-api/overview>) what signed URLs are for: an object is read,
//! written, looked at and deleted. The same with a token.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use percent_encoding::percent_decode_str;

use super::State;
use super::json::{admit, content};
use super::refusal::Refusal;
use super::signature;
use super::world::Conditions;

pub(super) async fn serve(
    Shared(state): Shared<Arc<State>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(&state, &method, &uri, &headers, body).unwrap_or_else(Refusal::xml)
}

fn answer(
    state: &State,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    if uri.query().is_some_and(|query| query.contains("X-Goog-")) {
        signature::check(&state.account, method, uri, headers)?;
    } else {
        admit(state, headers)?;
    }
    let decode = |text: &str| percent_decode_str(text).decode_utf8().map(std::borrow::Cow::into_owned);
    let (bucket, name) = uri.path().trim_start_matches('/').split_once('/').ok_or_else(Refusal::method)?;
    let (Ok(bucket), Ok(name)) = (decode(bucket), decode(name)) else {
        return Err(Refusal::invalid("Names are UTF-8."));
    };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let generation = text("x-goog-if-generation-match").map(str::parse).transpose();
    let generation = generation.map_err(|_| Refusal::invalid("Invalid x-goog-if-generation-match"))?;
    let conditions = Conditions::generation(generation);
    match *method {
        Method::GET | Method::HEAD => {
            content(&state.world().read(&bucket, &name, None, conditions)?, headers)
        }
        Method::PUT => {
            // https://cloud.google.com/storage/docs/xml-api/reference-headers#xgoogcontentlengthrange
            if let Some(range) = text("x-goog-content-length-range") {
                let bounds = range.split_once(',').and_then(|(least, most)| {
                    Some((least.trim().parse::<usize>().ok()?, most.trim().parse::<usize>().ok()?))
                });
                let (least, most) = bounds.ok_or_else(|| Refusal::invalid("Invalid range of lengths"))?;
                if !(least..=most).contains(&body.len()) {
                    return Err(Refusal::size(body.len() > most));
                }
            }
            let content_type = text("content-type").unwrap_or_default();
            let object = state.world().write(&bucket, &name, body, content_type, conditions)?;
            let headers = [("x-goog-generation", object.generation.to_string()), ("etag", object.etag())];
            Ok((StatusCode::OK, headers, "").into_response())
        }
        Method::DELETE => {
            state.world().delete(&bucket, &name, conditions)?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        _ => Err(Refusal::method()),
    }
}
