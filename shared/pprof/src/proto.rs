//! The raw message of `profile.proto` (github.com/google/pprof, `proto/profile.proto`), for those who want
//! the fields as they are on the wire: nothing is checked, resolved or merged. Names and numbers are those
//! of that file, and all texts are indices into [`Profile::string_table`].
//!
//! ```
//! use autopgo_pprof::proto::{self, Message};
//!
//! let raw = autopgo_pprof::Profile::empty_cpu().encode();
//! let message = proto::Profile::decode(&raw[..])?;
//! let texts = message.sample_type.iter().map(|kind| &message.string_table[kind.r#type as usize]);
//! assert_eq!(texts.collect::<Vec<_>>(), [b"samples" as &[u8], b"cpu"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

/// What encodes and decodes the messages below.
pub use prost::Message;

/// The top of a profile: samples, the tables that they lean on, and the header.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Profile {
    /// What each value of a sample is of, in the order of [`Sample::value`].
    #[prost(message, repeated, tag = "1")]
    pub sample_type: Vec<ValueType>,
    /// The samples.
    #[prost(message, repeated, tag = "2")]
    pub sample: Vec<Sample>,
    /// Where files were mapped into memory; the first is the main binary.
    #[prost(message, repeated, tag = "3")]
    pub mapping: Vec<Mapping>,
    /// The locations that samples name.
    #[prost(message, repeated, tag = "4")]
    pub location: Vec<Location>,
    /// The functions that lines name.
    #[prost(message, repeated, tag = "5")]
    pub function: Vec<Function>,
    /// All texts; the first is empty. `profile.proto` says `string`, but Go writes and reads bytes that are
    /// not UTF-8, which are the same on the wire.
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub string_table: Vec<Vec<u8>>,
    /// A regular expression: functions to drop from stacks, with all that they call. A text.
    #[prost(int64, tag = "7")]
    pub drop_frames: i64,
    /// A regular expression: functions to keep though `drop_frames` matches. A text.
    #[prost(int64, tag = "8")]
    pub keep_frames: i64,
    /// When the profile was begun, in nanoseconds since 1970.
    #[prost(int64, tag = "9")]
    pub time_nanos: i64,
    /// How long it took, in nanoseconds.
    #[prost(int64, tag = "10")]
    pub duration_nanos: i64,
    /// What one period is of.
    #[prost(message, optional, tag = "11")]
    pub period_type: Option<ValueType>,
    /// Events between two samples.
    #[prost(int64, tag = "12")]
    pub period: i64,
    /// Free texts.
    #[prost(int64, repeated, tag = "13")]
    pub comment: Vec<i64>,
    /// The type of the sample value to show first. A text.
    #[prost(int64, tag = "14")]
    pub default_sample_type: i64,
    /// Where the profile is explained. A text.
    #[prost(int64, tag = "15")]
    pub doc_url: i64,
}

/// What a value is of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct ValueType {
    /// What is counted, such as `cpu`. A text.
    #[prost(int64, tag = "1")]
    pub r#type: i64,
    /// In which unit, such as `nanoseconds`. A text.
    #[prost(int64, tag = "2")]
    pub unit: i64,
}

/// Values that were met at a stack.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Sample {
    /// The stack: [`Location::id`] of each frame, the leaf first.
    #[prost(uint64, repeated, tag = "1")]
    pub location_id: Vec<u64>,
    /// As many values as there are sample types.
    #[prost(int64, repeated, tag = "2")]
    pub value: Vec<i64>,
    /// What else is known of the sample.
    #[prost(message, repeated, tag = "3")]
    pub label: Vec<Label>,
}

/// A key with a text, or with a number and perhaps its unit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Label {
    /// The key. A text.
    #[prost(int64, tag = "1")]
    pub key: i64,
    /// The value, if it is a text.
    #[prost(int64, tag = "2")]
    pub str: i64,
    /// The value, if it is a number.
    #[prost(int64, tag = "3")]
    pub num: i64,
    /// The unit of the number. A text.
    #[prost(int64, tag = "4")]
    pub num_unit: i64,
}

/// A part of a file in memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Mapping {
    /// Its number in this profile, not 0.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// The first address.
    #[prost(uint64, tag = "2")]
    pub memory_start: u64,
    /// The address after the last one.
    #[prost(uint64, tag = "3")]
    pub memory_limit: u64,
    /// Where in the file the first address is.
    #[prost(uint64, tag = "4")]
    pub file_offset: u64,
    /// The file. A text.
    #[prost(int64, tag = "5")]
    pub filename: i64,
    /// What tells builds of the file apart. A text.
    #[prost(int64, tag = "6")]
    pub build_id: i64,
    /// Whether its locations have functions.
    #[prost(bool, tag = "7")]
    pub has_functions: bool,
    /// Whether its functions have files.
    #[prost(bool, tag = "8")]
    pub has_filenames: bool,
    /// Whether its lines have numbers.
    #[prost(bool, tag = "9")]
    pub has_line_numbers: bool,
    /// Whether its locations have the lines of inlined calls.
    #[prost(bool, tag = "10")]
    pub has_inline_frames: bool,
}

/// A place in the code.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Location {
    /// Its number in this profile, not 0.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// [`Mapping::id`] of where it is, 0 when unknown.
    #[prost(uint64, tag = "2")]
    pub mapping_id: u64,
    /// The address of the instruction.
    #[prost(uint64, tag = "3")]
    pub address: u64,
    /// Its lines: more than one where calls were inlined, the innermost first.
    #[prost(message, repeated, tag = "4")]
    pub line: Vec<Line>,
    /// Whether several symbols share the address, of which the lines show one.
    #[prost(bool, tag = "5")]
    pub is_folded: bool,
}

/// A line of a source file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Line {
    /// [`Function::id`] of the function that it is in.
    #[prost(uint64, tag = "1")]
    pub function_id: u64,
    /// Its number, from 1; 0 when unknown.
    #[prost(int64, tag = "2")]
    pub line: i64,
    /// The column, from 1; 0 when unknown.
    #[prost(int64, tag = "3")]
    pub column: i64,
}

/// A function.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Function {
    /// Its number in this profile, not 0.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// Its name for people. A text.
    #[prost(int64, tag = "2")]
    pub name: i64,
    /// Its name for the system, such as a mangled one. A text.
    #[prost(int64, tag = "3")]
    pub system_name: i64,
    /// The source file. A text.
    #[prost(int64, tag = "4")]
    pub filename: i64,
    /// Its first line, from 1; 0 when unknown.
    #[prost(int64, tag = "5")]
    pub start_line: i64,
}
