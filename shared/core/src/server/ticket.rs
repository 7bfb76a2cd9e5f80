//! An upload that is too large for a request: the client is given a ticket, puts the profile straight into the store,
//! and says so. Only then it is looked at, and only then it is accepted.
//!
//! The staged id *is* the ticket's id. So a ticket that is completed twice is one upload, like one that is sent twice:
//! the ledger keeps the id for as long as a completion can still stage it. That is why a ticket ends, and why its end
//! is asked for once more right before staging.
//!
//! A completion reads `incoming/`, stages, and only then removes what it read: broken off anywhere, it can be done
//! again. What is in `incoming/` no more was staged before it went, so whoever does not find it there looks where staged
//! uploads go, in the order in which they go: `staging/`, `rejected/`, the ledger of the base.

use jiff::Timestamp;

use super::Server;
use super::download::our_state;
use crate::api::Ticket;
use crate::app::App;
use crate::base;
use crate::clock::since;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::key::{Id, Key};
use crate::ledger::TICKET_LIFE;

impl Server {
    /// A ticket for an upload of `app` of exactly `size` bytes; `None` if the store cannot sign one. An
    /// `idempotency_key` makes its id, as that of a plain upload.
    ///
    /// # Errors
    /// `TooLarge` over the limit; `Invalid` for a bad idempotency key or a size of 0.
    pub async fn ticket(
        &self,
        app: &App,
        size: u64,
        idempotency_key: Option<&str>,
    ) -> Result<Option<Ticket>> {
        let most = self.host.limits.ticket_bytes;
        if size == 0 {
            return Err(Error::new(
                Kind::Invalid,
                "a profile of 0 bytes is none; say how many bytes will be put",
            ));
        }
        if size > most {
            return Err(too_large(format_args!("{size}"), most));
        }
        let id = self.id(idempotency_key)?;
        let end = end(&id);
        let lasts = since(self.host.clock.now(), end);
        let Some(signed) = self.host.store.sign_incoming(app, &id, size, lasts).await? else {
            return Ok(None);
        };
        tracing::info!(app = %app, profile.id = %id, size_bytes = size, "ticket given");
        Ok(Some(Ticket {
            id: id.to_string(),
            url: signed.url,
            method: "PUT".to_owned(),
            headers: signed.headers.into_iter().collect(),
            key: Key::incoming(app, &id).to_string(),
            expires: signed.expires.min(end),
        }))
    }

    /// Takes the upload that was put with the ticket `id`, as if it had been sent just now, and gives the key at which
    /// it is staged. Doing so again gives the same.
    ///
    /// # Errors
    /// As for [`Server::upload`]; what is unusable is removed. `NotFound` if nothing was put with this ticket, or if it
    /// has expired.
    pub async fn complete(&self, app: &App, id: &Id) -> Result<Key> {
        let start = self.host.clock.now();
        self.lasts(app, id)?;
        let body = match self.host.store.incoming(app, id).await {
            Ok(Some(body)) => body,
            Ok(None) => return self.completed(app, id).await,
            Err(error) if error.kind() == Kind::TooLarge => {
                self.clear(app, id).await;
                let most = self.host.limits.ticket_bytes;
                return Err(too_large(format_args!("more than {most}"), most));
            }
            Err(error) => return Err(error),
        };
        let body = match self.check(body).await {
            Ok(body) => body,
            Err(error) => {
                if matches!(error.kind(), Kind::Unusable | Kind::TooLarge) {
                    self.clear(app, id).await;
                }
                return Err(error);
            }
        };
        self.lasts(app, id)?;
        self.stage(app, id, body, start).await?;
        self.clear(app, id).await;
        self.announce(Event::Uploaded { app: app.clone(), id: id.clone() }).await;
        Ok(Key::staged(app, id))
    }

    /// The answer to a completion that finds nothing in `incoming/`: an earlier one may have taken it.
    async fn completed(&self, app: &App, id: &Id) -> Result<Key> {
        let store = &self.host.store;
        if store.is_staged(app, id).await? {
            // The one that staged it may have died before it said so.
            self.announce(Event::Uploaded { app: app.clone(), id: id.clone() }).await;
        } else if !store.is_rejected(app, id).await? && !self.is_decided(app, id).await? {
            return Err(Error::new(
                Kind::NotFound,
                format!(
                    "nothing was put with the ticket {id} of {app}; put the profile first, then complete"
                ),
            ));
        }
        Ok(Key::staged(app, id))
    }

    async fn is_decided(&self, app: &App, id: &Id) -> Result<bool> {
        let read = async {
            match self.host.store.base(app).await? {
                Some(object) => base::read(&self.host, app, object).await.map(Some),
                None => Ok(None),
            }
        };
        let base = read.await.map_err(|error| our_state(app, error))?;
        Ok(base.is_some_and(|base| base.ledger.decided.contains(id)))
    }

    /// Removes what was put with a ticket. What stays behind ages out.
    async fn clear(&self, app: &App, id: &Id) {
        if let Err(error) = self.host.store.remove(&Key::incoming(app, id)).await {
            tracing::warn!(app = %app, profile.id = %id, error = error.chain(), "what was put with a ticket stays until it ages out");
        }
    }

    fn lasts(&self, app: &App, id: &Id) -> Result<()> {
        if self.host.clock.now() < end(id) {
            return Ok(());
        }
        let what = format!(
            "the ticket {id} of {app} has expired: it lasted {} minutes; ask for a new one and put the profile again",
            TICKET_LIFE.as_secs() / 60
        );
        Err(Error::new(Kind::NotFound, what))
    }
}

/// When the ticket with this id ends.
fn end(id: &Id) -> Timestamp {
    id.time().saturating_add(TICKET_LIFE).unwrap_or(Timestamp::MAX)
}

fn too_large(size: std::fmt::Arguments<'_>, most: u64) -> Error {
    let what = format!(
        "the profile has {size} bytes; with a ticket at most {most} are taken (AUTOPGO_MAX_TICKET_BYTES)"
    );
    Error::new(Kind::TooLarge, what)
}
