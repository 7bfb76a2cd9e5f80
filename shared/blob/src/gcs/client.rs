//! The client: where the store is, who asks, how long to wait and how often to try.

use std::path::Path;
use std::time::Duration;

use autopgo_core::clock::{Clock, System};
use autopgo_core::error::{Error, Kind, Result};
use bytes::Bytes;
use google_cloud_auth::credentials::{self, CacheableResource, Credentials};
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_storage::client::Storage;
use http::header::ACCEPT_ENCODING;
use http::{Extensions, HeaderMap, Method};
use reqwest::Response;
use reqwest::redirect::Policy;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};

use super::fail::{Failure, Refusal};
use super::key;
use super::settings::{Settings, invalid};

/// To reach the store.
const CONNECT: Duration = Duration::from_secs(3);
/// For one try of a request without a body worth speaking of, to the first byte of its answer, and for each silence
/// behind it. As long as an answer flows, it may take its time.
const ATTEMPT: Duration = Duration::from_secs(10);
/// What a body adds to that: the slowest line that is worth waiting for, in bytes a second.
const SLOWEST: u64 = 1 << 20;
/// No request is sent again later than this.
pub(super) const OPERATION: Duration = Duration::from_secs(25);
/// How often a request is sent at the most.
const ATTEMPTS: u32 = 4;
/// The wait before the second try, at the most; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// The same where the store asks for a pause: it takes one write of an object a second
/// (<https://cloud.google.com/storage/quotas#objects>).
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(4);
/// An error has no longer answer than this.
const WORDS: usize = 64 << 10;

/// What credentials reach (the scope of the original).
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// A bucket, as its clients reach it.
pub(super) struct Client {
    bucket: String,
    http: reqwest::Client,
    identity: Identity,
    endpoint: Option<String>,
    reach: OnceCell<Reach>,
}

/// Who asks.
pub(super) enum Identity {
    /// Nobody in particular.
    Anonymous,
    /// Whoever the credentials say.
    Known(Credentials),
    /// The credentials cannot be read. As with the original, that is an error of each call and not of the start.
    Unreadable(String),
}

/// What is known of the way only when it is first gone: in a universe of its own, the metadata server has to be asked.
struct Reach {
    /// `https://HOST`
    base: String,
    storage: Storage,
}

impl Client {
    /// A client for `bucket`. Nothing is asked of it yet.
    pub(super) fn new(bucket: &str, settings: &Settings, identity: Identity) -> Result<Self> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(ATTEMPT)
            // A token is for this host alone.
            .redirect(Policy::none())
            // Whatever else is built in: what is stored is what is read.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .build()
            .map_err(|error| Error::new(Kind::Internal, "gs://: making a client").because(error))?;
        let (bucket, endpoint) = (bucket.to_owned(), settings.endpoint.clone());
        Ok(Self { bucket, http, identity, endpoint, reach: OnceCell::new() })
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// `https://HOST`
    pub(super) async fn base(&self) -> Result<&str, Failure> {
        self.reach().await.map(|reach| reach.base.as_str())
    }

    async fn reach(&self) -> Result<&Reach, Failure> {
        self.reach
            .get_or_try_init(|| async {
                let credentials = match &self.identity {
                    Identity::Anonymous => credentials::anonymous::Builder::new().build(),
                    Identity::Known(credentials) => credentials.clone(),
                    Identity::Unreadable(why) => return Err(Failure::Unreadable(why.clone())),
                };
                let made = timeout(ATTEMPT, async {
                    let universe = credentials.universe_domain().await;
                    let universe = universe.as_deref().unwrap_or("googleapis.com");
                    let base = self.endpoint.clone().unwrap_or_else(|| format!("https://storage.{universe}"));
                    let storage = Storage::builder()
                        .with_endpoint(&base)
                        .with_universe_domain(universe)
                        .with_credentials(credentials)
                        .with_retry_policy(NeverRetry)
                        // What goes over gRPC is not used, and never dialled.
                        .with_grpc_subchannel_count(1)
                        .build()
                        .await;
                    storage.map(|storage| Reach { base, storage })
                });
                match made.await {
                    Ok(Ok(reach)) => Ok(reach),
                    Ok(Err(error)) => {
                        Err(Failure::Ours(invalid("Google's client cannot be made").because(error)))
                    }
                    Err(_) => Err(Failure::Late),
                }
            })
            .await
    }

    /// The headers that say who asks.
    async fn authorization(&self) -> Result<HeaderMap, Failure> {
        let Identity::Known(credentials) = &self.identity else { return Ok(HeaderMap::new()) };
        match timeout(ATTEMPT, credentials.headers(Extensions::new())).await {
            Ok(Ok(CacheableResource::New { data, .. })) => Ok(data),
            // Nothing was said of what is known, so this cannot be the answer.
            Ok(Ok(CacheableResource::NotModified)) => Ok(HeaderMap::new()),
            Ok(Err(error)) => Err(Failure::Nobody(error)),
            Err(_) => Err(Failure::Late),
        }
    }

    /// Sends one request of the JSON API, once, and gives its answer if that is no error.
    async fn send(&self, method: Method, path: &str, query: &[(&str, &str)]) -> Result<Response, Failure> {
        let reach = self.reach().await?;
        let url = format!("{}/storage/v1/b/{}{path}", reach.base, key::segment(&self.bucket));
        let mut request = self.http.request(method.clone(), url).query(query);
        request = request.headers(self.authorization().await?);
        if query.contains(&MEDIA) {
            // What is stored with an encoding comes as it is stored; otherwise the store would decode it.
            request = request.header(ACCEPT_ENCODING, "gzip");
        }
        if method == Method::POST {
            request = request.body("");
        }
        let response = request.send().await?;
        if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
    }

