//! The real binary, against the real server in this process and against servers that misbehave.
#![expect(clippy::expect_used, clippy::panic, reason = "tests say what they rely on")]

mod auth;
mod download;
mod files;
mod journey;
mod rig;
mod scrape;
mod token;
mod usage;
