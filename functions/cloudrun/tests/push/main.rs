//! The worker as Cloud Run has it, a process that Pub/Sub pushes to: what it acknowledges is done, what it does not comes
//! again, and each upload is in its base once.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "all of this is a test")]
#![cfg(unix)]

mod callers;
mod end;
mod rig;
mod schedule;
mod shapes;
mod trouble;
