#![doc = include_str!("../README.md")]

mod inbox;
pub mod oidc;
pub mod push;
mod schedule;
pub mod worker;
