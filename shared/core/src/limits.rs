//! Every limit, its variable and its default, in one table.
//!
//! A limit is a field here, a clear error where it is met, and a test at its edge and one past it.

use std::time::Duration;

use crate::duration;
use crate::error::{Error, Kind, Result};

/// How many ids of decided uploads a base has room for beside its data.
pub(crate) const LEDGER: usize = 1_000_000;
/// How many bytes one of them takes at the most, its place in the table of comments included.
const LEDGER_BYTES: u64 = 80;

/// How a limit reads in a variable, and which values make sense.
trait Quantity: Sized {
    fn read(text: &str) -> Option<Self>;
    const EXPECTS: &'static str;
}

impl Quantity for u64 {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|number| *number > 0)
    }
    const EXPECTS: &'static str = "a whole number above 0";
}

impl Quantity for usize {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|number| *number > 0)
    }
    const EXPECTS: &'static str = "a whole number above 0";
}

impl Quantity for Duration {
    fn read(text: &str) -> Option<Self> {
        duration::parse(text).ok().filter(|duration| !duration.is_zero())
    }
    const EXPECTS: &'static str = "a duration above 0 such as 10s or 1m30s";
}

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:expr, $variable:literal;)+) => {
        /// What the service takes at the most. The defaults are those of the table below.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Limits {
            $($(#[doc = $doc])+ #[doc = ""] #[doc = concat!("Variable `", $variable, "`, default `", stringify!($default), "`.")] pub $name: $type,)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Limits {
            /// Every variable that sets a limit.
            pub const VARIABLES: &'static [&'static str] = &[$($variable),+];

            /// The limits as `lookup` sets them; what it does not know keeps its default.
            ///
            /// # Errors
            /// `Invalid`, naming the variable, for a value that is none.
            pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
                let mut limits = Self::default();
                $(if let Some(text) = lookup($variable) {
                    limits.$name = <$type as Quantity>::read(text.trim()).ok_or_else(|| wrong($variable, &text, <$type as Quantity>::EXPECTS))?;
                })+
                Ok(limits)
            }
        }
    };
}

limits! {
    /// Bytes of a request's body as it is sent.
    body_bytes: u64 = 32 << 20, "AUTOPGO_MAX_BODY_BYTES";
    /// Bytes of an upload that is put straight into the store with a ticket.
    ticket_bytes: u64 = 64 << 20, "AUTOPGO_MAX_TICKET_BYTES";
    /// Bytes of a download that the server sends itself; a larger one is left to a store that can sign. By default all
    /// of them: it is for hosts that cut answers off.
    download_bytes: u64 = u64::MAX, "AUTOPGO_DOWNLOAD_CAP_BYTES";
    /// Bytes of an upload once it is unpacked.
    upload_raw_bytes: u64 = 256 << 20, "AUTOPGO_MAX_UPLOAD_RAW_BYTES";
    /// Bytes of a base profile before it is packed. A larger one is written compacted.
    base_raw_bytes: u64 = 256 << 20, "AUTOPGO_MAX_BASE_RAW_BYTES";
    /// Samples of a profile.
    samples: usize = 2_000_000, "AUTOPGO_MAX_SAMPLES";
    /// Locations of a profile.
    locations: usize = 1_000_000, "AUTOPGO_MAX_LOCATIONS";
    /// Functions of a profile.
    functions: usize = 1_000_000, "AUTOPGO_MAX_FUNCTIONS";
    /// Strings of a profile.
    strings: usize = 1_000_000, "AUTOPGO_MAX_STRINGS";
    /// Labels of one sample.
    labels: usize = 64, "AUTOPGO_MAX_LABELS";
    /// Comments of an upload, reserved ones not counted; a merge keeps this many.
    comments: usize = 1_000, "AUTOPGO_MAX_COMMENTS";
    /// Uploads of one application that one merge takes.
    merge_batch: usize = 100, "AUTOPGO_MAX_MERGE_BATCH";
    /// Batches whose messages a worker has in hand at once, each as large as a merge may be.
    worker_batches: usize = 4, "AUTOPGO_WORKER_BATCHES";
    /// How long a worker that is stopped may take over what it has in hand.
    drain: Duration = Duration::from_secs(15), "AUTOPGO_DRAIN_TIMEOUT";
    /// Requests at once; one more is answered with 503.
    requests: usize = 128, "AUTOPGO_MAX_REQUESTS";
    /// How long a client may take over a request's headers.
    header_timeout: Duration = Duration::from_secs(10), "AUTOPGO_HEADER_TIMEOUT";
    /// How long a connection may be silent.
    idle_timeout: Duration = Duration::from_secs(60), "AUTOPGO_IDLE_TIMEOUT";
}

impl Limits {
    /// The ceilings of the profile engine for an upload.
    pub fn upload(&self) -> autopgo_pprof::Limits {
        self.engine(self.upload_raw_bytes)
    }

    /// The ceilings of the profile engine for the data of a base profile, before its ledger is written into it. A compact one has up
    /// to two locations a sample: what it may have of the latter is to fit.
    pub fn base_data(&self) -> autopgo_pprof::Limits {
        let data = self.engine(self.base_raw_bytes);
        autopgo_pprof::Limits { locations: data.locations.saturating_mul(2), ..data }
    }

    /// The ceilings of the profile engine for a base profile as it stands in the store: its data and its ledger.
    pub fn base(&self) -> autopgo_pprof::Limits {
        let data = self.base_data();
        autopgo_pprof::Limits {
            raw_bytes: data.raw_bytes.saturating_add(LEDGER as u64 * LEDGER_BYTES),
            strings: data.strings.saturating_add(LEDGER),
            comments: data.comments.saturating_add(LEDGER),
            ..data
        }
    }

    /// Comments are counted by whoever knows which ones are reserved: here they are bounded like strings.
    fn engine(&self, raw_bytes: u64) -> autopgo_pprof::Limits {
        autopgo_pprof::Limits {
            raw_bytes,
            samples: self.samples,
            locations: self.locations,
            functions: self.functions,
            strings: self.strings,
            labels_per_sample: self.labels,
            comments: self.strings,
            ..autopgo_pprof::Limits::default()
        }
    }
}

fn wrong(variable: &str, text: &str, expects: &str) -> Error {
    Error::new(Kind::Invalid, format!("{variable}={text:?}: expected {expects}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_override_and_the_rest_keeps_its_default() {
        let limits = Limits::from_lookup(&|name| match name {
            "AUTOPGO_MAX_BODY_BYTES" => Some("1024".to_owned()),
            "AUTOPGO_IDLE_TIMEOUT" => Some("1m30s".to_owned()),
            _ => None,
        })
        .expect("good values");
        assert_eq!(
            limits,
            Limits { body_bytes: 1024, idle_timeout: Duration::from_secs(90), ..Limits::default() }
        );
    }

    #[test]
    fn a_bad_value_names_its_variable() {
        for (value, variable) in
            [("0", "AUTOPGO_MAX_SAMPLES"), ("1e3", "AUTOPGO_MAX_SAMPLES"), ("soon", "AUTOPGO_HEADER_TIMEOUT")]
        {
            let error =
                Limits::from_lookup(&|name| (name == variable).then(|| value.to_owned())).expect_err(value);
            assert!(error.what().starts_with(variable) && error.kind() == Kind::Invalid, "{error}");
        }
    }
}
