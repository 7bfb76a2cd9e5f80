//! The host of Azure Functions as a custom handler sees it: starts the handler as a process, hands HTTP on to it, and tells
//! it of messages and of timers.
//!
//! Written from <https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers> and from what the host's own
//! source says it does (<https://github.com/Azure/azure-functions-host>, below `src/WebJobs.Script`; each part names its
//! file). Microsoft's host is not to be had here: the npm package of its tools fetches it from elsewhere.
//!
//! What it keeps: the settings of `host.json` and `function.json`, the handler's start, end and restart, what becomes of a
//! body, how payloads are encoded, what is success, failure and neither, peek-lock with auto-complete, renewal and
//! abandoning, and `functionTimeout`. Timers tick when they are told to. There are no keys, sessions, retries, blobs or
//! output bindings but `http`, and one message is in one invocation unless `cardinality` says otherwise.

mod app;
mod handler;
mod http;
mod invoke;
mod messages;
mod payload;
mod rules;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::servicebus::Receiver;
use handler::Handler;

pub use app::{App, Function, Trigger};
pub use invoke::Invoked;

/// How the host is set up.
pub struct Setup {
    /// The folder that is deployed: `host.json`, a folder a function, the handler's program.
    pub app: PathBuf,
    /// The app's settings, which are the handler's environment.
    pub settings: Vec<(String, String)>,
    /// Somewhere else than in the folder: this program, or a server that a test has started.
    pub handler: Where,
    /// Whether it is of the hosts that know `enableProxyingHttpRequest`.
    pub proxies: bool,
    /// Whether something stands in front of it that reads chunks, and hands on neither a length nor that there were any.
    /// Without it a forwarded request in chunks fails before it reaches the handler.
    pub front_end: bool,
    /// In the place of `functionTimeout`.
    pub timeout: Option<Duration>,
}

/// Where the handler is.
pub enum Where {
    /// `defaultExecutablePath` of `host.json`, in the folder.
    Deployed,
    /// A program that stands for it.
    Program(PathBuf),
    /// A server that is there already, and whose end is not the host's business.
    At(SocketAddr),
}

impl Setup {
    /// A host of today for the app in this folder.
    pub fn of(app: impl Into<PathBuf>) -> Self {
        Self {
            app: app.into(),
            settings: Vec::new(),
            handler: Where::Deployed,
            proxies: true,
            front_end: true,
            timeout: None,
        }
    }

    /// A host that does not know `enableProxyingHttpRequest` yet.
    #[must_use]
    pub fn that_forwards(mut self) -> Self {
        self.proxies = false;
        self
    }
}

/// A host at work, until it is dropped.
pub struct Host {
    inner: Arc<Inner>,
    address: SocketAddr,
    tasks: JoinSet<()>,
}

/// What its parts share.
struct Inner {
    app: App,
    handler: Arc<Handler>,
    proxies: bool,
    front_end: bool,
    timeout: Duration,
    client: reqwest::Client,
}

impl Host {
    /// Reads the app, starts its handler, waits until that answers, and listens on a port of the loopback address that is
    /// free.
    ///
    /// # Errors
    /// What is wrong with the app's files; the handler does not start, or does not answer in time; there is no port to be
    /// had.
    pub async fn start(setup: Setup) -> io::Result<Self> {
        let app = App::read(&setup.app).map_err(io::Error::other)?;
        let client =
            reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
        let client = client.map_err(io::Error::other)?;
        let mut tasks = JoinSet::new();
        let handler = match setup.handler {
            Where::At(address) => Handler::at(address),
            Where::Deployed => Handler::program(setup.app.join(&app.executable), &setup.app, setup.settings),
            Where::Program(program) => Handler::program(program, &setup.app, setup.settings),
        };
        let handler = Arc::new(handler);
        tasks.spawn(Arc::clone(&handler).supervised(client.clone()));
        handler.ready().await?;
        let timeout = setup.timeout.unwrap_or(app.timeout);
        let inner = Arc::new(Inner {
            app,
            handler,
            proxies: setup.proxies,
            front_end: setup.front_end,
            timeout,
            client,
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = axum::Router::new().fallback(http::serve).with_state(Arc::clone(&inner));
        tasks.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { inner, address, tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The app as it was read.
    pub fn app(&self) -> &App {
        &self.inner.app
    }

    /// From now on, the function of this name, which a message of Service Bus triggers, is told of what `receiver` gives.
    ///
    /// # Errors
    /// There is no such function.
    pub fn listen(&mut self, function: &str, receiver: Receiver) -> io::Result<()> {
        let function = self.inner.function(function)?;
        let Trigger::Messages(settings) = &function.trigger else {
            return Err(io::Error::other(format!("{}: no message triggers it", function.name)));
        };
        self.tasks.spawn(messages::pump(
            Arc::clone(&self.inner),
            function.name.clone(),
            settings.clone(),
            receiver,
        ));
        Ok(())
    }

    /// Lets the timer of the function of this name tick, and says what came of it.
    ///
    /// # Errors
    /// There is no such function.
    pub async fn tick(&self, function: &str) -> io::Result<Invoked> {
        let function = self.inner.function(function)?;
        let Trigger::Timer { .. } = function.trigger else {
            return Err(io::Error::other(format!("{}: no timer triggers it", function.name)));
        };
        Ok(self.inner.invoke(&function.name, &payload::tick(function)).await)
    }

    /// Ends the handler as a power cut would; the host starts it again.
    ///
    /// # Errors
    /// It is not this host's to end, or does not run.
    pub async fn kill_handler(&self) -> io::Result<()> {
        self.inner.handler.signal("KILL").await
    }

    /// Asks the handler to end, does not start it again, and gives its exit code once it has.
    ///
    /// # Errors
    /// It is not this host's to end, or does not run.
    pub async fn stop_handler(&self) -> io::Result<Option<i32>> {
        self.inner.handler.stop().await
    }

    /// How often the handler was started.
    pub fn starts(&self) -> usize {
        self.inner.handler.starts()
    }

    /// What the handler has logged so far.
    pub fn log(&self) -> Vec<String> {
        self.inner.handler.log()
    }
}

impl Inner {
    fn function(&self, name: &str) -> io::Result<&Function> {
        let function = self.app.functions.iter().find(|function| function.name == name);
        function.ok_or_else(|| io::Error::other(format!("the app has no function {name}")))
    }
}
