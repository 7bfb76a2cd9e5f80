//! An upload, by whichever way it fits: in the body of a request, or, above what some hosts take of one, with a ticket
//! straight into the store. All of it is one upload under one `Idempotency-Key`.

use autopgo_core::api::{self, Announced, Ticket, Uploaded};
use autopgo_core::app::App;
use autopgo_core::error::{Error, Kind, Result};
use autopgo_core::key::Id;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use reqwest::Url;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::answer;
use crate::base::shown;
use crate::call::{Call, Progress, onward};
use crate::client::{Client, JSON_BYTES};
use crate::content::Content;
use crate::retry::{Fault, Retry};

/// A profile above this size, in bytes, asks for a ticket at once: API Gateway and Lambda cut a request off at little
/// more.
const TICKET_ABOVE: u64 = 4 << 20;

/// What a ticket asks for.
struct Leave {
    id: Id,
    call: Call,
}

/// An upload on its way.
struct Upload<'a> {
    client: &'a Client,
    app: &'a App,
    profile: Content,
    key: HeaderValue,
    progress: Option<Progress>,
    doing: String,
}

impl Client {
    /// Uploads `profile` for `app` and gives the key at which it waits to be merged. `progress` is told of what is sent.
    ///
    /// Every try carries the same `Idempotency-Key`, so however often it is sent it is merged once. Tries end after
    /// five minutes, because servers take no older key.
    ///
    /// Above 4 MiB, and when a server says that a body is too large for it or did not come through, the profile goes
    /// straight into the store, with a ticket from the server. A server without tickets, such as the Go original, is sent it in any case.
    ///
    /// # Errors
    /// `Invalid` when the server refuses the profile, in its words; `TooLarge`, `Denied`; `Unavailable` when the server
    /// cannot be reached or did not answer in time, and then it may have taken the profile all the same.
    pub async fn upload(
        &self,
        app: &App,
        profile: impl Into<Content>,
        progress: Option<Progress>,
    ) -> Result<Uploaded> {
        let key = HeaderValue::try_from(Uuid::now_v7().to_string())
            .map_err(|error| Error::new(Kind::Internal, "making a key").because(error))?;
        let doing = format!("uploading the profile of {app}");
        let upload = Upload { client: self, app, profile: profile.into(), key, progress, doing };
        let mut retry = self.retry();
        if upload.profile.size() > TICKET_ABOVE {
            return match upload.with_ticket(&mut retry).await? {
                Ok(uploaded) => Ok(uploaded),
                Err(_) => {
                    upload.plainly(&mut retry).await?.map_err(|fault| fault.error.during(&upload.doing))
                }
            };
        }
        let refusal = match upload.plainly(&mut retry).await? {
            Ok(uploaded) => return Ok(uploaded),
            Err(fault) => fault,
        };
        tracing::debug!(error = refusal.error.chain(), "asking for a ticket");
        // Where there are no tickets the first refusal is what there is to say.
        upload.with_ticket(&mut retry).await?.map_err(|_| refusal.error.during(&upload.doing))
    }
}

