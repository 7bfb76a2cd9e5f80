//! The application's name in a path, checked before anything of the request is read.

use autopgo_core::app::App;
use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;

use serde::Deserialize;

use crate::fail::Failure;

/// What of a path is a name.
#[derive(Deserialize)]
struct Params {
    app: String,
}

/// The name that a path names.
pub(crate) struct Named(pub(crate) App);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Failure;

    /// # Errors
    /// 400 for what is no name once its percent-encoding is undone: `%2f` is a slash, and no name has one.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Path(Params { app }) = Path::from_request_parts(parts, state).await.map_err(|_| {
            Failure::new(
                StatusCode::BAD_REQUEST,
                "the application name is not UTF-8 once its percent-encoding is undone",
            )
        })?;
        Ok(Self(App::parse(&app)?))
    }
}

/// `/api/profile/`: a name that is empty, most often a variable that was not set in somebody's script.
pub(crate) async fn none() -> Result<(), Failure> {
    App::parse("").map(drop).map_err(Failure::from)
}
