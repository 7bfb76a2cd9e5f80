//! What stands before the functions: everything goes to the platform, but for what a store would serve by itself.

use std::sync::Arc;

use autopgo_core::api;
use axum::Router;
use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;

use super::platform::Platform;

/// Requests below `prefix` for signed objects go to `around`, and all others to `platform`, as they are.
pub(super) fn router(platform: Arc<dyn Platform>, prefix: String, around: Router) -> Router {
    let prefix: Arc<str> = prefix.into();
    Router::new().fallback(move |request: Request| {
        let (platform, prefix, around) = (Arc::clone(&platform), Arc::clone(&prefix), around.clone());
        async move { answer(&*platform, &prefix, around, request).await }
    })
}

async fn answer(platform: &dyn Platform, prefix: &str, around: Router, mut request: Request) -> Response {
    let Some(uri) = within(request.uri(), prefix).filter(|uri| is_object(uri.path())) else {
        return platform.request(request).await;
    };
    *request.uri_mut() = uri;
    match around.oneshot(request).await {
        Ok(response) => response,
        Err(never) => never.into_response(),
    }
}

fn is_object(path: &str) -> bool {
    path.strip_prefix(api::OBJECTS).is_some_and(|rest| rest.starts_with('/'))
}

/// `uri` without `prefix`; `None` if it is not below it.
pub(super) fn within(uri: &Uri, prefix: &str) -> Option<Uri> {
    let whole = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let rest = whole.strip_prefix(prefix)?;
    match rest.chars().next() {
        Some('/') => rest.parse().ok(),
        None | Some('?') => format!("/{rest}").parse().ok(),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uri: &str, prefix: &str, expected: Option<&str>) {
        let uri: Uri = uri.parse().expect("a URI");
        assert_eq!(within(&uri, prefix).map(|uri| uri.to_string()).as_deref(), expected, "{uri} {prefix}");
    }

    #[test]
    fn a_prefix_is_whole_parts_of_a_path() {
        check("/api/profile?a=b", "", Some("/api/profile?a=b"));
        check("/prod/api/profile?a=b", "/prod", Some("/api/profile?a=b"));
        check("/prod", "/prod", Some("/"));
        check("/prod?a=b", "/prod", Some("/?a=b"));
        check("/production/api", "/prod", None);
        check("/api", "/prod", None);
        check("http://host/prod/x%2fy", "/prod", Some("/x%2fy"));
    }

    #[test]
    fn only_objects_go_around() {
        assert!(is_object("/api/objects/a/default.pgo"));
        for path in ["/api/objects", "/api/objectsx/a", "/api/profile/objects", "/objects/a"] {
            assert!(!is_object(path), "{path}");
        }
    }
}
