//! The whole API on one screen.

use autopgo_core::api;
use autopgo_core::health::Checks;
use autopgo_core::server::Server;
use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{any, delete, get, post};

use crate::access::Scope::{Delete, Download, Upload};
use crate::access::{Access, gate};
use crate::fail::Failure;
use crate::guard::{Room, admit};
use crate::log::{self, observe};
use crate::objects::Objects;
use crate::route::object::{self, Shelf};
use crate::route::{delete, download, health, list, metrics, name, ticket, upload};

/// The API of a host: what it is made of, and its router.
pub struct Api {
    server: Server,
    checks: Checks,
    access: Access,
    objects: Option<Objects>,
}

impl Api {
    /// The API over `server`, with `checks` behind `/api/health`, for those whom `access` lets in. Its limits are the
    /// server's.
    pub fn new(server: Server, checks: Checks, access: Access) -> Self {
        Self { server, checks, access, objects: None }
    }

    /// The same for a process that is its own store: the URLs that `objects` signs lead back here. The server's store
    /// must be `objects`.
    #[must_use]
    pub fn objects(self, objects: Objects) -> Self {
        Self { objects: Some(objects), ..self }
    }

    /// Its routes.
    ///
    /// Health and readiness are answered however full the server is, and so is `/metrics`, in a process that keeps some
    /// (`process::metrics::install`). Every error is `{"message", "code"}`, every answer has an `x-request-id`, every
    /// request a line in the log.
    pub fn router(self) -> Router {
        let Self { server, checks, access, objects } = self;
        let limits = server.host().limits.clone();
        let room = Room::new(limits.requests);
        let app = |scope, route| gate::app(&access, scope, route);
        let profile = app(Download, get(download::download))
            .merge(app(Upload, post(upload::upload)))
            .merge(app(Delete, delete(delete::delete)));
        let mut api = Router::new()
            .route(api::PROFILES, gate::all(&access, Download, get(list::list)))
            .route("/api/profile/", any(name::none))
            .route("/api/profile/{app}", profile)
            .route("/api/profile/{app}/uploads", app(Upload, post(ticket::ask)))
            .route("/api/profile/{app}/uploads/{id}", app(Upload, post(ticket::complete)))
            .with_state(server);
        if let Some(objects) = objects {
            // No gate: each URL carries its own leave.
            let shelf = Shelf { objects, limits };
            let route = format!("{}/{{*key}}", api::OBJECTS);
            api = api.merge(Router::new().route(&route, get(object::get).put(object::put)).with_state(shelf));
        }
        let metrics = metrics::routes(&access);
        finished(
            api.layer(from_fn_with_state(room, admit)).merge(health::routes(checks, access)).merge(metrics),
            "/api/profile, /api/profile/{app}, /api/profile/{app}/uploads, /api/health and /api/ready",
        )
    }
}

/// `routes` with what every router of ours has around them: an answer to unknown paths and methods, ids, log lines.
/// `served` says what there is instead.
pub(crate) fn finished(routes: Router, served: &'static str) -> Router {
    log::describe();
    let unknown = move |uri: Uri| async move {
        let slashes = uri.path().contains("//") || uri.path().ends_with('/');
        let hint = if slashes { "; a path has no empty part and no slash at its end" } else { "" };
        let what = format!("there is nothing at this path; there is {served}{hint}");
        ([(api::UNKNOWN_PATH, "true")], Failure::new(StatusCode::NOT_FOUND, what))
    };
    // Which methods there are is in `Allow`, which axum adds.
    let wrong = |method: Method| async move {
        // A method is any word of the client's; its characters are those of a token, its length is not bounded.
        let method: String = method.as_str().chars().take(20).collect();
        Failure::new(
            StatusCode::METHOD_NOT_ALLOWED,
            format!("{method} is not possible here; see the allow header"),
        )
    };
    routes.method_not_allowed_fallback(wrong).fallback(unknown).layer(from_fn(observe))
}
