//! Google Cloud Storage, in memory: the JSON API, and of the XML API what signed URLs are for.
//!
//! Written from <https://cloud.google.com/storage/docs/json_api/v1>, <https://cloud.google.com/storage/docs/xml-api> and
//! <https://cloud.google.com/storage/docs/authentication/signatures>. `tests/python.rs` drives it by Google's own client.
//!
//! What it keeps that others of its kind do not: preconditions on every call, who asks, and what is signed. It has no
//! versions but the newest, no classes of storage and no rights: whoever has the key of its account may do everything.

mod json;
mod mask;
mod refusal;
mod signature;
mod upload;
mod world;
mod xml;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

pub use crate::account::Account;
use crate::server::{self, Server};
use world::World;

/// A server on the loopback address, until it is dropped.
pub struct Fake {
    server: Server,
    state: Arc<State>,
}

/// What its handlers share.
struct State {
    account: Account,
    world: Mutex<World>,
}

impl State {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fake {
    /// One on a port that is free, with an account of its own.
    ///
    /// # Errors
    /// There is no port to be had, or no key can be made.
    pub fn start() -> io::Result<Self> {
        Self::start_on(0)
    }

    /// The same on this port.
    ///
    /// # Errors
    /// Those of [`Fake::start`].
    pub fn start_on(port: u16) -> io::Result<Self> {
        let (listener, address) = server::listen(port)?;
        let account = Account::new(&format!("http://{address}"))?;
        let state = Arc::new(State { account, world: Mutex::default() });
        let server = Server::start(listener, router(Arc::clone(&state)))?;
        Ok(Self { server, state })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The account that may do everything here.
    pub fn account(&self) -> &Account {
        &self.state.account
    }

    /// Another account of the same name, with another key: what it signs is not believed.
    ///
    /// # Errors
    /// No key can be made.
    pub fn stranger(&self) -> io::Result<Account> {
        Account::new(&format!("http://{}", self.address()))
    }

    /// Makes a bucket, or leaves it as it is.
    pub fn make(&self, bucket: &str) {
        self.state.world().make(bucket);
    }

    /// The names of the objects of a bucket as they stand in it, each with its content type.
    pub fn objects(&self, bucket: &str) -> Vec<(String, String)> {
        self.state.world().names(bucket)
    }
}

fn router(state: Arc<State>) -> Router {
    let object = get(json::object).delete(json::delete);
    Router::new()
        .route("/token", post(json::token))
        .route("/storage/v1/b", post(json::make))
        .route("/storage/v1/b/{bucket}", get(json::bucket))
        .route("/storage/v1/b/{bucket}/o", get(json::list))
        .route("/storage/v1/b/{bucket}/o/{object}", object.clone())
        .route("/download/storage/v1/b/{bucket}/o/{object}", object)
        .route("/storage/v1/b/{bucket}/o/{object}/rewriteTo/b/{to_bucket}/o/{to}", post(json::rewrite))
        .route("/storage/v1/b/{bucket}/o/{object}/copyTo/b/{to_bucket}/o/{to}", post(json::copy))
        .route("/upload/storage/v1/b/{bucket}/o", post(upload::begin).put(upload::go_on))
        .fallback(xml::serve)
        // Base profiles are larger than what axum takes of itself.
        .layer(DefaultBodyLimit::disable())
        .with_state(state)
}
