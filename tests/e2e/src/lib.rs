//! What the stories share: where things are, the command as a process of its own, profiles made to measure, and
//! waiting with a deadline.

#[cfg(feature = "services")]
pub mod minio;
pub mod once;
pub mod paths;
pub mod process;
pub mod profile;
pub mod requests;
pub mod seed;
pub mod skip;
pub mod slow;
pub mod wait;