    /// The same, and reads its answer as JSON.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Failure> {
        Ok(self.send(method, path, query).await?.json().await?)
    }

    /// The same, for an answer of no interest.
    pub(super) async fn tell(&self, method: Method, path: &str) -> Result<(), Failure> {
        self.send(method, path, &[]).await.map(drop)
    }

    /// An object's content, as it begins to come.
    pub(super) async fn media(&self, path: &str) -> Result<Response, Failure> {
        self.send(Method::GET, path, &[MEDIA]).await
    }

    /// Writes an object, once, and gives its generation. With a condition, only over this generation; 0 is none at all.
    pub(super) async fn write(
        &self,
        key: &str,
        bytes: Bytes,
        kind: &str,
        condition: Option<i64>,
    ) -> Result<i64, Failure> {
        let limit = ATTEMPT + slowest(bytes.len());
        let bucket = format!("projects/_/buckets/{}", self.bucket);
        let write = self
            .reach()
            .await?
            .storage
            .write_object(bucket, key, bytes)
            .set_content_type(kind)
            .with_idempotency(false)
            // In one request, however much it is: a session of several is opened under the condition, and what became of
            // it would have to be asked for.
            .with_resumable_upload_threshold(usize::MAX);
        let write = match condition {
            Some(generation) => write.set_if_generation_match(generation),
            None => write,
        };
        // With a checksum, by which the store tells whether it has got what was sent.
        match timeout(limit, write.send_buffered()).await {
            Ok(Ok(object)) if object.generation > 0 => Ok(object.generation),
            Ok(Ok(_)) => Err(Failure::Strange("its answer to a write has no generation".to_owned())),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Failure::Late),
        }
    }
}

const MEDIA: (&str, &str) = ("alt", "media");

async fn refusal(mut response: Response) -> Failure {
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > WORDS {
            break;
        }
    }
    Failure::Refused(Refusal::of(status, &body))
}

fn slowest(size: usize) -> Duration {
    Duration::from_secs(size as u64 / SLOWEST)
}

/// Tries again where that may help, of a request whose bodies have `size` bytes.
pub(super) async fn patiently<T, F>(size: usize, attempt: impl Fn() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let end = Instant::now() + OPERATION + slowest(size) * 2;
    let mut tries = 1;
    loop {
        let failure = match attempt().await {
            Ok(done) => return Ok(done),
            Err(failure) => failure,
        };
        let wait = wait(tries, failure.is_haste());
        if tries == ATTEMPTS || !failure.may_pass() || Instant::now() + wait >= end {
            return Err(failure);
        }
        tokio::time::sleep(wait).await;
        tries += 1;
    }
}

/// Half of what it may be, and a random part of the other half: many that were refused at once do not come back at once.
fn wait(tries: u32, haste: bool) -> Duration {
    let first = if haste { FIRST_PAUSE } else { FIRST_WAIT };
    let longest = (first * 2_u32.pow(tries - 1)).min(LONGEST_WAIT);
    let part = (System.random() % 1000) as u32;
    longest / 2 + longest / 2 * part / 1000
}

/// Who asks: nobody, the one whose key is in `file`, or whoever Google's chain finds.
pub(super) fn identity(settings: &Settings, file: Option<&Value>) -> Identity {
    if settings.anonymous {
        return Identity::Anonymous;
    }
    let built = match file {
        Some(key) => credentials::service_account::Builder::new(key.clone())
            .with_access_specifier(credentials::service_account::AccessSpecifier::from_scopes([SCOPE]))
            .build(),
        None => credentials::Builder::default().with_scopes([SCOPE]).build(),
    };
    match built {
        Ok(credentials) => Identity::Known(credentials),
        Err(error) => {
            let why = error.to_string();
            tracing::warn!(
                error = why,
                "gs://: the credentials cannot be read, so that every call will fail"
            );
            Identity::Unreadable(why)
        }
    }
}

/// The key of a service account, from its file.
pub(super) async fn account(path: &Path) -> Result<Value> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        invalid(format!("the credentials in {} cannot be read", path.display())).because(error)
    };
    let text = tokio::fs::read(path).await.map_err(|error| failed(error.into()))?;
    serde_json::from_slice(&text).map_err(|error| failed(error.into()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again_within_a_bound() {
        for (status, expected) in [(503, ATTEMPTS), (429, ATTEMPTS), (403, 1), (412, 1)] {
            let tries = AtomicU32::new(0);
            let begun = Instant::now();
            let outcome: Result<(), Failure> = patiently(0, || async {
                tries.fetch_add(1, Ordering::SeqCst);
                Err(Failure::Refused(Refusal::of(status, b"")))
            })
            .await;
            outcome.expect_err("it never succeeds");
            assert_eq!(tries.load(Ordering::SeqCst), expected, "{status}");
            assert!(begun.elapsed() < OPERATION, "{status}");
            assert!(status != 429 || begun.elapsed() > Duration::from_secs(3), "it is given time");
        }
        let tries = AtomicU32::new(0);
        let outcome: Result<(), Failure> = patiently(0, || async {
            tries.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(12)).await;
            Err(Failure::Late)
        })
        .await;
        outcome.expect_err("it never succeeds");
        assert_eq!(tries.load(Ordering::SeqCst), 3, "none is begun after {OPERATION:?}");
    }

    #[test]
    fn waits_grow_to_a_bound() {
        for tries in 1..10 {
            let least = (FIRST_WAIT * 2_u32.pow(tries - 1)).min(LONGEST_WAIT) / 2;
            let wait = wait(tries, false);
            assert!((least..=LONGEST_WAIT).contains(&wait), "{tries}: {wait:?}");
        }
        assert!(wait(1, true) >= Duration::from_secs(1));
    }
}
