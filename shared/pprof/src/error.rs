//! One error type for the crate. A caller acts on its [`ErrorKind`]; a person reads its text, which says
//! what is wrong, at which byte or in which field, and what is needed instead.

use std::io;

use thiserror::Error as ThisError;

/// What kind of trouble an [`Error`] is: the part a caller decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Not a pprof protobuf, or one that contradicts itself.
    Malformed,
    /// One of the formats from before the protobuf one, or another well-known file that is no profile.
    Legacy,
    /// Larger than a [`Limits`](crate::Limits) allows.
    Limit,
    /// Valid, but it cannot be merged with the others.
    Incompatible,
    /// Valid, but the Go compiler cannot use it for PGO.
    Unusable,
    /// Nothing is known of it: where it was to be read from failed.
    Unreadable,
}

/// Why a profile was refused.
#[derive(Debug, ThisError)]
#[error(transparent)]
pub struct Error(Box<Fault>);

impl Error {
    /// The kind of trouble.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind()
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self(Box::new(fault))
    }
}

/// Every way in which a profile can be wrong. Positions are byte offsets into the inflated profile.
#[derive(Debug, ThisError)]
pub(crate) enum Fault {
    #[error("the profile is empty: it has no bytes")]
    Empty,
    #[error("the profile's gzip data is cut short: it was not sent or stored to its end")]
    GzipTruncated,
    #[error("the profile's gzip data is corrupt: {0}")]
    GzipCorrupt(io::Error),
    #[error("the profile cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("the profile is compressed twice: gzip inside gzip")]
    GzipTwice,
    #[error("not a pprof profile: the number at byte {at} is {how}")]
    Varint { at: usize, how: &'static str },
    #[error("not a pprof profile: unknown wire type {wire} at byte {at}")]
    WireType { at: usize, wire: u8 },
    #[error("not a pprof profile: the field at byte {at} needs {needs} bytes, only {left} are left")]
    Short { at: usize, needs: u64, left: usize },
    #[error("not a pprof profile: {field} at byte {at} has wire type {found}, not {wanted}")]
    FieldType { field: &'static str, at: usize, found: u8, wanted: &'static str },
    #[error("malformed profile: string_table[0] is not the empty string (byte {at})")]
    FirstString { at: usize },
    #[error("not a pprof profile: it has no string_table")]
    NoStrings,
    #[error("malformed profile: {field} names string {index}, but string_table has {strings} entries")]
    StringIndex { field: &'static str, index: i64, strings: usize },
    #[error(
        "malformed profile: two profiles were concatenated (a second time_nanos at byte {at}); merge them instead"
    )]
    Concatenated { at: usize },
    #[error("malformed profile: it has samples, but no sample_type")]
    NoSampleTypes,
    #[error("malformed profile: sample {sample} has {found} values for {wanted} sample types")]
    ValueCount { sample: usize, found: usize, wanted: usize },
    #[error("malformed profile: sample {sample} names location {id}, which is not in the profile")]
    UnknownLocation { sample: usize, id: u64 },
    #[error(
        "malformed profile: location {location} has a line of function {function}, which is not in the profile"
    )]
    UnknownFunction { location: u64, function: u64 },
    #[error("malformed profile: a {table} has the reserved id 0")]
    ZeroId { table: &'static str },
    #[error("malformed profile: two {table}s have the id {id}")]
    DuplicateId { table: &'static str, id: u64 },

    #[error("{what}, not a pprof protobuf: {advice}")]
    Legacy { what: &'static str, advice: &'static str },

    #[error("the profile is larger than {limit} bytes when inflated, which is the limit")]
    TooLarge { limit: u64 },
    #[error("the profile has {found} {what}; the limit is {limit}")]
    TooMany { what: &'static str, found: u64, limit: u64 },
    #[error("the profiles have {found} {what} together; one profile can hold {limit}")]
    TooManyTogether { what: &'static str, found: u64, limit: u64 },

    #[error("there is no profile to merge")]
    Nothing,
    #[error("the profiles cannot be merged: their sample types are {first} and {other}")]
    SampleTypes { first: String, other: String },
    #[error("the profiles cannot be merged: their period types are {first} and {other}")]
    PeriodTypes { first: String, other: String },

    #[error(
        "sample types are {found}{guess}; PGO needs a CPU profile with {wanted}: take it from /debug/pprof/profile"
    )]
    WrongTypes { found: String, guess: &'static str, wanted: &'static str },
    #[error(
        "sample {sample} has the negative value {value} for {sample_type}; PGO needs a plain CPU profile, not a difference of two"
    )]
    Negative { sample: usize, value: i64, sample_type: String },
    #[error(
        "no sample has a function with a start_line, which PGO needs: the profiled program must be built with Go 1.20 or later"
    )]
    NoStartLine,
    #[error("the values of {sample_type} add up to more than {}: no CPU profile does", i64::MAX)]
    Overflow { sample_type: String },
}

impl Fault {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Empty
            | Self::GzipTruncated
            | Self::GzipCorrupt(_)
            | Self::GzipTwice
            | Self::Varint { .. }
            | Self::WireType { .. }
            | Self::Short { .. }
            | Self::FieldType { .. }
            | Self::FirstString { .. }
            | Self::NoStrings
            | Self::StringIndex { .. }
            | Self::Concatenated { .. }
            | Self::NoSampleTypes
            | Self::ValueCount { .. }
            | Self::UnknownLocation { .. }
            | Self::UnknownFunction { .. }
            | Self::ZeroId { .. }
            | Self::DuplicateId { .. } => ErrorKind::Malformed,
            Self::Legacy { .. } => ErrorKind::Legacy,
            Self::TooLarge { .. } | Self::TooMany { .. } | Self::TooManyTogether { .. } => ErrorKind::Limit,
            Self::Nothing | Self::SampleTypes { .. } | Self::PeriodTypes { .. } => ErrorKind::Incompatible,
            Self::WrongTypes { .. } | Self::Negative { .. } | Self::NoStartLine | Self::Overflow { .. } => {
                ErrorKind::Unusable
            }
            Self::Unreadable(_) => ErrorKind::Unreadable,
        }
    }
}
