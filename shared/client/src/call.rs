//! One try of one request: sent, watched for silence, followed where a redirect leads, and read to its end.
//!
//! There is no time limit on a whole transfer, only on silence: a large profile on a slow line is never cut off while
//! bytes move, and a server that has stopped answering never holds a caller for longer than the limit.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use autopgo_core::api::PROFILE_TYPE;
use autopgo_core::duration;
use autopgo_core::error::{Error, Kind};
use bytes::Bytes;
use futures_util::TryStreamExt;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use http::{Method, StatusCode};
use reqwest::{Response, Url};
use tokio::time::{Instant, timeout, timeout_at};

use crate::answer::{self, Who};
use crate::base::shown;
use crate::body::{Body, To};
use crate::client::Client;
use crate::content::{Content, Unread};
use crate::identity::Unsigned;
use crate::retry::{Again, Fault};
use crate::secrets::Secrets;

/// Told how far a transfer is. Each retry starts again at 0.
pub type Progress = Arc<dyn Fn(Moved) + Send + Sync>;

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Bytes that were handed to, or came from, the network.
    pub bytes: u64,
    /// Of how many, where that is known.
    pub of: Option<u64>,
}

/// A request.
pub(crate) struct Call {
    /// Whether it is for the store that a ticket names: then it has no header but its own.
    pub(crate) store: bool,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Content>,
    /// Of what is sent.
    pub(crate) sent: Option<Progress>,
}

/// A whole answer with a status that is no error.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// How many bytes the body has.
    pub(crate) size: u64,
    /// Nothing, if it went into a file.
    pub(crate) body: Bytes,
}

/// An answer that has begun.
struct Sent {
    response: Response,
    /// What it was asked with.
    secrets: Secrets,
}

/// An error's text is shorter than this, or not of interest.
const ERROR_BYTES: u64 = 64 << 10;
const REDIRECTS: usize = 5;

impl Client {
    /// Makes `call` once: an answer with an error status is a fault. At most `limit` bytes are read of what comes back.
    pub(crate) async fn attempt(&self, call: &Call, limit: u64) -> Result<Answer, Fault> {
        self.fetch(call, limit, &mut To::Memory, None).await
    }

    /// The same, with the body put where it is wanted, and `received` told how much came.
    pub(crate) async fn fetch(
        &self,
        call: &Call,
        limit: u64,
        to: &mut To<'_, '_>,
        received: Option<&Progress>,
    ) -> Result<Answer, Fault> {
        let (Sent { response, secrets }, left) = self.follow(call).await?;
        let status = response.status();
        if status.is_success() {
            return self.read(response, limit, to, received).await;
        }
        if status == StatusCode::NOT_MODIFIED {
            return self.read(response, limit, &mut To::Memory, None).await;
        }
        let (from, headers) = (shown(response.url()), response.headers().clone());
        // Whatever becomes of the text, the status stands.
        let read = self.read(response, ERROR_BYTES, &mut To::Memory, None).await;
        let body = read.map(|answer| answer.body).unwrap_or_default();
        let who = match (call.store, left) {
            (true, _) => Who::Store,
            (false, true) => Who::Elsewhere,
            (false, false) => Who::Api(&self.identity),
        };
        if let (Who::Api(identity), 401 | 403) = (who, status.as_u16()) {
            identity.refused();
        }
        Err(answer::refused(status, &headers, &body, &from, who, &secrets))
    }

    /// Makes `call` once and gives the answer, whatever its status, and what of it is not to be shown.
    pub(crate) async fn ask(&self, call: &Call, limit: u64) -> Result<(Answer, Secrets), Fault> {
        let (Sent { response, secrets }, _) = self.follow(call).await?;
        Ok((self.read(response, limit, &mut To::Memory, None).await?, secrets))
    }

