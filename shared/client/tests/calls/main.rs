//! The client against servers that are slow, broken, confused or hostile.
#![expect(clippy::expect_used, clippy::panic, reason = "tests say what they rely on")]

mod download;
mod everyone;
mod fake;
mod file;
mod identities;
mod ticket;
mod upload;
