//! The connection to the servers: made and made again in the background, and what is known of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ClientError, ConnectOptions, Event, Request, RequestErrorKind, ServerError};
use autopgo_core::error::{Error, Kind, Result};
use tokio::sync::watch;

use super::servers::Servers;

/// How long a server may take to answer before it is said that it does not. Below the two seconds that publishing may
/// take in all.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How many messages wait in this process at the most, each some hundred bytes. More are dropped, as core NATS does
/// with a consumer that is too slow, and the sweep finds them.
const WAITING: usize = 16_384;

/// A connection, of one end of a bus.
pub(super) struct Link {
    pub(super) client: Client,
    /// Which subject on which servers, for the errors.
    name: String,
    news: watch::Receiver<News>,
}

/// What the connection has told of itself.
#[derive(Clone, Default)]
struct News {
    connected: bool,
    /// Why it is not.
    trouble: Option<String>,
    /// What the server does not let us do with the subject.
    refused: Option<String>,
    /// Whether the server does not let us ask for a sign of life.
    mute: bool,
}

impl News {
    fn hear(&mut self, event: &Event, subject: &str) {
        match event {
            Event::Connected => {
                let mute = self.mute;
                *self = Self { connected: true, mute, ..Self::default() };
            }
            Event::Disconnected | Event::Closed => self.connected = false,
            Event::ClientError(ClientError::Other(why)) => self.trouble = Some(why.clone()),
            Event::ServerError(ServerError::Other(why)) => {
                let violation = why.to_ascii_lowercase().contains("permissions violation");
                if violation && why.contains("_INBOX.") {
                    self.mute = true;
                } else if violation && why.contains(subject) {
                    self.refused = Some(why.clone());
                } else {
                    self.trouble = Some(why.clone());
                }
            }
            Event::ServerError(error) => self.trouble = Some(error.to_string()),
            _ => {}
        }
    }
}

impl Link {
    /// Connects for `subject`, and goes on trying in the background where no server answers yet.
    ///
    /// # Errors
    /// Only what no server could change.
    pub(super) async fn open(servers: Servers, subject: &str) -> Result<Self> {
        let name = format!("{subject} on the NATS server {}", servers.names());
        let (told, news) = watch::channel(News::default());
        let (whose, about) = (name.clone(), subject.to_owned());
        let heard = move |event: Event| {
            say(&event, &whose);
            told.send_modify(|news| news.hear(&event, &about));
            std::future::ready(())
        };
        let options = ConnectOptions::new()
            .name("autopgo")
            .retry_on_initial_connect()
            .subscription_capacity(WAITING)
            .request_timeout(Some(PATIENCE))
            .event_callback(heard);
        let client =
            servers.let_in(options).connect(&servers.addresses[..]).await.map_err(|error| {
                Error::new(Kind::Unavailable, format!("connecting to {name}")).because(error)
            })?;
        let link = Self { client, name, news };
        // Mostly it is there in a moment. Where it is not, the first check says so.
        let _ = link.within(link.ping()).await;
        Ok(link)
    }

    /// An error about this end of the bus.
    pub(super) fn fail(&self, kind: Kind, doing: &str) -> Error {
        Error::new(kind, format!("{doing} {}", self.name))
    }

    /// Gives `work` as long as a server may take to answer.
    pub(super) async fn within<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(result) => result,
            Err(_) => Err(self.silent()),
        }
    }

    /// Waits until there is a connection, and gives its number.
    pub(super) async fn connection(&self) -> u64 {
        let mut news = self.news.clone();
        if self.client.connection_state() != State::Connected {
            // It ends when the client does, which this has a handle of.
            let _ = news.wait_for(|news| news.connected).await;
        }
        self.number()
    }

    /// Waits until there is another connection than that of this number.
    pub(super) async fn another(&self, number: u64) {
        let mut news = self.news.clone();
        let _ = news.wait_for(|news| news.connected && self.number() != number).await;
    }

    /// How many connections there were so far.
    pub(super) fn number(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::SeqCst)
    }

    /// A sign of life. The server answers in order: what was sent before it, the server has.
    ///
    /// The client has no ping of its own, so that this asks an address where nobody is: the server says so.
    ///
    /// # Errors
    /// There is none, or what was sent before it may have been lost with another connection.
    pub(super) async fn ping(&self) -> Result<()> {
        let number = self.connection().await;
        if self.news.borrow().mute {
            self.client.flush().await.map_err(|error| self.silent().because(error))?;
        } else {
            let nobody = self.client.new_inbox();
            match self.client.send_request(nobody, Request::new()).await {
                Ok(_) => {}
                Err(error) if error.kind() == RequestErrorKind::NoResponders => {}
                Err(error) => return Err(self.silent().because(error)),
            }
        }
        self.refusal()?;
        self.same(number)
    }

    /// # Errors
    /// The connection is another one by now.
    pub(super) fn same(&self, number: u64) -> Result<()> {
        if self.number() == number {
            return Ok(());
        }
        Err(self.fail(Kind::Unavailable, "the connection was lost amid work on"))
    }

    /// # Errors
    /// The server has said that we may not.
    fn refusal(&self) -> Result<()> {
        match &self.news.borrow().refused {
            Some(why) => {
                Err(self.fail(Kind::Denied, "the credentials do not reach as far as").because(why.clone()))
            }
            None => Ok(()),
        }
    }

    fn silent(&self) -> Error {
        let error = self.fail(Kind::Unavailable, "there is no answer from");
        match &self.news.borrow().trouble {
            Some(why) => error.because(why.clone()),
            None => error,
        }
    }
}

/// Says what is of interest to people, once.
fn say(event: &Event, name: &str) {
    match event {
        Event::Connected => tracing::info!(bus = name, "connected"),
        Event::Disconnected => tracing::warn!(bus = name, "the connection is lost; trying again"),
        Event::SlowConsumer(_) => {
            metrics::counter!("autopgo_messages_total", "outcome" => "overflowed").increment(1);
            tracing::warn!(
                bus = name,
                "more messages came than could be kept, and some are lost; the sweep finds what they told of"
            );
        }
        Event::ServerError(error) => tracing::warn!(bus = name, error = %error, "the server complains"),
        Event::ClientError(error) => tracing::debug!(bus = name, error = %error, "no connection yet"),
        _ => {}
    }
}
