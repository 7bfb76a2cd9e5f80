//! The JSON of the HTTP API and its paths: what the server writes and the client reads.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::app::App;

/// `GET` lists the profiles.
pub const PROFILES: &str = "/api/profile";
/// `PUT` and `GET` of what a process that is its own store has signed.
pub const OBJECTS: &str = "/api/objects";
/// `GET`: is everything that this process leans on healthy?
pub const HEALTH: &str = "/api/health";
/// `GET`: can it serve?
pub const READY: &str = "/api/ready";
/// `GET`: what a process that runs for long has counted, as Prometheus reads it.
pub const METRICS: &str = "/metrics";
/// The request header that makes a retry the same upload.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The header of a 404 that is about the path and not about a profile: a wrong base URL must not pass for "no profile yet".
pub const UNKNOWN_PATH: &str = "x-autopgo-unknown-path";
/// The media type of a profile.
pub const PROFILE_TYPE: &str = "application/octet-stream";

/// `POST`, `GET` and `DELETE` of one application's profile.
pub fn profile(app: &App) -> String {
    format!("{PROFILES}/{app}")
}

/// `POST` asks for a ticket: leave to put an upload straight into the store.
pub fn uploads(app: &App) -> String {
    format!("{}/uploads", profile(app))
}

/// `POST` says that the upload of the ticket `id` lies in the store.
pub fn completion(app: &App, id: &str) -> String {
    format!("{}/{id}", uploads(app))
}

/// The body of every error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What is wrong.
    pub message: String,
    /// The HTTP status.
    pub code: u16,
}

/// The answer to an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uploaded {
    /// Where the upload lies until it is merged.
    pub key: String,
}

/// What a client that wants a ticket says of its upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// Bytes of it as it will be put.
    pub size: u64,
}

/// A ticket: how to put one upload straight into the store. Whoever holds it may do so, so it is not to be logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// By which it is completed.
    pub id: String,
    /// Where to, with the signature in its query. One without a host is relative to the URL that the ticket was asked
    /// at: the server is its own store then.
    pub url: String,
    /// By which method.
    pub method: String,
    /// The headers that must be sent as they are here, beside the length.
    pub headers: BTreeMap<String, String>,
    /// Where the upload will lie until it is completed.
    pub key: String,
    /// From when on it can be neither used nor completed.
    pub expires: Timestamp,
}

/// Without the URL and the headers, which are what is secret.
impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket")
            .field("key", &self.key)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// The answer to a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profiles {
    /// One line an application that has a base profile.
    pub profiles: Vec<Listed>,
}

/// A line of a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// The application's name.
    pub key: App,
    /// Bytes of the base profile as it is stored.
    pub size: u64,
    /// When it was last merged into.
    pub last_modified: Timestamp,
}

/// The answer to a deletion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {}

/// Which form of a base profile is asked for (`?form=`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// As it is stored.
    #[default]
    Full,
    /// What the Go compiler reads of it and nothing else.
    Compact,
}
