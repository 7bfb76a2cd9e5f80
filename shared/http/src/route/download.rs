//! `GET /api/profile/{app}`: the base profile, whole or compacted, unless the client has it already.

use autopgo_core::api::{Form, PROFILE_TYPE};
use autopgo_core::error::{Error, Kind};
use autopgo_core::server::{Downloaded, Server};
use axum::extract::{FromRequestParts, Query, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, LAST_MODIFIED, LOCATION,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::fmt::rfc2822::DateTimePrinter;
use serde::Deserialize;

use super::etag::Known;
use super::name::Named;
use crate::fail::Failure;

/// 200 and the profile, 304 if the client knows this state of it, 307 to the store if it is more than this host sends.
pub(crate) async fn download(
    State(server): State<Server>,
    Named(app): Named,
    Asked { form }: Asked,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let known = Known::by(&headers);
    let mut response = match server.download(&app, form, &|etag| known.has(etag)).await? {
        Downloaded::Unchanged { etag } => (StatusCode::NOT_MODIFIED, [(ETAG, value(&etag)?)]).into_response(),
        Downloaded::Elsewhere(signed) => {
            // The URL is good for a while only, and only for whoever asked: nobody on the way may keep it.
            let headers =
                [(LOCATION, location(&signed.url)?), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            return Ok((StatusCode::TEMPORARY_REDIRECT, headers).into_response());
        }
        Downloaded::Profile(profile) => {
            let modified = DateTimePrinter::new().timestamp_to_rfc9110_string(&profile.modified);
            let modified = modified.map_err(|error| {
                Error::new(Kind::Internal, format!("writing the date {}", profile.modified)).because(error)
            })?;
            let headers = [
                (ETAG, value(&profile.etag)?),
                (LAST_MODIFIED, value(&modified)?),
                (CONTENT_TYPE, HeaderValue::from_static(PROFILE_TYPE)),
                (CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"default.pgo\"")),
                // Said here, so that an answer to HEAD has it too.
                (CONTENT_LENGTH, profile.bytes.len().into()),
            ];
            (headers, profile.bytes).into_response()
        }
    };
    // A cache on the way may keep it, but must ask: the next build wants the newest.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

fn value(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text)
        .map_err(|error| Error::new(Kind::Internal, format!("{text:?} as a header")).because(error))
}

/// A URL whose signature is nobody's to see, in an error neither.
fn location(url: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(url)
        .map_err(|error| Error::new(Kind::Internal, "a signed URL as a header").because(error))
}

/// What of the query concerns a download.
#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    form: Form,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Failure;

    /// # Errors
    /// 400 for another form than there is.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(asked),
            Err(_) => Err(Failure::new(
                StatusCode::BAD_REQUEST,
                "the query is wrong: use form=full or form=compact, once",
            )),
        }
    }
}
