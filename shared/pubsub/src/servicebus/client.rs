//! The requests, one for each operation: how long each may take, and how often it is tried.

use std::time::Duration;

use autopgo_core::error::{Error, Kind, Result};
use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use tokio::time::timeout;

use super::SCHEME;
use super::fail::{Asked, Failure, Refused};
use super::identity::Identity;
use super::settings::{Settings, Variables};
use super::wire::{self, Locked, PROPERTIES, encode};
use crate::patience::ATTEMPT;

/// To reach the service.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a connection waits for the next request. The other side closes one that waits much longer.
const IDLE: Duration = Duration::from_secs(20);
/// No envelope has as many bytes. What is longer is cut off, so that it is dropped for what it is: no envelope.
const LARGEST: usize = 1 << 20;

/// Of the management of entities; the operations on messages have none.
const VERSION: &str = "2021-05";
/// A message and a lock that cannot be.
const NOTHING: &str = "0/00000000-0000-0000-0000-000000000000";

/// A topic or a subscription, as its clients reach it.
pub(super) struct Client {
    http: reqwest::Client,
    identity: Identity,
    name: String,
    /// `https://HOST/ENTITY`
    url: String,
}

/// Makes a client for HTTP.
pub(super) fn http(without_proxy: bool) -> Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        // A token is for this host alone.
        .redirect(Policy::none());
    let builder = if without_proxy { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| Error::new(Kind::Internal, "azuresb://: making a client").because(error))
}

impl Client {
    /// A client for `entity`, which is `topic` or one of its subscriptions.
    pub(super) fn new(topic: &str, entity: &str, variables: &Variables<'_>) -> Result<Self> {
        let settings = Settings::of(topic, variables)?;
        let url = format!("{}/{}", settings.base, encode(entity, true));
        let identity = Identity::new(topic, settings)?;
        Ok(Self { http: http(false)?, identity, name: format!("{SCHEME}://{entity}"), url })
    }

    /// What it is called in errors.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn error(&self, failure: Failure) -> Error {
        failure.of(&self.name)
    }

    /// Sends one request, once, and gives its answer if that is no error.
    async fn send(
        &self,
        asked: Asked,
        method: Method,
        path: &str,
        limit: Duration,
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, Failure> {
        let answered = async {
            let request = self.http.request(method.clone(), format!("{}{path}", self.url));
            let request =
                request.header(reqwest::header::AUTHORIZATION, self.identity.authorization().await?);
            // So that a length is sent even with nothing.
            let request = if method == Method::GET { request } else { request.body("") };
            let answer = with(request).timeout(limit).send().await?;
            let status = answer.status();
            if status.is_success() {
                return Ok(answer);
            }
            let words = body(answer).await.unwrap_or_default();
            Err(Failure::Refused(Refused::of(asked, status.as_u16(), &words)))
        };
        // Whoever gives tokens may be slow too.
        timeout(limit, answered).await.unwrap_or(Err(Failure::Late))
    }

    /// <https://learn.microsoft.com/rest/api/servicebus/send-message-to-queue>
    pub(super) async fn publish(
        &self,
        properties: &str,
        message: Bytes,
        limit: Duration,
    ) -> Result<(), Failure> {
        let with = |request: RequestBuilder| {
            request.header(PROPERTIES, properties).header(CONTENT_TYPE, "application/json").body(message)
        };
        self.send(Asked::Entity, Method::POST, "/messages", limit, with).await.map(drop)
    }

    /// Waits for one message and locks it; `None` if none came. It is locked even if its body breaks off.
    /// <https://learn.microsoft.com/rest/api/servicebus/peek-lock-message-non-destructive-read>
    pub(super) async fn peek_lock(
        &self,
        wait: Duration,
    ) -> Result<Option<(Locked, Result<Bytes, Failure>)>, Failure> {
        let path = format!("/messages/head?timeout={}", wait.as_secs());
        let limit = wait + ATTEMPT;
        let answer = self.send(Asked::Entity, Method::POST, &path, limit, |request| request).await?;
        if answer.status() == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        let locked = wire::locked(answer.headers(), Timestamp::now())
            .ok_or(Failure::Strange("a message came without a lock; is this a Service Bus?"))?;
        Ok(Some((locked, body(answer).await)))
    }

    /// The message is done with. <https://learn.microsoft.com/rest/api/servicebus/delete-message>
    pub(super) async fn delete(&self, receipt: &str, limit: Duration) -> Result<(), Failure> {
        self.settle(Method::DELETE, receipt, limit).await
    }

    /// The message is given back. <https://learn.microsoft.com/rest/api/servicebus/unlock-message>
    pub(super) async fn unlock(&self, receipt: &str, limit: Duration) -> Result<(), Failure> {
        self.settle(Method::PUT, receipt, limit).await
    }

    /// The message is kept for longer. <https://learn.microsoft.com/rest/api/servicebus/renew-lock-for-a-message>
    pub(super) async fn renew(&self, receipt: &str, limit: Duration) -> Result<(), Failure> {
        self.settle(Method::POST, receipt, limit).await
    }

    async fn settle(&self, method: Method, receipt: &str, limit: Duration) -> Result<(), Failure> {
        let path = format!("/messages/{}", wire::place(receipt));
        self.send(Asked::Lock, method, &path, limit, |request| request).await.map(drop)
    }

    /// Whether the topic is there. <https://learn.microsoft.com/rest/api/servicebus/get-entity>
    pub(super) async fn look(&self, limit: Duration) -> Result<bool, Failure> {
        let path = format!("?api-version={VERSION}");
        match self.send(Asked::Entity, Method::GET, &path, limit, |request| request).await {
            // Of what is not there, the answer may be a list of nothing.
            Ok(answer) => {
                let description = body(answer).await?;
                Ok(memchr::memmem::find(&description, b"Description").is_some())
            }
            Err(failure) if failure.is_no_entity() => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Whether the subscription is there and lets us receive: asks for a lock that cannot be to be renewed, which takes
    /// the right to receive and no message.
    pub(super) async fn knock(&self, limit: Duration) -> Result<(), Failure> {
        match self.renew(NOTHING, limit).await {
            Err(failure) if failure.is_no_entity() => Err(failure),
            Err(failure) if failure.is_lost() => Ok(()),
            Err(Failure::Refused(Refused { status: 400, .. })) => Ok(()),
            other => other,
        }
    }
}

/// The body of an answer, as long as it is no longer than what can be meant.
pub(super) async fn body(mut answer: Response) -> Result<Bytes, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        let left = LARGEST - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(left)]);
        if body.len() == LARGEST {
            break;
        }
    }
    Ok(body.into())
}
