//! The server and the worker as functions of AWS Lambda.
//!
//! Each has one entry, which takes an event of the platform as JSON and gives its answer: [`http::Function::call`] and
//! [`worker::Function::call`]. The two programs beside this library give them to the runtime; whoever emulates the platform
//! calls them too. What an event says is read here, and what becomes of it is the core's.

pub mod http;
mod kafka;
pub mod process;
mod schedule;
mod sqs;
pub mod trigger;
pub mod worker;

use autopgo_core::error::{Error, Kind};
use lambda_runtime::Diagnostic;
use serde::Serialize;
use serde_json::Value;

/// Variables of the server side that have another default here than in a program that runs by itself.
///
/// An answer may have 6 MiB, and a profile stands in it as base64: what is larger is left to the store to send
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
pub const DEFAULTS: &[(&str, &str)] = &[("AUTOPGO_DOWNLOAD_CAP_BYTES", "4613734")];

/// An error as the platform is told of it; the runtime logs it.
fn diagnostic(error: &Error) -> Diagnostic {
    Diagnostic { error_type: format!("{:?}", error.kind()), error_message: error.chain() }
}

/// An event as the runtime reads it.
fn read(event: &[u8]) -> Result<Value, Diagnostic> {
    let no_json = |error| diagnostic(&Error::new(Kind::Invalid, "the event is no JSON").because(error));
    serde_json::from_slice(event).map_err(no_json)
}

/// An answer as the runtime writes it.
fn write(answer: &impl Serialize) -> Result<Vec<u8>, Diagnostic> {
    let none = |error| diagnostic(&Error::new(Kind::Internal, "writing the answer as JSON").because(error));
    serde_json::to_vec(answer).map_err(none)
}
