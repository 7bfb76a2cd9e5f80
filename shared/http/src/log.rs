//! One line a request and one count of it, a request id on everything, and the net below a handler that panics.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use autopgo_core::{api, app::App};
use axum::body::HttpBody;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use metrics::Unit;
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

use crate::access::Name;
use crate::fail::{Failure, Reason};
use crate::tail::{Tail, Watch};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Characters of a request id, or of a path, that are taken on.
const LONGEST: usize = 200;

/// Who is at the other end of the connection, as an extension of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The name of the token that a request came with, as an extension of it: known to the gate, wanted by the log, also if
/// nobody waits for the answer any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller(Arc<OnceLock<Name>>);

impl Caller {
    /// Says who it is.
    pub(crate) fn is(&self, name: &Name) {
        // A request passes one gate, so it is said once.
        let _ = self.0.set(name.clone());
    }
}

/// Answers through `next`, with an id, and logs how it went once the answer is out.
pub(crate) async fn observe(request: Request, next: Next) -> Response {
    let (mut parts, mut body) = request.into_parts();
    let id = request_id(&parts.headers);
    let mut line = Line::begin(&id, &parts.method, parts.uri.path());
    line.route = parts.extensions.get::<MatchedPath>().cloned();
    if !body.is_end_stream() {
        let received = Received::default();
        line.received = Some(received.clone());
        body = Tail::on(body, received);
    }
    line.peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
    line.app = RawPathParams::from_request_parts(&mut parts, &()).await.ok().and_then(|params| {
        // What is no name is in the path; only names are worth searching for.
        params.iter().find_map(|(name, value)| (name == "app").then(|| App::parse(value).ok())?)
    });
    parts.extensions.insert(line.caller.clone());
    // At the level of errors, so that whatever is logged about a request has its id.
    let span = tracing::error_span!("request", request.id = line.id);
    let answer = next.run(Request::from_parts(parts, body));
    // Nothing of a handler is seen again after its panic, so nothing half-done can be.
    let answer = AssertUnwindSafe(answer).catch_unwind().instrument(span).await;
    let mut response = answer.unwrap_or_else(|_| Failure::internal().into_response());
    response.headers_mut().insert(X_REQUEST_ID, id);
    line.answered(&response);
    response.map(|body| Tail::on(body, line))
}

/// The client's own id if it is one that can be logged, or a fresh one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let sane = |value: &&HeaderValue| {
        let printable = |c: &u8| c.is_ascii_alphanumeric() || b"-_.:/+=@".contains(c);
        (1..=LONGEST).contains(&value.len()) && value.as_bytes().iter().all(printable)
    };
    let fresh = || HeaderValue::from_str(&Uuid::now_v7().to_string());
    headers.get(X_REQUEST_ID).filter(sane).map_or_else(
        // Hex digits and hyphens always make a header.
        || fresh().unwrap_or(HeaderValue::from_static("-")),
        HeaderValue::clone,
    )
}

/// The line, written when it is dropped: by then the answer was sent, or nobody waits for it any more.
struct Line {
    id: String,
    method: Method,
    path: String,
    /// The route's own words, with names for what is a client's: there are only so many.
    route: Option<MatchedPath>,
    app: Option<App>,
    caller: Caller,
    peer: Option<SocketAddr>,
    start: Instant,
    /// What came of its body, where it has one.
    received: Option<Received>,
    answer: Option<Answer>,
    sent: u64,
}

/// Bytes of a request's body that came.
#[derive(Clone, Default)]
struct Received(Arc<AtomicU64>);

