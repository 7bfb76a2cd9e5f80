//! `POST /api/profile/{app}`: the body is a profile.
//!
//! Its `Content-Type` says nothing that its first bytes do not say better, so any will do. `Content-Encoding: gzip` is
//! taken as what it most often is: the profile's own gzip, named by a client that saw it. So one layer of gzip is
//! right with the header or without it, and two are refused as such.

use autopgo_core::api::{IDEMPOTENCY_KEY, Uploaded};
use autopgo_core::server::Server;
use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::header::CONTENT_ENCODING;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};

use super::name::Named;
use crate::fail::Failure;
use crate::guard::body::Whole;

/// Stages a profile: 201 and where it lies.
pub(crate) async fn upload(
    State(server): State<Server>,
    Named(app): Named,
    _: Readable,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<(StatusCode, Json<Uploaded>), Failure> {
    let key = server.upload(&app, body, idempotency_key(&headers)?).await?;
    Ok((StatusCode::CREATED, Json(Uploaded { key: key.to_string() })))
}

/// The key that makes a retry the same upload.
///
/// # Errors
/// 400 for what is no text; what else is wrong with it, the server says.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Failure> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    key.to_str().map(Some).map_err(|_| {
        Failure::new(
            StatusCode::BAD_REQUEST,
            "the Idempotency-Key is no UUID version 7; make a fresh one for each upload",
        )
    })
}

/// A body in no encoding that would have to be undone, asked before any of it is read.
pub(crate) struct Readable;

impl<S: Send + Sync> FromRequestParts<S> for Readable {
    type Rejection = Failure;

    /// # Errors
    /// 415 for anything but gzip.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let readable = |encoding: &str| {
            ["", "identity", "gzip", "x-gzip"].contains(&encoding.to_ascii_lowercase().as_str())
        };
        let encodings = parts.headers.get_all(CONTENT_ENCODING);
        if encodings.iter().all(|value| value.to_str().is_ok_and(|encoding| readable(encoding.trim()))) {
            return Ok(Self);
        }
        Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the Content-Encoding is not one that this server undoes; send the profile as it is, gzip or not",
        ))
    }
}
