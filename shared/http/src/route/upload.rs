//! `POST /api/profile/{app}`: the body is a profile.
//!
//! Its `Content-Type` says nothing that its first bytes do not say better, so any will do. `Content-Encoding: gzip` is
//! taken as what it most often is: the profile's own gzip, named by a client that saw it. So one layer of gzip is
//! right with the header or without it, and two are refused as such.

use autopgo_core::api::{IDEMPOTENCY_KEY, Uploaded};
use autopgo_core::server::Server;
use axum::Json;
use axum::extract::State;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::name::Named;
use crate::fail::Failure;
use crate::guard::body::Whole;

/// Stages a profile: 201 and where it lies.
pub(crate) async fn upload(
    State(server): State<Server>,
    Named(app): Named,
    headers: HeaderMap,
    whole: Encoded,
) -> Result<(StatusCode, Json<Uploaded>), Failure> {
    let idempotency_key = headers
        .get(IDEMPOTENCY_KEY)
        .map(|key| key.to_str())
        .transpose()
        .map_err(|_| Failure::new(StatusCode::BAD_REQUEST, "the Idempotency-Key is no UUID version 7"))?;
    let key = server.upload(&app, whole.0, idempotency_key).await?;
    Ok((StatusCode::CREATED, Json(Uploaded { key: key.to_string() })))
}
