//! `GET /api/profile`: every application that has a base profile.

use autopgo_core::api::Profiles;
use autopgo_core::server::Server;
use axum::Json;
use axum::extract::State;

use crate::fail::Failure;

/// 200 and the list, by name.
pub(crate) async fn list(State(server): State<Server>) -> Result<Json<Profiles>, Failure> {
    Ok(Json(Profiles { profiles: server.list().await? }))
}
