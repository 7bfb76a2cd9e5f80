//! Samples Go services for CPU profiles and uploads them: every so often a few random targets are profiled through
//! `net/http/pprof`, each profile is checked here and sent to the server under its application's name.
//!
//! [`run`] is the whole of it. Where targets come from is a [`source::Source`]; [`source::open`] has one for each
//! [`Mode`] of this build.

#[cfg(test)]
mod fake;
mod fetch;
mod mode;
mod outcome;
mod round;
mod run;
mod sample;
pub mod source;
mod target;

pub use mode::Mode;
pub use run::{Options, run};
pub use target::Target;