    /// Sends, and follows redirects of a GET. The second value says whether that led to another origin.
    async fn follow(&self, call: &Call) -> Result<(Sent, bool), Fault> {
        let mut url = call.url.clone();
        let mut left = false;
        for _ in 0..=REDIRECTS {
            let sent = self.send(call, url.clone(), left).await?;
            if !matches!(sent.response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok((sent, left));
            }
            let next = target(&url, sent.response.headers())?;
            if call.method != Method::GET {
                let hint = if call.store { "" } else { "; set --api-url to where the server is" };
                let (from, to) = (shown(&url), shown(&next));
                let what = format!("{from} redirects to {to}, and only downloads follow{hint}");
                return Err(Fault::never(Error::new(Kind::Invalid, what)));
            }
            // Once away, the credentials stay behind: another host must not be able to fetch them by sending us back.
            left |= next.origin() != url.origin();
            tracing::debug!(to = shown(&next), "following a redirect");
            url = next;
        }
        Err(Fault::never(Error::new(
            Kind::Invalid,
            format!("{} redirects more than {REDIRECTS} times; check --api-url", shown(&call.url)),
        )))
    }

    async fn send(&self, call: &Call, url: Url, left: bool) -> Result<Sent, Fault> {
        let ours = !call.store && !left;
        let mut headers = if ours { self.headers.map().clone() } else { HeaderMap::new() };
        if ours || call.store {
            headers.extend(call.headers.clone());
        }
        if let Some(body) = &call.body {
            if !call.store {
                headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(PROFILE_TYPE));
            }
            // A stream has no length of its own; with one the server can refuse before it reads.
            headers.insert(CONTENT_LENGTH, HeaderValue::from(body.size()));
        }
        if ours {
            let body = call.body.as_ref();
            let (method, now, limit) = (&call.method, self.clock.now(), self.timeout);
            self.identity.sign(&Unsigned { method, url: &url, body, now, limit }, &mut headers).await?;
        }
        let secrets = Secrets::of(&headers);
        let pulse = Arc::new(Pulse::new());
        let mut request = self.http.request(call.method.clone(), url.clone());
        if let Some(body) = &call.body {
            request = request.body(in_pieces(body, Arc::clone(&pulse), call.sent.clone()));
        }
        match pulse.watch(self.timeout, request.headers(headers).send()).await {
            Some(Ok(response)) => Ok(Sent { response, secrets }),
            Some(Err(error)) => Err(unsent(&url, error, call.store)),
            None => Err(self.silent(&shown(&url))),
        }
    }

    async fn read(
        &self,
        mut response: Response,
        limit: u64,
        to: &mut To<'_, '_>,
        received: Option<&Progress>,
    ) -> Result<Answer, Fault> {
        let from = shown(response.url());
        let (status, headers) = (response.status(), response.headers().clone());
        let of = response.content_length();
        let too_large = || {
            let what = format!("{from} sends more than {limit} bytes, which is more than a profile can have");
            Fault::never(Error::new(Kind::TooLarge, what))
        };
        if of.is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let mut body = Body::new(to).await?;
        loop {
            let piece = match timeout(self.timeout, response.chunk()).await {
                Ok(Ok(Some(piece))) => piece,
                // The transport has compared the length with what was announced.
                Ok(Ok(None)) => break,
                Ok(Err(error)) => {
                    let what = format!("{from} broke off after {} bytes", body.size);
                    return Err(Fault::unclear(
                        Error::new(Kind::Unavailable, what).because(error.without_url()),
                    ));
                }
                Err(_) => return Err(self.silent(&from)),
            };
            if body.size + piece.len() as u64 > limit {
                return Err(too_large());
            }
            body.take(&piece).await?;
            if let Some(received) = received {
                received(Moved { bytes: body.size, of });
            }
        }
        let (size, body) = body.end().await?;
        Ok(Answer { status, headers, size, body })
    }

    fn silent(&self, from: &str) -> Fault {
        let limit = duration::format(self.timeout);
        Fault::unclear(Error::new(
            Kind::Unavailable,
            format!("{from} was silent for {limit}; --timeout sets how long to wait"),
        ))
    }
}

/// What was handed to the kernel may still be on its way while we see nothing move: that much of it, at a line this
/// slow in bytes a second, adds to the silence that is allowed.
const IN_FLIGHT: u64 = 4 << 20;
const SLOWEST: u64 = 64 << 10;