impl Watch for Received {
    fn moved(&mut self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

struct Answer {
    status: StatusCode,
    /// Bytes of its body, where that is known.
    length: Option<u64>,
    reason: Option<Reason>,
}

impl Line {
    fn begin(id: &HeaderValue, method: &Method, path: &str) -> Self {
        // A path may have bytes that a terminal would obey, and 64 KB of them.
        let path = path.escape_debug().take(LONGEST).collect();
        Self {
            id: id.to_str().unwrap_or_default().to_owned(),
            method: method.clone(),
            path,
            route: None,
            app: None,
            caller: Caller::default(),
            peer: None,
            start: Instant::now(),
            received: None,
            answer: None,
            sent: 0,
        }
    }

    fn answered(&mut self, response: &Response) {
        let length = if self.method == Method::HEAD { Some(0) } else { response.body().size_hint().exact() };
        let reason = response.extensions().get::<Reason>().cloned();
        self.answer = Some(Answer { status: response.status(), length, reason });
    }

    fn is_probe(&self) -> bool {
        [api::HEALTH, api::READY, api::METRICS].contains(&&*self.path)
    }

    fn count(&self) {
        let route = self.route.as_ref().map_or("none", MatchedPath::as_str).to_owned();
        let method = counted(&self.method);
        let status =
            self.answer.as_ref().map_or("none".to_owned(), |answer| answer.status.as_str().to_owned());
        metrics::counter!("autopgo_requests_total", "route" => route.clone(), "method" => method, "status" => status)
            .increment(1);
        metrics::histogram!("autopgo_request_seconds", "route" => route, "method" => method)
            .record(self.start.elapsed().as_secs_f64());
    }
}

/// Says what requests are counted by, to whoever keeps it in this process.
pub(crate) fn describe() {
    metrics::describe_counter!(
        "autopgo_requests_total",
        Unit::Count,
        "Requests that were answered, or given up by their client, by route, method and status"
    );
    metrics::describe_histogram!(
        "autopgo_request_seconds",
        Unit::Seconds,
        "How long requests took, from their head to the last byte of the answer"
    );
}

/// The name under which a method is counted: a client may make up any.
fn counted(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

impl Watch for Line {
    fn moved(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    fn ended(&mut self) {
        if let Some(answer) = &mut self.answer {
            answer.length = Some(self.sent);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.count();
        let answer = self.answer.as_ref();
        let message = match answer {
            None => "a client went away before it was answered",
            Some(answer) if answer.length.is_some_and(|length| self.sent < length) => {
                "a client went away before it had the whole answer"
            }
            Some(_) => "request",
        };
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    request.id = self.id,
                    method = self.method.as_str(),
                    path = self.path,
                    app = self.app.as_ref().map(App::as_str),
                    token = self.caller.0.get().map(Name::as_str),
                    client.address = self.peer.map(tracing::field::display),
                    status = answer.map(|answer| answer.status.as_u16()),
                    reason = answer.and_then(|answer| answer.reason.as_ref()).map(|reason| &*reason.0),
                    received_bytes =
                        self.received.as_ref().map(|Received(bytes)| bytes.load(Ordering::Relaxed)),
                    size_bytes = self.sent,
                    duration_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX),
                    "{message}"
                )
            };
        }
        // Probes come every few seconds and say nothing.
        if self.is_probe() { line!(debug) } else { line!(info) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sane_id_is_kept_and_any_other_replaced() {
        let id = |given: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(X_REQUEST_ID, HeaderValue::from_bytes(given.as_bytes()).expect("a header"));
            request_id(&headers).to_str().expect("text").to_owned()
        };
        for kept in
            ["a", "LV7fzho-PHcEJPw=", "Root=1-67891233-abcdef012345678912345678", &"x".repeat(LONGEST)]
        {
            assert_eq!(id(kept), kept);
        }
        for replaced in ["", "a b", "a\tb", "caf\u{e9}", "\"", &"x".repeat(LONGEST + 1)] {
            assert!(Uuid::try_parse(&id(replaced)).is_ok(), "{replaced:?} became {}", id(replaced));
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }

    #[test]
    fn a_logged_path_is_short_and_obeyed_by_no_terminal() {
        let line = Line::begin(
            &HeaderValue::from_static("1"),
            &Method::GET,
            &format!("/a\u{202e}b{}", "x".repeat(999)),
        );
        assert!(line.path.starts_with("/a\\u{202e}bxxx"), "{}", line.path);
        assert_eq!(line.path.len(), LONGEST);
    }

    mod lines {
        use super::*;
        use autopgo_core::error::{Error, Kind};
        use axum::Router;
        use axum::body::Body;
        use axum::routing::{get, post};
        use tower::ServiceExt;

        use crate::process::logging::tests::Lines;
        use crate::process::logging::{Format, Level};
        use crate::router::finished;

        fn router() -> Router {
            let secret =
                || async { Failure::from(Error::new(Kind::Internal, "reading").because("the secret")) };
            let wait = || async { std::future::pending::<()>().await };
            let panics = || async { assert!(Method::GET == Method::POST, "as asked") };
            let routes = Router::new()
                .route("/api/profile/{app}", get(|| async { "hello" }))
                .route("/fails", get(secret))
                .route("/panics", get(panics))
                .route("/waits", post(wait))
                .route("/takes", post(async |body: bytes::Bytes| drop(body)))
                .route("/api/ready", get(|| async {}));
            finished(routes, "nothing")
        }

        async fn asked(method: &str, path: &str) -> Response {
            let request = Request::builder().method(method).uri(path).header(X_REQUEST_ID, "r-1");
            router().oneshot(request.body(Body::empty()).expect("a request")).await.expect("infallible")
        }

        #[tokio::test]
        async fn a_request_is_one_line_with_all_that_one_searches_for() {
            let (lines, _log) = Lines::of(Level::Info, Format::Json);
            let response = asked("GET", "/api/profile/hello?token=secret").await;
            assert_eq!(lines.text(), "", "the line says how it ended, so it comes last");
            axum::body::to_bytes(response.into_body(), 10).await.expect("five bytes");
            let line = &lines.json()[0];
            for (field, value) in [
                ("message", "request"),
                ("level", "INFO"),
                ("request.id", "r-1"),
                ("method", "GET"),
                ("path", "/api/profile/hello"),
                ("app", "hello"),
            ] {
                assert_eq!(line[field], value, "{line}");
            }
            assert_eq!((line["status"].as_u64(), line["size_bytes"].as_u64()), (Some(200), Some(5)));
            assert!(line["duration_ms"].is_u64(), "{line}");
            assert!(!lines.text().contains("secret"), "{line}");
            assert_eq!(lines.json().len(), 1);
        }

        #[tokio::test]
        async fn what_came_of_a_body_is_told_where_there_is_one() {
            let (lines, _log) = Lines::of(Level::Info, Format::Json);
            for (path, body) in [("/takes", "1234567"), ("/takes", ""), ("/nowhere", "1234567")] {
                let request = Request::post(path).body(Body::from(body)).expect("a request");
                drop(router().oneshot(request).await.expect("infallible"));
            }
            let received: Vec<_> = lines.json().iter().map(|line| line["received_bytes"].as_u64()).collect();
            assert_eq!(received, [Some(7), None, Some(0)], "the last was not read");
        }

        #[tokio::test]
        async fn a_refusal_says_why_and_a_probe_nothing() {
            let (lines, _log) = Lines::of(Level::Info, Format::Json);
            drop(asked("GET", "/nowhere").await);
            drop(asked("GET", "/api/ready").await);
            let line = &lines.json()[0];
            assert_eq!(line["status"], 404);
            assert!(
                line["reason"].as_str().is_some_and(|reason| reason.contains("nothing at this path")),
                "{line}"
            );
            assert_eq!(lines.json().len(), 1);
        }

        #[tokio::test]
        async fn a_failure_logs_its_cause_once_and_answers_without_it() {
            let (lines, _log) = Lines::of(Level::Info, Format::Json);
            let response = asked("GET", "/fails").await;
            assert_eq!(response.headers()[X_REQUEST_ID], "r-1");
            let body = axum::body::to_bytes(response.into_body(), 1000).await.expect("a body");
            assert!(!String::from_utf8_lossy(&body).contains("secret"));
            let line = &lines.json()[0];
            assert_eq!(
                (&line["level"], &line["error"]),
                (&"ERROR".into(), &"reading: the secret".into()),
                "{line}"
            );
            assert_eq!(line["span"]["request.id"], "r-1");
            assert_eq!(lines.text().matches("the secret").count(), 1);
        }

        #[tokio::test]
        async fn a_panic_is_answered_like_any_failure() {
            let (lines, _log) = Lines::of(Level::Info, Format::Json);
            let response = asked("GET", "/panics").await;
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(response.headers()[X_REQUEST_ID], "r-1");
            drop(response);
            assert_eq!(lines.json()[0]["status"], 500);
        }

        #[tokio::test]
        async fn a_client_that_goes_away_is_no_error() {
            let (lines, _log) = Lines::of(Level::Info, Format::Json);
            let request = asked("POST", "/waits");
            assert!(request.now_or_never().is_none());
            drop(asked("GET", "/api/profile/hello").await);
            let messages: Vec<_> = lines.json().iter().map(|line| line["message"].to_string()).collect();
            assert!(messages[0].contains("before it was answered"), "{messages:?}");
            assert!(messages[1].contains("before it had the whole answer"), "{messages:?}");
            assert!(lines.json().iter().all(|line| line["level"] == "INFO"), "{}", lines.text());
        }
    }
}
