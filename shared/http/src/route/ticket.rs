//! `POST /api/profile/{app}/uploads` gives a ticket for an upload that goes straight into the store;
//! `POST /api/profile/{app}/uploads/{id}` completes it.

use autopgo_core::api::{Announced, Ticket, Uploaded};
use autopgo_core::key::Id;
use autopgo_core::server::Server;
use axum::Json;
use axum::extract::{RawPathParams, Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, StatusCode};

use super::name::Named;
use super::upload::idempotency_key;
use crate::fail::Failure;
use crate::guard::body::{self, Patience};

/// The most that the JSON of a request may have, in bytes.
const JSON_BYTES: u64 = 4 << 10;

/// 200 and a ticket; 501 where the store cannot sign.
pub(crate) async fn ask(
    State(server): State<Server>,
    Named(app): Named,
    headers: HeaderMap,
    request: Request,
) -> Result<([(axum::http::HeaderName, &'static str); 1], Json<Ticket>), Failure> {
    let idempotency_key = idempotency_key(&headers)?;
    let patience = Patience { silence: server.host().limits.idle_timeout, ..Patience::SHORT };
    let body = body::whole(request.into_body(), JSON_BYTES, patience, || wrong("it is far too long")).await?;
    let Announced { size } = serde_json::from_slice(&body).map_err(|error| wrong(&error.to_string()))?;
    let ticket = server.ticket(&app, size, idempotency_key).await?.ok_or_else(|| {
        Failure::new(
            StatusCode::NOT_IMPLEMENTED,
            "the store behind this server signs no uploads; send the profile to it as a plain POST",
        )
    })?;
    // Whoever has it may put the upload.
    Ok(([(CACHE_CONTROL, "no-store")], Json(ticket)))
}

/// 201 and where the upload lies, as for a plain one.
pub(crate) async fn complete(
    State(server): State<Server>,
    Named(app): Named,
    params: RawPathParams,
) -> Result<(StatusCode, Json<Uploaded>), Failure> {
    let id = params.iter().find_map(|(name, value)| (name == "id").then(|| Id::parse(value))?);
    let id = id.ok_or_else(|| {
        Failure::new(StatusCode::NOT_FOUND, format!("there is no such ticket of {app}; ask for one first"))
    })?;
    let key = server.complete(&app, &id).await?;
    Ok((StatusCode::CREATED, Json(Uploaded { key: key.to_string() })))
}

fn wrong(why: &str) -> Failure {
    Failure::new(
        StatusCode::BAD_REQUEST,
        format!("the body is no JSON of the form {{\"size\": bytes of the upload}}: {why}"),
    )
}