impl Upload<'_> {
    /// In the body of a request. The inner error is a 413, or a 411: what stands in front of the server lost the length,
    /// and its host lost the body with it.
    async fn plainly(&self, retry: &mut Retry<'_>) -> Result<Result<Uploaded, Fault>> {
        let mut call = self.call(&api::profile(self.app));
        call.body = Some(self.profile.clone());
        call.sent = self.progress.clone();
        loop {
            match self.answered(&call).await {
                Ok(uploaded) => return Ok(Ok(uploaded)),
                Err(fault) if matches!(status(&fault), Some(411 | 413)) => return Ok(Err(fault)),
                Err(fault) => retry.pause(&self.doing, fault).await?,
            }
        }
    }

    /// Straight into the store. The inner error says that there are no tickets here.
    async fn with_ticket(&self, retry: &mut Retry<'_>) -> Result<Result<Uploaded, Fault>> {
        let mut leave = match self.ticket(retry).await? {
            Ok(leave) => leave,
            Err(fault) => return Ok(Err(fault)),
        };
        let mut renewed = false;
        loop {
            let fault = match self.client.attempt(&leave.call, JSON_BYTES).await {
                Ok(_) => break,
                Err(fault) => fault,
            };
            // What signed the ticket may have ended: a session of the server's, or the server itself. A new one is for
            // the same place.
            if status(&fault) == Some(403) && !renewed {
                renewed = true;
                leave = match self.ticket(retry).await? {
                    Ok(leave) => leave,
                    Err(_) => return Err(fault.error.during(&self.doing)),
                };
                continue;
            }
            retry.pause(&self.doing, fault).await?;
        }
        let completion = api::completion(self.app, &leave.id.to_string());
        let call = self.client.call(Method::POST, &completion, None);
        // However long the transfer took, the last step has tries of its own.
        let mut retry = self.client.retry();
        loop {
            match self.answered(&call).await {
                Ok(uploaded) => return Ok(Ok(uploaded)),
                Err(fault) => retry.pause(&self.doing, fault).await?,
            }
        }
    }

    /// A ticket. The inner error says that there are none here.
    async fn ticket(&self, retry: &mut Retry<'_>) -> Result<Result<Leave, Fault>> {
        let mut call = self.call(&api::uploads(self.app));
        let wanted = serde_json::to_vec(&Announced { size: self.profile.size() });
        let wanted =
            wanted.map_err(|error| Error::new(Kind::Internal, "asking for a ticket").because(error))?;
        call.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        call.body = Some(wanted.into());
        loop {
            let fault = match self.answered(&call).await.and_then(|ticket| self.leave(&call.url, &ticket)) {
                Ok(leave) => return Ok(Ok(leave)),
                Err(fault) => fault,
            };
            if matches!(status(&fault), Some(404 | 405 | 501)) {
                tracing::debug!(error = fault.error.chain(), "this server gives no tickets");
                return Ok(Err(fault));
            }
            retry.pause(&self.doing, fault).await?;
        }
    }

    /// What `ticket`, given at `at`, allows.
    fn leave(&self, at: &Url, ticket: &Ticket) -> Result<Leave, Fault> {
        let broken = |problem: &str| {
            let what = format!("{} gave a ticket {problem}", shown(at));
            Fault::never(Error::new(Kind::Invalid, what))
        };
        let id = Id::parse(&ticket.id).ok_or_else(|| broken("without an id"))?;
        if ticket.method != "PUT" {
            return Err(broken("that is not for a PUT"));
        }
        let url = onward(at, &ticket.url).map_err(broken)?;
        let mut headers = HeaderMap::new();
        for (name, value) in &ticket.headers {
            let name = HeaderName::try_from(name).map_err(|_| broken("with a header that is none"))?;
            let mut value = HeaderValue::try_from(value).map_err(|_| broken("with a header that is none"))?;
            value.set_sensitive(true);
            if name != CONTENT_LENGTH {
                headers.insert(name, value);
            }
        }
        // One without a host is the API's own: whatever stands in front of it wants what it always wants.
        let store = url.origin() != at.origin() || Url::parse(&ticket.url).is_ok();
        let (body, sent) = (Some(self.profile.clone()), self.progress.clone());
        Ok(Leave { id, call: Call { store, method: Method::PUT, url, headers, body, sent } })
    }

    fn call(&self, path: &str) -> Call {
        let mut call = self.client.call(Method::POST, path, None);
        call.headers.insert(api::IDEMPOTENCY_KEY, self.key.clone());
        call
    }

    /// Makes `call` once and reads its JSON.
    async fn answered<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Fault> {
        let done = self.client.attempt(call, JSON_BYTES).await?;
        answer::json(&done.headers, &done.body, &shown(&call.url))
    }
}

fn status(fault: &Fault) -> Option<u16> {
    fault.status.map(|status| status.as_u16())
}
