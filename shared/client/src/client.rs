//! The API, called: one method a verb, each with its retries.

use std::sync::Arc;
use std::time::Duration;

use autopgo_core::api::{self, Deleted, Form, Profiles};
use autopgo_core::app::App;
use autopgo_core::clock::{Clock, System};
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::health::Report;
use bytes::Bytes;
use http::header::{ACCEPT, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, LAST_MODIFIED};
use http::{Method, StatusCode};
use jiff::Timestamp;
use reqwest::redirect::Policy;

use crate::answer::{self, Who};
use crate::base::{Base, shown};
use crate::body::{Target, To};
use crate::call::{Answer, Call, Progress};
use crate::identity::{Headers, Identity};
use crate::retry::{Patience, Retry};
use crate::tls;

/// The most that is read of a profile, in bytes. A base is far smaller; this keeps a wrong address from filling memory, or
/// the disk.
const PROFILE_BYTES: u64 = 512 << 20;
/// The most that is read of any other answer, in bytes.
pub(crate) const JSON_BYTES: u64 = 64 << 20;
/// Longest time to wait for a connection; shorter than the silence that a transfer may have.
const CONNECTING: Duration = Duration::from_secs(10);

/// How a [`Client`] behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The longest silence: while connecting (10 s at the most), while sending, before the answer, and within it. A
    /// transfer that moves is never cut off, however long it takes.
    pub timeout: Duration,
    /// Who is asking.
    pub identity: Identity,
    /// Further headers for every request to the API.
    pub headers: Headers,
    /// How long to go on trying.
    pub patience: Patience,
}

impl Default for Options {
    /// Silence of 60 s, nobody in particular, and tries for five minutes.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            identity: Identity::default(),
            headers: Headers::default(),
            patience: Patience::default(),
        }
    }
}

/// A client of one server. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    pub(crate) http: reqwest::Client,
    base: Base,
    pub(crate) timeout: Duration,
    pub(crate) identity: Identity,
    pub(crate) headers: Headers,
    patience: Patience,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A base profile as it came.
#[derive(Clone, Debug)]
pub struct Download {
    /// The whole body. That it is as long as was announced is certain; that it is a profile is for the caller to see.
    pub bytes: Bytes,
    /// Its `ETag`, quotes included.
    pub etag: Option<String>,
    /// When it was last merged into.
    pub modified: Option<Timestamp>,
}

/// A base profile that came into a file.
#[derive(Clone, Debug)]
pub struct Saved {
    /// How many bytes it has.
    pub size: u64,
    /// Its `ETag`, quotes included.
    pub etag: Option<String>,
    /// When it was last merged into.
    pub modified: Option<Timestamp>,
}

/// What a download gave.
#[derive(Clone, Debug)]
pub enum Downloaded {
    /// The profile.
    Profile(Download),
    /// The caller has it already.
    Unchanged,
}

