//! Takes one profile from one target, which may do whatever it likes: answer with an error, hang, drip, or send
//! without end. Time and memory are bounded here.

use std::error::Error as _;
use std::iter::successors;
use std::time::Duration;

use autopgo_client::lenient_client;
use autopgo_core::duration;
use autopgo_core::error::{Error, Kind, Result};
use bytes::{Bytes, BytesMut};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Response, StatusCode, Url};
use tokio::time::timeout;

use crate::outcome::{Failure, Outcome};
use crate::target::{Target, whole_seconds};

/// How long a target may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// What a target gets beyond the time of the profile itself: to connect, to symbolize, to send.
const MARGIN: Duration = Duration::from_secs(15);
/// Redirects that are followed, on the target's own host.
const REDIRECTS: usize = 3;
/// How much of an error's body is read, for how long, and how many characters of it are shown.
const EXCERPT_BYTES: usize = 2048;
const EXCERPT_TIME: Duration = Duration::from_secs(1);
const EXCERPT_CHARS: usize = 200;

/// Asks targets for profiles.
pub(crate) struct Fetcher {
    /// For targets on this machine: as in Go's client, no proxy stands between.
    direct: Client,
    /// For all others: `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` hold.
    proxied: Client,
    duration: Duration,
    patience: Duration,
    limit: u64,
}

impl Fetcher {
    /// One that asks for profiles of `duration` and takes no body over `limit` bytes.
    ///
    /// # Errors
    /// `Internal` when there can be no client.
    pub(crate) fn new(duration: Duration, limit: u64) -> Result<Self> {
        let patience = Duration::from_secs(whole_seconds(duration)).saturating_add(MARGIN);
        Ok(Self {
            direct: lenient_client(|| builder().no_proxy())?,
            proxied: lenient_client(builder)?,
            duration,
            patience,
            limit,
        })
    }

    /// The body of `target`'s profile.
    pub(crate) async fn fetch(&self, target: &Target) -> Result<Bytes, Failure> {
        let url = target.profile_url(self.duration);
        let client = if is_loopback(&url) { &self.direct } else { &self.proxied };
        let whole = async {
            let answer =
                client.get(url).send().await.map_err(|error| failed(&error, "asking for a profile"))?;
            if answer.status() != StatusCode::OK {
                return Err(refused(answer).await);
            }
            self.body(answer).await
        };
        timeout(self.patience, whole).await.unwrap_or_else(|_| {
            let (all, profile) = (duration::format(self.patience), whole_seconds(self.duration));
            let what = format!("no whole profile within {all} ({profile} s of it to profile)");
            Err(Failure::new(Outcome::Timeout, Error::new(Kind::Unavailable, what)))
        })
    }

    async fn body(&self, mut answer: Response) -> Result<Bytes, Failure> {
        let announced = answer.content_length().unwrap_or_default();
        if announced > self.limit {
            return Err(self.too_large(&format!("of {announced} bytes")));
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&error, "reading the profile"))? {
            if (body.len() + chunk.len()) as u64 > self.limit {
                return Err(self.too_large("that goes on"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    fn too_large(&self, which: &str) -> Failure {
        let what = format!(
            "a body {which} where at most {} bytes are taken; is this a CPU profile? (AUTOPGO_MAX_BODY_BYTES)",
            self.limit
        );
        Failure::new(Outcome::TooLarge, Error::new(Kind::TooLarge, what))
    }
}

fn builder() -> reqwest::ClientBuilder {
    Client::builder()
        .user_agent(concat!("autopgo/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .redirect(Policy::custom(redirect))
        // A target is asked once in many rounds: a connection kept would be one to nearly every target, mostly stale.
        .pool_max_idle_per_host(0)
        // What is counted against the limit is what came over the wire.
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
}

/// Redirects stay on the host that the config names, and do not fall back from TLS.
fn redirect(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let Some(from) = attempt.previous().last() else { return attempt.stop() };
    let to = attempt.url();
    if to.host() != from.host() || (from.scheme() == "https" && to.scheme() != "https") {
        let to = to.origin().ascii_serialization();
        return attempt
            .error(format!("it redirects to {to}, which is not followed: list that address instead"));
    }
    if attempt.previous().len() > REDIRECTS {
        return attempt.error(format!("it redirects more than {REDIRECTS} times"));
    }
    attempt.follow()
}

/// The failure that an answer other than 200 is, with what it says: pprof tells there what it did not like.
async fn refused(mut answer: Response) -> Failure {
    let status = answer.status();
    let mut body = Vec::new();
    let reading = async {
        while let Ok(Some(chunk)) = answer.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() >= EXCERPT_BYTES {
                break;
            }
        }
    };
    // What is there of it by then is enough; without any the status has to do.
    let _ = timeout(EXCERPT_TIME, reading).await;
    let mut what = format!("it answered {status}");
    if let Some(text) = excerpt(&body) {
        what.push_str(": ");
        what.push_str(&text);
    } else if status == StatusCode::NOT_FOUND {
        what.push_str("; does the program import net/http/pprof, and is the path right?");
    }
    Failure::new(Outcome::Refused, Error::new(Kind::Unavailable, what))
}

/// The first line of an error's body, if it is one for people: printable, and no page of HTML.
fn excerpt(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    if line.starts_with('<') || line.contains(['\u{fffd}', '\0']) || line == "404 page not found" {
        return None;
    }
    Some(line.chars().filter(|char| !char.is_control()).take(EXCERPT_CHARS).collect())
}

/// What went wrong between us and the target, in the words of the innermost cause: those around it only repeat that a
/// request failed, or where, and a URL may carry a secret.
fn failed(error: &reqwest::Error, doing: &str) -> Failure {
    let (outcome, what) = if error.is_redirect() {
        (Outcome::Refused, doing.to_owned())
    } else if error.is_timeout() {
        (Outcome::Timeout, format!("{doing}: no connection within {}", duration::format(CONNECT)))
    } else if error.is_connect() {
        (Outcome::Unreachable, format!("{doing}: cannot connect"))
    } else {
        (Outcome::Unreachable, doing.to_owned())
    };
    let causes = successors(error.source(), |cause: &&dyn std::error::Error| (*cause).source());
    let cause = causes.last().map_or_else(|| "the connection broke".to_owned(), ToString::to_string);
    Failure::new(outcome, Error::new(Kind::Unavailable, what).because(cause))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    address
        .map_or_else(|_| host == "localhost" || host.ends_with(".localhost"), |address| address.is_loopback())
}

#[cfg(test)]
mod tests;