/// When something last moved.
struct Pulse {
    start: Instant,
    /// Milliseconds after the start.
    last: AtomicU64,
    /// Bytes handed over so far.
    handed: AtomicU64,
}

impl Pulse {
    fn new() -> Self {
        Self { start: Instant::now(), last: AtomicU64::new(0), handed: AtomicU64::new(0) }
    }

    fn beat(&self, handed: u64) {
        self.handed.store(handed, Ordering::Relaxed);
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// What `work` gives, or `None` once nothing has moved for `silence`.
    async fn watch<T>(&self, silence: Duration, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        loop {
            let last = self.last.load(Ordering::Relaxed);
            let in_flight = self.handed.load(Ordering::Relaxed).min(IN_FLIGHT);
            let draining = Duration::from_millis(in_flight * 1000 / SLOWEST);
            let deadline = self.start + Duration::from_millis(last) + silence + draining;
            match timeout_at(deadline, &mut work).await {
                Ok(done) => return Some(done),
                Err(_) if self.last.load(Ordering::Relaxed) == last => return None,
                Err(_) => {}
            }
        }
    }
}

fn in_pieces(content: &Content, pulse: Arc<Pulse>, sent: Option<Progress>) -> reqwest::Body {
    let (of, mut handed) = (content.size(), 0);
    let pieces = content.pieces().inspect_ok(move |piece| {
        handed += piece.len() as u64;
        pulse.beat(handed);
        if let Some(sent) = &sent {
            sent(Moved { bytes: handed, of: Some(of) });
        }
    });
    reqwest::Body::wrap_stream(pieces)
}

/// Where a redirect leads.
fn target(url: &Url, headers: &HeaderMap) -> Result<Url, Fault> {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let next = location.ok_or("without saying where").and_then(|location| onward(url, location));
    next.map_err(|problem| {
        let what = format!("{} redirects {problem}; check --api-url", shown(url));
        Fault::never(Error::new(Kind::Invalid, what))
    })
}

/// What `reference` means, found at `url`; or what is wrong with it.
pub(crate) fn onward(url: &Url, reference: &str) -> Result<Url, &'static str> {
    let next = url.join(reference).map_err(|_| "to what is no URL")?;
    match (url.scheme(), next.scheme()) {
        (_, "https") | ("http", "http") => Ok(next),
        ("https", "http") => Err("from https to http"),
        _ => Err("to what is no web address"),
    }
}

/// Why no answer came.
fn unsent(url: &Url, error: reqwest::Error, store: bool) -> Fault {
    if let Some(unread) = causes(&error).find_map(|cause| cause.downcast_ref::<Unread>()) {
        return Fault::never(Error::new(Kind::Invalid, unread.to_string()));
    }
    let check =
        if store { "the server names this store: is it in reach from here?" } else { "check --api-url" };
    let at = url.origin().ascii_serialization();
    let connecting = error.is_connect();
    let refused = io_kind(&error) == Some(io::ErrorKind::ConnectionRefused);
    let error = error.without_url();
    let what = if refused {
        let what = match store {
            true => format!("nothing answers at {at} (connection refused); {check}"),
            false => format!(
                "nothing answers at {at} (connection refused); is the server running? set --api-url to where it is"
            ),
        };
        let error = Error::new(Kind::Unavailable, what);
        return Fault { error, again: Again::Unreachable, status: None };
    } else if connecting && error.is_timeout() {
        format!("{at} could not be reached in time; {check}")
    } else if connecting {
        format!("{at} could not be reached ({}); {check}", answer::printable(&root(&error)))
    } else {
        format!("{at} broke off before it answered")
    };
    let again = if connecting { Again::Unreachable } else { Again::Unclear(Duration::ZERO) };
    Fault { error: Error::new(Kind::Unavailable, what).because(error), again, status: None }
}

fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    causes(error).find_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind()))
}

/// The innermost cause: the one that says something.
fn root(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}
