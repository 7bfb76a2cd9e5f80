//! What the stories share: where things are, the command as a process of its own, profiles made to measure, and
//! waiting with a deadline.

#[cfg(feature = "services")]
pub mod azurite;
#[cfg(feature = "services")]
pub mod bus;
pub mod facts;
#[cfg(feature = "services")]
pub mod functions;
pub mod iam;
#[cfg(feature = "services")]
pub mod inventory;
pub mod matrix;
pub mod once;
pub mod original;
pub mod paths;
pub mod process;
pub mod profile;
pub mod prometheus;
#[cfg(feature = "services")]
pub mod recorder;
pub mod requests;
pub mod runner;
#[cfg(feature = "services")]
pub mod s3;
pub mod seed;
pub mod skip;
pub mod slow;
#[cfg(feature = "services")]
pub mod sns;
#[cfg(feature = "services")]
pub mod store;
pub mod suite;
#[cfg(feature = "services")]
pub mod terraform;
pub mod wait;
