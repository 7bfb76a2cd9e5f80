//! `DELETE /api/profile/{app}`: the base profile and all that was accepted for it go.

use autopgo_core::api::Deleted;
use autopgo_core::server::Server;
use axum::Json;
use axum::extract::State;

use super::name::Named;
use crate::fail::Failure;

/// 200 and `{}` once it is gone for good.
pub(crate) async fn delete(
    State(server): State<Server>,
    Named(app): Named,
) -> Result<Json<Deleted>, Failure> {
    server.delete(&app).await?;
    Ok(Json(Deleted {}))
}
