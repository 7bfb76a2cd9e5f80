//! `GET /api/profile`: every application that has a base profile, of those that who asks may know of.

use autopgo_core::api::Profiles;
use autopgo_core::server::Server;
use axum::extract::State;
use axum::{Extension, Json};

use crate::access::gate::Holder;
use crate::fail::Failure;

/// 200 and the list, by name.
pub(crate) async fn list(
    State(server): State<Server>,
    Extension(holder): Extension<Holder>,
) -> Result<Json<Profiles>, Failure> {
    let mut profiles = server.list().await?;
    profiles.retain(|line| holder.reaches(&line.key));
    Ok(Json(Profiles { profiles }))
}
