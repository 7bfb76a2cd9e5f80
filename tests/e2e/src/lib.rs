//! What the stories share: where things are, the command as a process of its own, profiles made to measure, and
//! waiting with a deadline.

pub mod paths;
pub mod process;
pub mod profile;
pub mod skip;
pub mod wait;
