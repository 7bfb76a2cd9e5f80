//! The connection to the servers: made and made again in the background, and what is known of it.

mod news;
mod told;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Event, Request, RequestErrorKind};
use autopgo_core::error::{Error, Kind, Result};
use tokio::sync::watch;

use super::servers::Servers;
use news::News;
pub(super) use news::Wants;
use told::Told;

/// How long a server may take to answer before it is said that it does not. Below the two seconds that publishing may
/// take in all.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How long a server may take to refuse again what it has refused before.
const SECOND_THOUGHTS: Duration = Duration::from_millis(100);
/// How long a refusal is held against a server that nobody has tried again since.
const REMEMBERED: Duration = Duration::from_secs(60);
/// How often the client is asked how it is: where too much comes at once it drops what it has to tell.
const LOOK: Duration = Duration::from_secs(1);
/// How many messages wait in this process at the most, each some hundred bytes. More are dropped, as core NATS does
/// with a consumer that is too slow, and the sweep finds them.
const WAITING: usize = 16_384;

/// A connection, of one end of a bus.
pub(super) struct Link {
    pub(super) client: Client,
    /// Which subject on which servers, for the errors.
    name: String,
    keeps: bool,
    news: Arc<watch::Sender<News>>,
}

impl Link {
    /// Connects for what somebody wants, and goes on trying in the background where no server answers yet.
    ///
    /// # Errors
    /// Only what no server could change.
    pub(super) async fn open(servers: Servers, wants: Wants) -> Result<Self> {
        let name = format!("{} on the NATS server {}", wants.subject, servers.names());
        let (keeps, news) = (wants.keeps, Arc::new(watch::Sender::new(News::default())));
        let (told, heard) = (Told::new(name.clone()), Arc::clone(&news));
        let hear = move |event: Event| {
            told.hear(&event);
            heard.send_modify(|news| news.hear(&event, &wants));
            std::future::ready(())
        };
        let options = ConnectOptions::new()
            .name("autopgo")
            .retry_on_initial_connect()
            .subscription_capacity(WAITING)
            .request_timeout(Some(PATIENCE))
            .event_callback(hear);
        let client =
            servers.let_in(options).connect(&servers.addresses[..]).await.map_err(|error| {
                Error::new(Kind::Unavailable, format!("connecting to {name}")).because(error)
            })?;
        let link = Self { client, name, keeps, news };
        // Mostly it is there in a moment. Where it is not, the first check says so.
        let _ = link.within(link.ping()).await;
        Ok(link)
    }

    /// An error about this end of the bus.
    pub(super) fn fail(&self, kind: Kind, doing: &str) -> Error {
        Error::new(kind, format!("{doing} {}", self.name))
    }

    /// The same with the next step.
    pub(super) fn advise(&self, kind: Kind, doing: &str, advice: &str) -> Error {
        Error::new(kind, format!("{doing} {}: {advice}", self.name))
    }

    /// Gives `work` as long as a server may take to answer, or to refuse it.
    pub(super) async fn within<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        match tokio::time::timeout(PATIENCE, self.allowed(work)).await {
            Ok(result) => result,
            Err(_) => Err(self.silent()),
        }
    }

    /// Gives up `work` when the server says that we may not. It says so beside its answers, or in their place.
    pub(super) async fn allowed<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let refusals = self.refusals();
        tokio::select! {
            biased;
            error = self.refused(refusals) => Err(error),
            done = work => done,
        }
    }

    /// How often the server has refused something so far.
    pub(super) fn refusals(&self) -> u64 {
        self.news.borrow().refusals
    }

    /// Waits until it has refused more than that, and says what.
    pub(super) async fn refused(&self, refusals: u64) -> Error {
        let mut news = self.news.subscribe();
        // It ends with its sender, which this holds.
        let _ = news.wait_for(|news| news.refusals != refusals).await;
        self.refusal().unwrap_or_else(|| self.silent())
    }

    /// Whether something was refused, and nobody has found yet that it is allowed by now.
    pub(super) fn is_doubted(&self) -> bool {
        self.news.borrow().refused.is_some()
    }

    /// Waits for the refusal of what has been refused before. None is good news.
    pub(super) async fn second_thoughts(&self) {
        tokio::time::sleep(SECOND_THOUGHTS).await;
        self.news.send_modify(|news| news.refused = None);
    }

    /// # Errors
    /// The server has refused something not long ago, and nobody knows better.
    pub(super) fn no_refusal(&self) -> Result<()> {
        let of_late =
            self.news.borrow().refused.as_ref().is_some_and(|(when, _)| when.elapsed() < REMEMBERED);
        match self.refusal() {
            Some(error) if of_late => Err(error),
            _ => Ok(()),
        }
    }

    fn refusal(&self) -> Option<Error> {
        let news = self.news.borrow();
        let (_, why) = news.refused.as_ref()?;
        let what =
            format!("the credentials do not reach as far as {}: {why}; give their user that", self.name);
        Some(Error::new(Kind::Denied, what))
    }

    /// Waits until there is a connection, and gives its number.
    pub(super) async fn connection(&self) -> u64 {
        self.until(|| self.client.connection_state() == State::Connected).await;
        self.number()
    }

    /// Waits until there is another connection than that of this number.
    pub(super) async fn another(&self, number: u64) {
        self.until(|| self.number() != number).await;
    }

    /// Looks again with each piece of news, and now and then without.
    async fn until(&self, so: impl Fn() -> bool) {
        let mut news = self.news.subscribe();
        while !so() {
            let _ = tokio::time::timeout(LOOK, news.changed()).await;
        }
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
        let mute = self.news.borrow().mute;
        if mute {
            self.client.flush().await.map_err(|error| self.silent().because(error))?;
        } else {
            let nobody = self.client.new_inbox();
            match self.client.send_request(nobody, Request::new()).await {
                Ok(_) => {}
                Err(error) if error.kind() == RequestErrorKind::NoResponders => {}
                Err(error) => return Err(self.silent().because(error)),
            }
        }
        // What the server said before its answer goes by way of another task, which has its turn now.
        tokio::task::yield_now().await;
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

    fn silent(&self) -> Error {
        let news = self.news.borrow();
        if let (true, Some(why)) = (self.keeps, &news.deaf) {
            let what = format!(
                "JetStream's answers about {} may not reach us: {why}; let the user subscribe to _INBOX.>",
                self.name
            );
            return Error::new(Kind::Denied, what);
        }
        let error = self.fail(Kind::Unavailable, "there is no answer from");
        match &news.trouble {
            Some(why) => error.because(why.clone()),
            None => error,
        }
    }
}
