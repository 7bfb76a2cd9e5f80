//! The runtime operations, each after its page below
//! <https://learn.microsoft.com/rest/api/servicebus/service-bus-runtime-rest>, and of the management of entities the look
//! at one (<https://learn.microsoft.com/rest/api/servicebus/get-entity>) and its end
//! (<https://learn.microsoft.com/rest/api/servicebus/delete-entity>).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::State;
use super::rights::Claim;

/// A message of the standard tier has no more bytes than this
/// (<https://learn.microsoft.com/azure/service-bus-messaging/service-bus-quotas>).
const LARGEST: usize = 256 << 10;
/// Ids and partition keys have no more characters than this (the same page).
const LONGEST: usize = 128;
/// How long a receiver waits that does not say so.
const PATIENCE: u64 = 60;

const PROPERTIES: &str = "BrokerProperties";
/// As what it speaks of itself.
const NAMESPACE: &str = "acme.servicebus.windows.net";

/// Why a request is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    detail: String,
}

impl Refusal {
    pub(super) fn denied(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
    }

    /// Somebody who is known, and may not do this.
    pub(super) fn no_right(claim: Claim) -> Self {
        Self::denied(match claim {
            Claim::Manage => "Manage,EntityRead claims required for this operation.".to_owned(),
            claim => {
                format!("Unauthorized access. '{claim:?}' claim(s) are required to perform this operation.")
            }
        })
    }

    /// A topic or subscription that is not there. One that never was is 404 and one that was is 410
    /// (<https://msdn.microsoft.com/library/windowsazure/jj839746.aspx>; the pages of today have 410 alone). The words are
    /// those of <https://github.com/Azure/azure-functions-host/issues/1250> and
    /// <https://github.com/Azure/azure-service-bus/issues/451>.
    pub(super) fn no_entity(name: &str, was: bool) -> Self {
        let resource = format!("sb://{NAMESPACE}/{name}");
        let tracking =
            format!("TrackingId:1_G1, SystemTracker:{NAMESPACE}:{name}, Timestamp:2026-01-02T03:04:05");
        if was {
            let help = "To know more visit https://aka.ms/sbResourceMgrExceptions.";
            let detail = format!("The messaging entity '{resource}' could not be found. {help}  {tracking}");
            return Self::new(StatusCode::GONE, detail);
        }
        let detail = format!("40400: Endpoint not found., Resource:{resource}. {tracking}");
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// "No message was found with the specified MessageId or LockToken", in the words of
    /// <https://github.com/Azure/azure-sdk-for-java/issues/25121>.
    pub(super) fn no_lock(topic: &str, subscription: &str) -> Self {
        let detail = format!(
            "The lock supplied is invalid. Either the lock expired, or the message has already been removed from the \
             queue. For more information please see https://aka.ms/ServiceBusExceptions . Reference:1, TrackingId:1_B1, \
             SystemTracker:{NAMESPACE}:Topic:{topic}|{subscription}, Timestamp:2026-01-02T03:04:05"
        );
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let detail = self.detail.replace('&', "&amp;").replace('<', "&lt;");
        let body = format!("<Error><Code>{}</Code><Detail>{detail}</Detail></Error>", self.status.as_u16());
        (self.status, [(header::CONTENT_TYPE, "application/xml; charset=utf-8")], body).into_response()
    }
}

/// What a path names, in small letters but for ids.
enum Target {
    Messages(String),
    Head(String, String),
    Locked { topic: String, subscription: String, id: String, token: String },
    Entity(String, Option<String>),
}

impl Target {
    /// A topic's name may have slashes in it.
    fn of(path: &str) -> Self {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let small: Vec<String> = segments.iter().map(|segment| segment.to_lowercase()).collect();
        let small: Vec<&str> = small.iter().map(String::as_str).collect();
        match small.as_slice() {
            [topic @ .., "subscriptions", subscription, "messages", "head"] => {
                Self::Head(topic.join("/"), (*subscription).to_owned())
            }
            [topic @ .., "subscriptions", subscription, "messages", _, token] => Self::Locked {
                topic: topic.join("/"),
                subscription: (*subscription).to_owned(),
                id: segments[segments.len() - 2].to_owned(),
                token: (*token).to_owned(),
            },
            [topic @ .., "subscriptions", subscription] => {
                Self::Entity(topic.join("/"), Some((*subscription).to_owned()))
            }
            [topic @ .., "messages"] => Self::Messages(topic.join("/")),
            topic => Self::Entity(topic.join("/"), None),
        }
    }
}

pub(super) async fn serve(
    Shared(state): Shared<Arc<State>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let path = percent_decode_str(uri.path()).decode_utf8_lossy().into_owned();
    let host = text(&headers, "host").unwrap_or_default();
    let allow = |claim| allowed(&state, &headers, claim, &host, &path);
    match (method.as_str(), Target::of(&path)) {
        ("POST", Target::Messages(topic)) => {
            allow(Claim::Send)?;
            send(&state, &topic, &headers, &body)?;
            Ok(StatusCode::CREATED.into_response())
        }
        ("POST", Target::Head(topic, subscription)) => {
            allow(Claim::Listen)?;
            let patience = patience(uri.query().unwrap_or_default())?;
            peek_lock(&state, &topic, &subscription, &host, patience).await
        }
        ("DELETE", Target::Locked { topic, subscription, id, token }) => {
            allow(Claim::Listen)?;
            state.world().delete(&topic, &subscription, &id, &token)?;
            Ok(StatusCode::OK.into_response())
        }
        ("PUT", Target::Locked { topic, subscription, id, token }) => {
            allow(Claim::Listen)?;
            state.world().unlock(&topic, &subscription, &id, &token)?;
            state.news.notify_waiters();
            Ok(StatusCode::OK.into_response())
        }
        ("POST", Target::Locked { topic, subscription, id, token }) => {
            allow(Claim::Listen)?;
            state.world().renew(&topic, &subscription, &id, &token)?;
            Ok(StatusCode::OK.into_response())
        }
        ("GET", Target::Entity(topic, subscription)) => {
            allow(Claim::Manage)?;
            Ok(entity(&state, &topic, subscription.as_deref()))
        }
        ("DELETE", Target::Entity(topic, subscription)) => {
            allow(Claim::Manage)?;
            state.world().remove(&topic, subscription.as_deref())?;
            state.news.notify_waiters();
            Ok(StatusCode::OK.into_response())
        }
        _ => Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "The operation is not known here.")),
    }
}

