//! One cloud's functions, triggered as that cloud triggers them: a request becomes the cloud's own event and the
//! function's answer becomes the response; a message of the bus becomes the cloud's trigger, and the function's answer
//! alone decides whether it comes again; the schedule calls the same function that the cloud's schedule calls.
//!
//! What is called is what the cloud's runtime calls, from the library that the cloud's binaries are made of. What stands
//! around it here is what the cloud has there: limits, time-outs, encodings. The bus and the store may be any.

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "emulate")]
mod emulated;
#[cfg(feature = "emulate")]
mod feed;
#[cfg(feature = "emulate")]
mod front;
#[cfg(feature = "gcp")]
mod gcp;
#[cfg(feature = "emulate")]
mod message;
#[cfg(feature = "emulate")]
mod platform;
#[cfg(feature = "emulate")]
mod schedule;

use std::fmt;

use autopgo_core::error::{Error, Kind};
use autopgo_core::limits::Limits;
#[cfg(feature = "emulate")]
pub(crate) use emulated::Emulated;
#[cfg(feature = "emulate")]
pub(crate) use platform::Parts;

/// A cloud that can be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// Lambda behind an HTTP API, SQS behind SNS, EventBridge.
    Aws {
        /// The API's stage, which every path then begins with. Without one it is `$default`, which no path has.
        stage: Option<String>,
    },
    /// A custom handler of Functions, Service Bus, the timer.
    Azure,
    /// Cloud Run, Pub/Sub that pushes, Cloud Scheduler.
    Gcp,
}

impl Cloud {
    /// The feature that has it.
    pub fn feature(&self) -> &'static str {
        match self {
            Self::Aws { .. } => "aws",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
        }
    }

    /// Whether this build has it.
    pub fn is_built(&self) -> bool {
        match self {
            Self::Aws { .. } => cfg!(feature = "aws"),
            Self::Azure => cfg!(feature = "azure"),
            Self::Gcp => cfg!(feature = "gcp"),
        }
    }

    /// Says how to get a build that has it.
    pub(crate) fn not_built(&self) -> Error {
        let feature = self.feature();
        Error::new(
            Kind::Invalid,
            format!(
                "this build does not play {self}: build it with `cargo build -p autopgo --features {feature}`"
            ),
        )
    }

    /// What every path of the API begins with, such as `/prod`.
    pub fn prefix(&self) -> String {
        match self {
            Self::Aws { stage: Some(stage) } => format!("/{stage}"),
            _ => String::new(),
        }
    }

    /// `limits` as a function of this cloud must have them, because its answers are cut off.
    pub(crate) fn limits(&self, limits: Limits) -> Limits {
        #[cfg(feature = "aws")]
        if matches!(self, Self::Aws { .. }) {
            return aws::limits(&limits);
        }
        limits
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aws { .. } => "AWS",
            Self::Azure => "Azure",
            Self::Gcp => "Google Cloud",
        })
    }
}
