//! The routes, one verb a file: extract, call the server, answer.

pub(crate) mod delete;
pub(crate) mod download;
mod etag;
pub(crate) mod health;
pub(crate) mod list;
pub(crate) mod metrics;
pub(crate) mod name;
pub(crate) mod object;
pub(crate) mod ticket;
pub(crate) mod upload;
