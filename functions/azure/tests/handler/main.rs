//! The handler over stores and buses in memory, asked as the host asks it.

#![expect(clippy::expect_used, reason = "all of it is a test")]

mod called;
mod deploy;
mod events;
mod host;
mod upload;
mod world;