fn allowed(state: &State, headers: &HeaderMap, claim: Claim, host: &str, path: &str) -> Result<(), Refusal> {
    let authorization = text(headers, "authorization")
        .ok_or_else(|| Refusal::denied("MissingToken: The authorization header was not found"))?;
    match authorization.split_once(' ') {
        Some(("SharedAccessSignature", token)) => state.rules.allow(token, claim, host, path),
        // The roles Azure Service Bus Data Sender and Data Receiver.
        Some(("Bearer", token)) if state.tokens.knows(token) => match claim {
            Claim::Send | Claim::Listen => Ok(()),
            Claim::Manage => Err(Refusal::no_right(claim)),
        },
        _ => Err(Refusal::denied("InvalidToken: The token is not known, or its time is over")),
    }
}

fn send(state: &State, topic: &str, headers: &HeaderMap, body: &Bytes) -> Result<(), Refusal> {
    let bad = |detail: &str| Refusal::new(StatusCode::BAD_REQUEST, detail);
    if body.len() > LARGEST {
        let detail = "The received message exceeds the maximum size allowed.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, detail));
    }
    let properties: Map<String, Value> = match text(headers, PROPERTIES) {
        Some(properties) => {
            serde_json::from_str(&properties).map_err(|_| bad("BrokerProperties are no JSON object"))?
        }
        None => Map::new(),
    };
    let long = |name: &str| {
        properties.get(name).and_then(Value::as_str).is_some_and(|text| text.chars().count() > LONGEST)
    };
    if long("MessageId") || long("PartitionKey") {
        return Err(bad("MessageId and PartitionKey have at most 128 characters"));
    }
    let content_type = text(headers, "content-type");
    state.world().send(topic, body, content_type.as_deref(), properties)?;
    state.news.notify_waiters();
    Ok(())
}

async fn peek_lock(
    state: &State,
    topic: &str,
    subscription: &str,
    host: &str,
    patience: Duration,
) -> Result<Response, Refusal> {
    let _waits = Waits::new(state);
    let end = Instant::now() + patience;
    let message = loop {
        let mut news = std::pin::pin!(state.news.notified());
        // From here on no news is missed.
        news.as_mut().enable();
        let free_again = match state.world().lock(topic, subscription)? {
            Ok(message) => break message,
            Err(free_again) => free_again,
        };
        if Instant::now() >= end {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        let until = free_again.map_or(end, |then| end.min(then.into()));
        let _ = tokio::time::timeout_at(until, news).await;
    };
    let location = format!(
        "https://{host}/{topic}/subscriptions/{subscription}/messages/{}/{}",
        message.sequence(),
        message.token()
    );
    let properties = message.as_received().to_string();
    let mut answer = (StatusCode::CREATED, [(PROPERTIES, properties), ("Location", location)], message.body)
        .into_response();
    answer.headers_mut().remove(header::CONTENT_TYPE);
    if let Some(kind) = message.content_type.and_then(|kind| kind.parse().ok()) {
        answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    Ok(answer)
}

/// A request for a message that is not answered yet.
struct Waits<'a>(&'a State);

impl<'a> Waits<'a> {
    fn new(state: &'a State) -> Self {
        state.waiting.fetch_add(1, Ordering::SeqCst);
        Self(state)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The description of what is there. Of what is not, the answer is a list of nothing, as Microsoft's client expects it.
fn entity(state: &State, topic: &str, subscription: Option<&str>) -> Response {
    let name = subscription.unwrap_or(topic);
    let body = match state.world().describe(topic, subscription) {
        Some((kind, properties)) => format!(
            "<entry xmlns=\"http://www.w3.org/2005/Atom\"><title type=\"text\">{name}</title><content \
             type=\"application/xml\"><{kind} xmlns=\"http://schemas.microsoft.com/netservices/2010/10/servicebus/connect\">\
             {properties}</{kind}></content></entry>"
        ),
        None => "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title type=\"text\">Publicly Listed Services</title></feed>".to_owned(),
    };
    ([(header::CONTENT_TYPE, "application/atom+xml;type=entry;charset=utf-8")], body).into_response()
}

fn patience(query: &str) -> Result<Duration, Refusal> {
    let seconds = query.split('&').find_map(|pair| pair.strip_prefix("timeout="));
    let seconds = seconds.map_or(Ok(PATIENCE), str::parse);
    let bad = |_| Refusal::new(StatusCode::BAD_REQUEST, "The timeout is no number of seconds.");
    seconds.map(Duration::from_secs).map_err(bad)
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
