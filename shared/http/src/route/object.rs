//! `PUT` and `GET` of `/api/objects/{key}`: what this process signed, and nothing else.

use std::sync::Arc;

use autopgo_core::api::PROFILE_TYPE;
use autopgo_core::limits::Limits;
use autopgo_core::port::blobs::{Blobs, When};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Deserialize;

use crate::fail::Failure;
use crate::guard::body::{self, Patience};
use crate::objects::{Claim, Objects, Refused};

/// What the routes stand on.
#[derive(Clone)]
pub(crate) struct Shelf {
    pub(crate) objects: Objects,
    pub(crate) limits: Arc<Limits>,
}

/// What a signed URL says of itself.
#[derive(Deserialize)]
pub(crate) struct Signature {
    size: Option<u64>,
    expires: i64,
    signature: String,
}

impl Shelf {
    /// # Errors
    /// 403 for what was not signed by this process, and for what has expired.
    fn admit(
        &self,
        method: &str,
        key: &str,
        query: Result<Query<Signature>, QueryRejection>,
    ) -> Result<Option<u64>, Failure> {
        let Ok(Query(Signature { size, expires, signature })) = query else { return Err(forged()) };
        let expires = Timestamp::from_millisecond(expires).map_err(|_| forged())?;
        let claim = Claim { method, key, size, expires };
        match self.objects.admitted(claim, &signature) {
            Ok(()) => Ok(size),
            Err(Refused::Forged) => Err(forged()),
            Err(Refused::Expired) => {
                Err(forbidden(format!("this URL was good until {expires}; ask for a new one")))
            }
        }
    }
}

/// 200 once all of the body is stored: as many bytes as were signed, neither more nor less.
pub(crate) async fn put(
    State(shelf): State<Shelf>,
    Path(key): Path<String>,
    query: Result<Query<Signature>, QueryRejection>,
    request: Request,
) -> Result<Response, Failure> {
    let size = shelf.admit("PUT", &key, query)?.ok_or_else(forged)?;
    let other = |length: &str| {
        forbidden(format!(
            "this URL is for {size} bytes and the body has {length}; ask for one of the right size"
        ))
    };
    let patience = Patience { silence: shelf.limits.idle_timeout, ..Patience::LONG };
    let whole = body::whole(request.into_body(), size, patience, || other("more")).await?;
    if whole.len() as u64 != size {
        return Err(other(&whole.len().to_string()));
    }
    shelf
        .objects
        .write(&key, whole, When::Always)
        .await
        .map_err(|error| error.during(format_args!("writing {key}")))?;
    Ok(StatusCode::OK.into_response())
}

/// 200 and the object.
pub(crate) async fn get(
    State(shelf): State<Shelf>,
    Path(key): Path<String>,
    query: Result<Query<Signature>, QueryRejection>,
) -> Result<Response, Failure> {
    shelf.admit("GET", &key, query)?;
    let read = shelf.objects.read(&key, u64::MAX).await;
    let object = read
        .map_err(|error| error.during(format_args!("reading {key}")))?
        .ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, format!("there is no object {key} any more")))?;
    let etag = format!("\"{}\"", object.version.as_str().trim_matches('"'));
    let headers = [
        (ETAG, HeaderValue::from_str(&etag).unwrap_or(HeaderValue::from_static("\"\""))),
        (CONTENT_TYPE, HeaderValue::from_static(PROFILE_TYPE)),
        (CONTENT_LENGTH, object.bytes.len().into()),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, object.bytes).into_response())
}

fn forbidden(what: String) -> Failure {
    Failure::new(StatusCode::FORBIDDEN, what)
}

fn forged() -> Failure {
    forbidden("this URL was not signed by this server, or was changed since; ask for a new one".to_owned())
}