impl Client {
    /// A client of the API at `base_url`, which may carry a path: `https://host/prod`.
    ///
    /// # Errors
    /// `Invalid` for a bad URL, for an identity and a header that want the same place, and for a host that does not tell
    /// what to sign for; `Internal` if TLS cannot be set up.
    pub fn new(base_url: &str, options: Options) -> Result<Self> {
        let base = Base::parse(base_url)?;
        let identity = options.identity.settled(base.url(), &options.headers)?;
        let builder = || {
            reqwest::Client::builder()
                .user_agent(concat!("autopgo/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(options.timeout.min(CONNECTING))
                // Followed by hand, so that credentials stay where they belong.
                .redirect(Policy::none())
                .referer(false)
                .retry(reqwest::retry::never())
        };
        let secure = base.url().scheme() == "https";
        let http = if secure { tls::client(builder) } else { tls::lenient_client(builder) }?;
        let Options { timeout, headers, patience, .. } = options;
        Ok(Self { http, base, timeout, identity, headers, patience, clock: Arc::new(System) })
    }

    /// The same, with its pauses taken from `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Downloads the base profile of `app` in `form`, unless its `ETag` is the `known` one. `progress` is told of what
    /// arrives.
    ///
    /// # Errors
    /// `NotFound` when there is no profile yet; `Denied`; `Unavailable`; `Invalid` when what answers is no autopgo.
    pub async fn download(
        &self,
        app: &App,
        form: Form,
        known: Option<&str>,
        progress: Option<Progress>,
    ) -> Result<Downloaded> {
        let answer = self.profile(app, form, known, progress, &mut To::Memory).await?;
        Ok(match answer {
            Some(answer) => {
                let Metadata { etag, modified } = Metadata::of(&answer);
                Downloaded::Profile(Download { bytes: answer.body, etag, modified })
            }
            None => Downloaded::Unchanged,
        })
    }

    /// The same into a file, so that it need not fit into memory. `None` if it is unchanged: then no file was made. After
    /// an error anything may be in it.
    ///
    /// # Errors
    /// As [`Client::download`], and those of the file; `Internal` when it cannot be written.
    pub async fn download_to(
        &self,
        mut target: Target<'_>,
        app: &App,
        form: Form,
        known: Option<&str>,
        progress: Option<Progress>,
    ) -> Result<Option<Saved>> {
        let answer = self.profile(app, form, known, progress, &mut To::File(&mut target)).await?;
        Ok(answer.map(|answer| {
            let Metadata { etag, modified } = Metadata::of(&answer);
            Saved { size: answer.size, etag, modified }
        }))
    }

    /// `None` if it is unchanged.
    async fn profile(
        &self,
        app: &App,
        form: Form,
        known: Option<&str>,
        progress: Option<Progress>,
        to: &mut To<'_, '_>,
    ) -> Result<Option<Answer>> {
        let query = match form {
            Form::Full => None,
            Form::Compact => Some("form=compact"),
        };
        let doing = format!("downloading the profile of {app}");
        let mut call = self.call(Method::GET, &api::profile(app), query);
        call.headers
            .insert(ACCEPT, HeaderValue::from_static("application/octet-stream, application/json;q=0.5"));
        if let Some(known) = known {
            let invalid = |_| Error::new(Kind::Invalid, format!("{doing}: {known:?} is no ETag"));
            call.headers.insert(IF_NONE_MATCH, HeaderValue::try_from(known).map_err(invalid)?);
        }
        let mut retry = self.retry();
        loop {
            let tried = self.fetch(&call, PROFILE_BYTES, to, progress.as_ref()).await;
            let checked = tried.and_then(|done| {
                answer::no_page(&done.headers, &shown(&call.url))?;
                Ok(done)
            });
            match checked {
                Ok(done) if done.status == StatusCode::NOT_MODIFIED => return Ok(None),
                Ok(done) => return Ok(Some(done)),
                Err(fault) => retry.pause(&doing, fault).await?,
            }
        }
    }

    /// Every application that has a profile, as the server sorts them.
    ///
    /// # Errors
    /// `Denied`; `Unavailable`; `Invalid` when what answers is no autopgo.
    pub async fn list(&self) -> Result<Profiles> {
        let call = self.call(Method::GET, api::PROFILES, None);
        let mut retry = self.retry();
        loop {
            let tried = self.attempt(&call, JSON_BYTES).await;
            match tried.and_then(|done| answer::json(&done.headers, &done.body, &shown(&call.url))) {
                Ok(profiles) => return Ok(profiles),
                Err(fault) => retry.pause("listing profiles", fault).await?,
            }
        }
    }

    /// Deletes the profile of `app` and everything accepted for it so far.
    ///
    /// # Errors
    /// `NotFound` when there was nothing; `Denied`; `Unavailable`, and then it may be deleted all the same: ask again.
    pub async fn delete(&self, app: &App) -> Result<()> {
        let call = self.call(Method::DELETE, &api::profile(app), None);
        let mut retry = self.retry();
        let doing = format!("deleting the profile of {app}");
        loop {
            let tried = self.attempt(&call, JSON_BYTES).await;
            let fault =
                match tried.and_then(|done| answer::json(&done.headers, &done.body, &shown(&call.url))) {
                    Ok(Deleted {}) => return Ok(()),
                    Err(fault) => fault,
                };
            // An earlier try whose answer was lost has done it.
            if fault.error.kind() == Kind::NotFound && retry.unclear() {
                return Ok(());
            }
            retry.pause(&doing, fault).await?;
        }
    }

    /// What the server says of its health and of what it leans on. Asked once: an unhealthy server is an answer.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be reached; `Invalid` when what answers is no autopgo.
    pub async fn health(&self) -> Result<Report> {
        let call = self.call(Method::GET, api::HEALTH, None);
        let doing = "asking for the server's health";
        let from = shown(&call.url);
        let asked = self.ask(&call, JSON_BYTES).await.and_then(|(done, secrets)| {
            // 503 with a report is the answer "unhealthy"; 503 without one comes from something in front.
            let who = Who::Api(&self.identity);
            answer::json(&done.headers, &done.body, &from).map_err(|foreign| match done.status {
                status if status.is_success() => foreign,
                status => answer::refused(status, &done.headers, &done.body, &from, who, &secrets),
            })
        });
        asked.map_err(|fault| fault.error.during(doing))
    }

    pub(crate) fn call(&self, method: Method, path: &str, query: Option<&str>) -> Call {
        let url = self.base.join(path, query);
        Call { store: false, method, url, headers: HeaderMap::new(), body: None, sent: None }
    }

    pub(crate) fn retry(&self) -> Retry<'_> {
        Retry::new(&*self.clock, self.patience)
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base.to_string())
            .field("identity", &self.identity)
            .finish()
    }
}

/// What the headers of a download say.
struct Metadata {
    etag: Option<String>,
    modified: Option<Timestamp>,
}

impl Metadata {
    fn of(answer: &Answer) -> Self {
        let modified = text(&answer.headers, LAST_MODIFIED)
            .and_then(|date| Some(jiff::fmt::rfc2822::parse(date).ok()?.timestamp()));
        Self { etag: text(&answer.headers, ETAG).map(str::to_owned), modified }
    }
}

fn text(headers: &HeaderMap, name: http::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
