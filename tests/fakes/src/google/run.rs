//! A Cloud Run service that is not open to everybody.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use tower::ServiceExt;

use super::Kept;
use crate::server::{self, Server};

/// Cloud Run's own header, which goes before the other.
const BESIDE: &str = "x-serverless-authorization";

/// A service on the loopback address, until it is dropped.
pub struct CloudRun {
    server: Server,
    guard: Arc<Guard>,
}

struct Guard {
    api: Router,
    google: Arc<Kept>,
    invokers: Vec<String>,
    audiences: Vec<String>,
    seen: Mutex<Vec<HeaderMap>>,
}

impl CloudRun {
    pub(super) fn start(
        api: Router,
        google: Arc<Kept>,
        invokers: &[&str],
        audiences: &[&str],
    ) -> io::Result<Self> {
        let (listener, address) = server::listen(0)?;
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut audiences = own(audiences);
        audiences.push(format!("http://{address}"));
        let seen = Mutex::default();
        let guard = Arc::new(Guard { api, google, invokers: own(invokers), audiences, seen });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&guard));
        Ok(Self { server: Server::start(listener, router)?, guard })
    }

    /// Where it is: also the audience that it takes.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// The headers of what was let through, as they came.
    pub fn seen(&self) -> Vec<HeaderMap> {
        self.guard.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn pass(State(guard): State<Arc<Guard>>, mut request: Request) -> Response {
    let headers = request.headers();
    let name = if headers.contains_key(BESIDE) { BESIDE } else { header::AUTHORIZATION.as_str() };
    let Some(value) = headers.get(name) else {
        return refusal(StatusCode::FORBIDDEN, "403 Forbidden");
    };
    let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let claims = token.as_deref().and_then(|token| guard.google.issuer.claims(token));
    let Some((token, claims)) = token.zip(claims.filter(|claims| guard.audiences.contains(&claims.audience)))
    else {
        let mut response = refusal(StatusCode::UNAUTHORIZED, "401 Unauthorized");
        let why = HeaderValue::from_static(
            "Bearer error=\"invalid_token\" error_description=\"The access token could not be verified\"",
        );
        response.headers_mut().insert(header::WWW_AUTHENTICATE, why);
        return response;
    };
    if !claims.email.is_some_and(|email| guard.invokers.contains(&email)) {
        return refusal(StatusCode::FORBIDDEN, "403 Forbidden");
    }
    guard.seen.lock().unwrap_or_else(PoisonError::into_inner).push(headers.clone());
    // The application sees who asked and cannot pass for them.
    let rest = token.rsplit_once('.').map(|(signed, _)| signed).unwrap_or_default();
    if let Ok(value) = HeaderValue::try_from(format!("Bearer {rest}.SIGNATURE_REMOVED_BY_GOOGLE")) {
        let name =
            if name == BESIDE { header::HeaderName::from_static(BESIDE) } else { header::AUTHORIZATION };
        request.headers_mut().insert(name, value);
    }
    guard.api.clone().oneshot(request).await.into_response()
}

fn refusal(status: StatusCode, title: &str) -> Response {
    (status, Html(format!("<html><head><title>{title}</title></head></html>"))).into_response()
}
