//! The functions by the JSON that the platform gives them, and as the processes that it starts.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "all of this is a test")]

mod fixtures;
mod http;
mod process;
mod properties;
mod rig;
mod worker;
