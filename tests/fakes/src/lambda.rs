//! The Runtime API of AWS Lambda: what a function's process asks for its events and tells its answers to.
//!
//! Written from <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>. Events wait here until a process asks, so
//! that the time from the start of one to its first answer can be taken. It gives one event at a time to each that asks;
//! unlike the platform it ends no process, which is the test's to do, and takes answers of any size.

mod invocation;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use bytes::Bytes;
use tokio::sync::{Notify, watch};

use crate::server::{self, Server};
pub use invocation::{Answer, Failure, Invoked};
use invocation::{Answering, Invocation};

/// A Runtime API on the loopback address, until it is dropped.
pub struct Fake {
    server: Server,
    state: Arc<State>,
}

/// What its handlers share.
struct State {
    world: Mutex<World>,
    /// An event has come.
    event: Notify,
    /// Why no process could be made of it, once one has said so.
    init: watch::Sender<Option<Failure>>,
}

#[derive(Default)]
struct World {
    waiting: VecDeque<Invocation>,
    handed: Vec<Answering>,
}

impl State {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fake {
    /// One on a port that is free.
    ///
    /// # Errors
    /// There is no port to be had.
    pub fn start() -> io::Result<Self> {
        let (listener, _) = server::listen(0)?;
        let state =
            Arc::new(State { world: Mutex::default(), event: Notify::new(), init: watch::Sender::default() });
        let server = Server::start(listener, router(Arc::clone(&state)))?;
        Ok(Self { server, state })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// What a process needs to find it: the variables that the platform sets
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>).
    pub fn variables(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_LAMBDA_RUNTIME_API", self.address().to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", "autopgo".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769".to_owned()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ]
    }

    /// Gives this event to the process that asks next, or has asked already, and waits for its answer. Its time counts from
    /// when it is given out.
    pub async fn invoke(&self, event: impl Into<Bytes>, timeout: Duration) -> Invoked {
        let (invocation, answer) = Invocation::new(event.into(), timeout);
        self.state.world().waiting.push_back(invocation);
        self.state.event.notify_one();
        let Ok(given) = answer.given.await else { return Invoked::never() };
        match tokio::time::timeout(timeout, answer.answered).await {
            Ok(Ok((answer, at))) => Invoked { answer, took: at - given },
            Ok(Err(_)) => Invoked::never(),
            Err(_) => Invoked { answer: Answer::TimedOut, took: timeout },
        }
    }

    /// Waits until a process says that it cannot start, and gives why.
    pub async fn init_failed(&self) -> Failure {
        let mut init = self.state.init.subscribe();
        loop {
            if let Some(failure) = init.borrow_and_update().clone() {
                return failure;
            }
            // The sender lives as long as this.
            if init.changed().await.is_err() {
                return Failure::default();
            }
        }
    }
}

impl State {
    /// The next event, given out now.
    async fn next(&self) -> Invocation {
        loop {
            if let Some(invocation) = self.world().waiting.pop_front() {
                return invocation;
            }
            self.event.notified().await;
        }
    }

    /// Takes the answer to the event `id`. Whether there is such an event that has none.
    fn answered(&self, id: &str, answer: Answer) -> bool {
        let at = Instant::now();
        let mut world = self.world();
        let Some(index) = world.handed.iter().position(|handed| handed.id == id) else { return false };
        // Nobody waits any more for what came too late.
        let _ = world.handed.swap_remove(index).answered.send((answer, at));
        true
    }
}

fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(invocation::next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(invocation::response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(invocation::error))
        .route("/2018-06-01/runtime/init/error", post(invocation::init_error))
        .layer(DefaultBodyLimit::disable())
        .with_state(state)
}
