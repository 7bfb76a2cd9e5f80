//! Servers for tests, where no server that can be had keeps the rules that are tested. Each is written from its maker's
//! documentation and from nothing else, is cited where it follows it, and is itself tried by its maker's own client.

mod account;
pub mod functions_host;
pub mod gateway;
pub mod gcs;
pub mod google;
pub mod lambda;
pub mod push;
mod server;
pub mod servicebus;
pub mod tokens;
