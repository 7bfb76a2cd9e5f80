//! The API over real connections and memory stores, byte by byte where the wire is the point.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "all of this is a test")]

mod access;
mod bad_profiles;
mod download;
mod names;
mod overload;
#[cfg(unix)]
mod process;
mod stop;
mod ticket;
mod upload;
mod wire;
mod world;
